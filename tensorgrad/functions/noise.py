"""Functions that draw random numbers."""

from __future__ import annotations

from typing import Any

from tensorgrad.backend import Array
from tensorgrad.core import ArrayLike, Config, Op, Variable
from tensorgrad.core.sample import Real, Sample, samples
from tensorgrad.functions.manipulation import same_value


class Dropout(Op):
    """``y = x / (1 - r)``, and 0 with probability r; the gradient likewise, at the same places.

    A kernel keeps no mask: `drawn` is what it needs to draw the same one again.
    """

    fresh = True

    def __init__(self, ratio: float, drawn: Any = None) -> None:
        self.ratio = ratio
        self.drawn = drawn

    def forward(self, x: Array) -> Array:
        if not self.xp.isdtype(x.dtype, "real floating"):
            raise TypeError(f"dropout: expected a real floating dtype; got {x.dtype}")
        made = self.fused("dropout", x, self.ratio, self.drawn)
        if made is not None:
            y, self.drawn = made
            return y
        draws = self.backend.uniform(x.shape, x.dtype, self.backend.device(x))
        self.keep(draws >= self.ratio)
        return self._dropped(x)

    def backward(self, gy: ArrayLike) -> ArrayLike:
        if self.drawn is not None:
            return self.nested(Dropout(self.ratio, self.drawn), gy)
        return self._dropped(gy)

    def _dropped(self, x: ArrayLike) -> ArrayLike:
        (stays,) = self.kept
        factor = self.xp.astype(stays, x.dtype)
        factor *= 1 / (1 - self.ratio) if self.ratio < 1 else 0.0
        return x * factor


@samples(
    Sample(Real((3, 4)), random=True),
    Sample(Real((3, 4)), 0.25, random=True),
    Sample(Real((2, 3)), 0.0, random=True),
    Sample(Real((2, 3)), dropout_ratio=1.0, random=True),
    Sample(Real(), random=True),
)
def dropout(x: Any, dropout_ratio: float = 0.5) -> Variable:
    """Set elements to 0 at random and scale up the others, so that the mean stays; only in training.

    Parameters
    ----------
    x : Variable or array, any shape, real floating
    dropout_ratio : float, default 0.5
        The probability of 0, in [0, 1].

    Returns
    -------
    Variable, shape of `x`
        ``x / (1 - dropout_ratio)`` or 0; under `tensorgrad.test_mode` it is `x`.

    Raises
    ------
    ValueError
        If `dropout_ratio` is outside [0, 1].
    TypeError
        If `x` is not real floating.

    References
    ----------
    Srivastava et al., "Dropout: a simple way to prevent neural networks from overfitting", JMLR 15
    (2014) 1929-1958; scaled in training, as in its section 10.

    Examples
    --------
    >>> x = Variable(np.ones(4))
    >>> F.dropout(x, 0.75).max() <= 4
    variable(True)
    >>> with tg.test_mode():
    ...     F.dropout(x, 0.75)
    variable([1. 1. 1. 1.])
    """
    if not 0 <= dropout_ratio <= 1:
        raise ValueError(f"dropout: expected a dropout_ratio in [0, 1]; got {dropout_ratio}")
    if not Config.train:
        return same_value(x)
    return Dropout(dropout_ratio)(x)  # type: ignore[no-any-return]
