"""Optimizers: rules that change parameters by their gradients, and hooks that come before."""

from tensorgrad.optimizers.adam import Adam as Adam
from tensorgrad.optimizers.adam import AdamW as AdamW
from tensorgrad.optimizers.adaptive import AdaDelta as AdaDelta
from tensorgrad.optimizers.adaptive import AdaGrad as AdaGrad
from tensorgrad.optimizers.hooks import ClipGrad as ClipGrad
from tensorgrad.optimizers.hooks import FreezeParam as FreezeParam
from tensorgrad.optimizers.hooks import WeightDecay as WeightDecay
from tensorgrad.optimizers.optimizer import Optimizer as Optimizer
from tensorgrad.optimizers.sgd import SGD as SGD
from tensorgrad.optimizers.sgd import MomentumSGD as MomentumSGD
