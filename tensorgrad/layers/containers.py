"""A list of layers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Self, overload

from tensorgrad.layers.layer import Layer


class LayerList(Layer):
    """Layers by number: a list whose parameters are found, moved, saved and loaded.

    Parameters
    ----------
    layers : iterable of Layer, optional

    Notes
    -----
    It has no `forward`: whoever holds it says what becomes of its layers. `tensorgrad.models.Sequential`
    calls them one after the other.

    Examples
    --------
    >>> class Deep(tg.Model):
    ...     def __init__(self, depth):
    ...         super().__init__()
    ...         self.parts = tg.layers.LayerList(tg.layers.Linear(4) for _ in range(depth))
    ...     def forward(self, x):
    ...         for part in self.parts:
    ...             x = x + F.tanh(part(x))
    ...         return x
    >>> model = Deep(2)
    >>> model(np.ones((1, 4), np.float32)).shape
    (1, 4)
    >>> [path for path, _ in model.namedparams()]
    ['parts/0/W', 'parts/0/b', 'parts/1/W', 'parts/1/b']
    """

    def __init__(self, layers: Iterable[Layer] = ()) -> None:
        super().__init__()
        self._length = 0
        self.extend(layers)

    def append(self, layer: Layer) -> Self:
        """Add a layer at the end; returns self."""
        setattr(self, str(self._length), _layer(layer))
        self._length += 1
        return self

    def extend(self, layers: Iterable[Layer]) -> Self:
        """Add layers at the end; returns self."""
        for layer in layers:
            self.append(layer)
        return self

    def __len__(self) -> int:
        return self._length

    def __iter__(self) -> Iterator[Any]:
        return (getattr(self, str(i)) for i in range(self._length))

    @overload
    def __getitem__(self, index: int) -> Any: ...
    @overload
    def __getitem__(self, index: slice) -> LayerList: ...
    def __getitem__(self, index: int | slice) -> Any:
        if isinstance(index, slice):
            return LayerList(list(self)[index])
        return getattr(self, str(self._place_of(index)))

    def __setitem__(self, index: int, layer: Layer) -> None:
        setattr(self, str(self._place_of(index)), _layer(layer))

    def _place_of(self, index: int) -> int:
        if not -self._length <= index < self._length:
            raise IndexError(f"LayerList: there is no layer {index}; it has {self._length}")
        return index % self._length


def _layer(value: Any) -> Layer:
    if not isinstance(value, Layer):
        raise TypeError(f"LayerList: expected a Layer; got {type(value).__name__}")
    return value
