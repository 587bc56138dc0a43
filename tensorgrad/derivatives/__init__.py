"""Derivatives of functions: ``grad(f)`` and its kin, pure and nestable."""

from tensorgrad.derivatives.batches import vectorize as vectorize
from tensorgrad.derivatives.batches import vmap as vmap
from tensorgrad.derivatives.matrices import hessian as hessian
from tensorgrad.derivatives.matrices import hvp as hvp
from tensorgrad.derivatives.matrices import jacobian as jacobian
from tensorgrad.derivatives.of_values import gradients as gradients
from tensorgrad.derivatives.recomputation import checkpoint as checkpoint
from tensorgrad.derivatives.rules import custom_gradient as custom_gradient
from tensorgrad.derivatives.rules import stop_gradient as stop_gradient
from tensorgrad.derivatives.transforms import grad as grad
from tensorgrad.derivatives.transforms import jvp as jvp
from tensorgrad.derivatives.transforms import value_and_grad as value_and_grad
from tensorgrad.derivatives.transforms import vjp as vjp
