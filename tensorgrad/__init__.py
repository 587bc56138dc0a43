"""Gradients for the arrays you already have: define-by-run autodiff over the Array API."""

from tensorgrad import cuda as cuda
from tensorgrad import dataloaders as dataloaders
from tensorgrad import datasets as datasets
from tensorgrad import functions as functions
from tensorgrad import layers as layers
from tensorgrad import models as models
from tensorgrad import optimizers as optimizers
from tensorgrad import testing as testing
from tensorgrad import utils as utils
from tensorgrad.core import Config as Config
from tensorgrad.core import Function as Function
from tensorgrad.core import Input as Input
from tensorgrad.core import Op as Op
from tensorgrad.core import Output as Output
from tensorgrad.core import Parameter as Parameter
from tensorgrad.core import Variable as Variable
from tensorgrad.core import as_array as as_array
from tensorgrad.core import as_variable as as_variable
from tensorgrad.core import no_grad as no_grad
from tensorgrad.core import test_mode as test_mode
from tensorgrad.core import using_config as using_config
from tensorgrad.dataloaders import DataLoader as DataLoader
from tensorgrad.dataloaders import SeqDataLoader as SeqDataLoader
from tensorgrad.datasets import Dataset as Dataset
from tensorgrad.derivatives import custom_gradient as custom_gradient
from tensorgrad.derivatives import grad as grad
from tensorgrad.derivatives import gradients as gradients
from tensorgrad.derivatives import hessian as hessian
from tensorgrad.derivatives import hvp as hvp
from tensorgrad.derivatives import jacobian as jacobian
from tensorgrad.derivatives import jvp as jvp
from tensorgrad.derivatives import stop_gradient as stop_gradient
from tensorgrad.derivatives import value_and_grad as value_and_grad
from tensorgrad.derivatives import vjp as vjp
from tensorgrad.layers import Layer as Layer
from tensorgrad.models import Model as Model

__version__ = "0.1.0"
