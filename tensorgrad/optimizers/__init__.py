"""Optimizers: rules that change parameters by their gradients, hooks that come before, rates that change."""

from typing import TYPE_CHECKING

from tensorgrad.lazy import later

if TYPE_CHECKING:  # loaded when first asked for: see the table below
    from tensorgrad.optimizers.accumulate import Accumulate as Accumulate
    from tensorgrad.optimizers.adam import Adam as Adam
    from tensorgrad.optimizers.adam import AdamW as AdamW
    from tensorgrad.optimizers.adam_variants import Adamax as Adamax
    from tensorgrad.optimizers.adam_variants import NAdam as NAdam
    from tensorgrad.optimizers.adam_variants import RAdam as RAdam
    from tensorgrad.optimizers.adaptive import AdaDelta as AdaDelta
    from tensorgrad.optimizers.adaptive import AdaGrad as AdaGrad
    from tensorgrad.optimizers.adaptive import RMSprop as RMSprop
    from tensorgrad.optimizers.averages import EMA as EMA
    from tensorgrad.optimizers.hooks import ClipGrad as ClipGrad
    from tensorgrad.optimizers.hooks import ClipGradValue as ClipGradValue
    from tensorgrad.optimizers.hooks import FreezeParam as FreezeParam
    from tensorgrad.optimizers.hooks import WeightDecay as WeightDecay
    from tensorgrad.optimizers.large_batch import LAMB as LAMB
    from tensorgrad.optimizers.large_batch import Lion as Lion
    from tensorgrad.optimizers.lbfgs import LBFGS as LBFGS
    from tensorgrad.optimizers.optimizer import Optimizer as Optimizer
    from tensorgrad.optimizers.plateau import ReduceLROnPlateau as ReduceLROnPlateau
    from tensorgrad.optimizers.scaling import GradScaler as GradScaler
    from tensorgrad.optimizers.schedules import CosineAnnealingLR as CosineAnnealingLR
    from tensorgrad.optimizers.schedules import ExponentialLR as ExponentialLR
    from tensorgrad.optimizers.schedules import LambdaLR as LambdaLR
    from tensorgrad.optimizers.schedules import MultiStepLR as MultiStepLR
    from tensorgrad.optimizers.schedules import OneCycleLR as OneCycleLR
    from tensorgrad.optimizers.schedules import Schedule as Schedule
    from tensorgrad.optimizers.schedules import StepLR as StepLR
    from tensorgrad.optimizers.schedules import WarmupLR as WarmupLR
    from tensorgrad.optimizers.sgd import SGD as SGD
    from tensorgrad.optimizers.sgd import MomentumSGD as MomentumSGD

__getattr__, __dir__ = later(
    __name__,
    {
        "accumulate": "Accumulate",
        "adam": "Adam AdamW",
        "adam_variants": "Adamax NAdam RAdam",
        "adaptive": "AdaDelta AdaGrad RMSprop",
        "averages": "EMA",
        "hooks": "ClipGrad ClipGradValue FreezeParam WeightDecay",
        "large_batch": "LAMB Lion",
        "lbfgs": "LBFGS",
        "optimizer": "Optimizer",
        "plateau": "ReduceLROnPlateau",
        "scaling": "GradScaler",
        "schedules": (
            "CosineAnnealingLR ExponentialLR LambdaLR MultiStepLR OneCycleLR Schedule StepLR WarmupLR"
        ),
        "sgd": "SGD MomentumSGD",
    },
)
