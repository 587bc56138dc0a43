"""Models: layers that stand alone."""

from tensorgrad.models.mlp import MLP as MLP
from tensorgrad.models.model import Model as Model
from tensorgrad.models.sequential import Sequential as Sequential
