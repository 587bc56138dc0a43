"""MLP, the multi-layer perceptron."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from tensorgrad import functions as F
from tensorgrad import layers as L
from tensorgrad.core import Variable
from tensorgrad.models.model import Model


class MLP(Model):
    """Linear layers with an activation between them, and none after the last.

    Parameters
    ----------
    fc_output_sizes : sequence of int
        The output size of each layer; the input size comes from the first input.
    activation : callable, default F.sigmoid

    Attributes
    ----------
    l0, l1, ... : Linear

    Raises
    ------
    ValueError
        If there are no sizes.

    Examples
    --------
    >>> model = tg.models.MLP((10, 3), activation=F.relu)
    >>> model(np.ones((5, 4), np.float32)).shape
    (5, 3)
    """

    def __init__(self, fc_output_sizes: Sequence[int], activation: Callable[..., Any] = F.sigmoid) -> None:
        super().__init__()
        if not hasattr(fc_output_sizes, "__len__"):
            raise TypeError(f"MLP: expected a tuple of output sizes; got {type(fc_output_sizes).__name__}")
        if len(fc_output_sizes) == 0:
            raise ValueError("MLP: expected at least one output size; got none")
        self.activation = activation
        self._length = len(fc_output_sizes)
        for i, out_size in enumerate(fc_output_sizes):
            setattr(self, f"l{i}", L.Linear(out_size))

    @property
    def layers(self) -> list[Any]:
        """The linear layers in order."""
        return [getattr(self, f"l{i}") for i in range(self._length)]

    def forward(self, x: Any) -> Variable:
        *hidden, last = self.layers
        for layer in hidden:
            x = layer(x)  # in a line of its own: what it was given is free before the activation
            x = self.activation(x)
        y: Variable = last(x)
        return y
