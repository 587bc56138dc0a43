"""Sequential, layers and functions one after the other."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tensorgrad.models.model import Model


class Sequential(Model):
    """Layers and functions, each called on the output of the one before.

    Parameters
    ----------
    *layers : Layer or callable
        They become the attributes ``l0``, ``l1``, ...; assign to one to replace it.

    Examples
    --------
    >>> L = tg.layers
    >>> model = tg.models.Sequential(L.Linear(10), F.tanh, L.Linear(3))
    >>> model(np.ones((5, 4), np.float32)).shape
    (5, 3)
    >>> [path for path, _ in model.namedparams()]
    ['l0/W', 'l0/b', 'l2/W', 'l2/b']
    """

    def __init__(self, *layers: Callable[..., Any]) -> None:
        super().__init__()
        self._length = len(layers)
        for i, layer in enumerate(layers):
            if not callable(layer):
                raise TypeError(
                    f"{type(self).__name__}: expected layers and functions; got "
                    f"{type(layer).__name__} at position {i}"
                )
            setattr(self, f"l{i}", layer)

    @property
    def layers(self) -> list[Any]:
        """The layers and functions in order."""
        return [getattr(self, f"l{i}") for i in range(self._length)]

    def forward(self, x: Any) -> Any:
        for layer in self.layers:
            x = layer(x)
        return x
