"""Layers: parameters, and the function that uses them."""

from tensorgrad.layers.layer import Layer as Layer
from tensorgrad.layers.linear import Linear as Linear
