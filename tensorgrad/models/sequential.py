"""Sequential, layers and functions one after the other."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, overload

from tensorgrad.models.model import Model


class Sequential(Model):
    """Layers and functions, each called on the output of the one before.

    Parameters
    ----------
    *layers : Layer or callable
        They become the attributes ``l0``, ``l1``, ...; assign to one to replace it.

    Notes
    -----
    ``len(model)``, ``model[i]`` and iteration are as of a list; ``model[:i]`` is a Sequential of the same
    layers, for instance for what a network makes of a picture before its last layers.

    Examples
    --------
    >>> L = tg.layers
    >>> model = tg.models.Sequential(L.Linear(10), F.tanh, L.Linear(3))
    >>> model(np.ones((5, 4), np.float32)).shape
    (5, 3)
    >>> [path for path, _ in model.namedparams()]
    ['l0/W', 'l0/b', 'l2/W', 'l2/b']
    >>> model[:2](np.ones((5, 4), np.float32)).shape
    (5, 10)
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

    def __len__(self) -> int:
        return self._length

    def __iter__(self) -> Iterator[Any]:
        return iter(self.layers)

    @overload
    def __getitem__(self, index: int) -> Any: ...
    @overload
    def __getitem__(self, index: slice) -> Sequential: ...
    def __getitem__(self, index: int | slice) -> Any:
        found = self.layers[index]
        return Sequential(*found) if isinstance(index, slice) else found

    def forward(self, x: Any) -> Any:
        for layer in self.layers:
            x = layer(x)
        return x
