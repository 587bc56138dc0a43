"""The seed of everything that is drawn."""

from __future__ import annotations

from tensorgrad import randomness
from tensorgrad.backend import loaded_backends


def seed(number: int | None) -> None:
    """Draw everything, on every backend, from generators of tensorgrad's own with this seed.

    Until then weights, dropout and shuffles draw from NumPy's global state, as in the book:
    ``np.random.seed(0)`` repeats its figures. Afterwards NumPy's state is left alone, and what others draw
    from it changes nothing here. Weights are drawn on the host: the same seed makes the same model on
    every backend.

    Parameters
    ----------
    number : int in [0, 2**32), or None
        None goes back to NumPy's global state.

    Raises
    ------
    ValueError
        If `number` is outside its range.

    Examples
    --------
    >>> tg.seed(0)
    >>> a = tg.layers.Linear(2, in_size=3).W.data
    >>> tg.seed(0)
    >>> bool((tg.layers.Linear(2, in_size=3).W.data == a).all())
    True
    >>> tg.seed(None)
    """
    if number is not None and not 0 <= number < 2**32:
        raise ValueError(f"seed: expected a number in [0, 2**32), or None; got {number}")
    randomness.use(number)
    if number is not None:
        for backend in loaded_backends():
            backend.seed(number)
