"""Gradients for the arrays you already have: define-by-run autodiff over the Array API."""

from typing import TYPE_CHECKING

from tensorgrad import functions as functions
from tensorgrad.core import Config as Config
from tensorgrad.core import Function as Function
from tensorgrad.core import Input as Input
from tensorgrad.core import Op as Op
from tensorgrad.core import Output as Output
from tensorgrad.core import Parameter as Parameter
from tensorgrad.core import Variable as Variable
from tensorgrad.core import as_array as as_array
from tensorgrad.core import as_variable as as_variable
from tensorgrad.core import autocast as autocast
from tensorgrad.core import get_default_backend as get_default_backend
from tensorgrad.core import no_grad as no_grad
from tensorgrad.core import seed as seed
from tensorgrad.core import set_default_backend as set_default_backend
from tensorgrad.core import test_mode as test_mode
from tensorgrad.core import using_backend as using_backend
from tensorgrad.core import using_config as using_config
from tensorgrad.lazy import later

if TYPE_CHECKING:  # loaded when first asked for: see below
    from tensorgrad import cuda as cuda
    from tensorgrad import dataloaders as dataloaders
    from tensorgrad import datasets as datasets
    from tensorgrad import distributed as distributed
    from tensorgrad import exporting as exporting
    from tensorgrad import fft as fft
    from tensorgrad import graphs as graphs
    from tensorgrad import layers as layers
    from tensorgrad import migration as migration
    from tensorgrad import models as models
    from tensorgrad import optimizers as optimizers
    from tensorgrad import special as special
    from tensorgrad import testing as testing
    from tensorgrad import tools as tools
    from tensorgrad import training as training
    from tensorgrad import transforms as transforms
    from tensorgrad import utils as utils
    from tensorgrad.adapters import register_einops as register_einops
    from tensorgrad.adapters import scipy_objective as scipy_objective
    from tensorgrad.dataloaders import DataLoader as DataLoader
    from tensorgrad.dataloaders import SeqDataLoader as SeqDataLoader
    from tensorgrad.datasets import Dataset as Dataset
    from tensorgrad.derivatives import checkpoint as checkpoint
    from tensorgrad.derivatives import custom_gradient as custom_gradient
    from tensorgrad.derivatives import grad as grad
    from tensorgrad.derivatives import gradients as gradients
    from tensorgrad.derivatives import hessian as hessian
    from tensorgrad.derivatives import hvp as hvp
    from tensorgrad.derivatives import jacobian as jacobian
    from tensorgrad.derivatives import jvp as jvp
    from tensorgrad.derivatives import stop_gradient as stop_gradient
    from tensorgrad.derivatives import value_and_grad as value_and_grad
    from tensorgrad.derivatives import vectorize as vectorize
    from tensorgrad.derivatives import vjp as vjp
    from tensorgrad.derivatives import vmap as vmap
    from tensorgrad.exporting import export_onnx as export_onnx
    from tensorgrad.layers import Layer as Layer
    from tensorgrad.models import Model as Model
    from tensorgrad.tools import debug as debug
    from tensorgrad.tools import profile as profile
    from tensorgrad.training import Trainer as Trainer

__getattr__, __dir__ = later(
    __name__,
    {
        "adapters": "register_einops scipy_objective",
        "dataloaders": "DataLoader SeqDataLoader",
        "datasets": "Dataset",
        "derivatives": (
            "checkpoint custom_gradient grad gradients hessian hvp jacobian jvp stop_gradient "
            "value_and_grad vectorize vjp vmap"
        ),
        "exporting": "export_onnx",
        "layers": "Layer",
        "models": "Model",
        "tools": "debug profile",
        "training": "Trainer",
    },
    submodules=(
        "cuda dataloaders datasets distributed exporting fft graphs layers migration models optimizers "
        "special testing tools training transforms utils"
    ),
    otherwise="functions.toplevel",
)

__version__ = "0.1.0"
