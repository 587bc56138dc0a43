"""Sums of products in Einstein's notation."""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from functools import cache
from importlib import import_module
from typing import Any

from tensorgrad.core import Variable
from tensorgrad.core.sample import Real, Sample, samples
from tensorgrad.functions.arithmetic import mul
from tensorgrad.functions.diagonals import diagonal
from tensorgrad.functions.linalg import matmul
from tensorgrad.functions.manipulation import permute_dims, reshape, shape_of, squeeze, unchanged
from tensorgrad.functions.reduction import sum

Label = int | str
"""The name of an axis: a letter, or a negative number for an axis of an ellipsis, -1 the last."""

Term = tuple[Any, list[Label]]
"""An operand and the labels of its axes."""


@samples(
    Sample("ij,jk->ik", Real((2, 3)), Real((3, 2))),
    Sample("ij,jk", Real((2, 3)), Real((3, 2))),
    Sample("ba", Real((2, 3))),
    Sample("ii", Real((3, 3))),
    Sample("iij->ij", Real((2, 2, 3))),
    Sample("i,j->ji", Real((2,)), Real((3,))),
    Sample("i,i", Real((3,)), Real((3,))),
    Sample("bij,bjk->bik", Real((2, 2, 3)), Real((2, 3, 2))),
    Sample("...ij,...jk->...ik", Real((2, 1, 2, 3)), Real((4, 3, 2))),
    Sample("i...,i...", Real((2, 3)), Real((2, 1))),
    Sample("ijk,k->", Real((2, 3, 2)), Real((2,))),
    Sample("ij,j->ij", Real((2, 3)), Real((3,))),
    Sample("ab,bc,cd,ad->a", Real((2, 3)), Real((3, 2)), Real((2, 3)), Real((2, 3))),
    Sample("ij,kj->i", Real((2, 3)), Real((2, 3))),
    Sample(",->", Real(), Real()),
)
def einsum(subscripts: str, *operands: Any) -> Variable:
    """Sum of products of arrays, each axis named by a letter.

    Axes of the same letter go together; letters that the output lacks are summed over.

    Parameters
    ----------
    subscripts : str
        A term of letters for each operand, with commas between them, then ``->`` and the output:
        ``"ij,jk->ik"``. A letter that occurs twice in a term takes the diagonal. ``...`` stands for all
        other axes, which broadcast. Without ``->`` the output has the axes of the ellipsis, then the
        letters that occur once, in alphabetical order.
    *operands : Variable or array
        Axes of length 1 broadcast. More than two are multiplied pair by pair: in the order that
        opt_einsum plans where it is installed, else the pair with the smallest product first.

    Returns
    -------
    Variable
        With the axes of the output.

    Raises
    ------
    ValueError
        If the subscripts do not fit the operands.

    Examples
    --------
    >>> a = Variable(np.array([[1.0, 2.0], [3.0, 4.0]]))
    >>> F.einsum("ij,ij->i", a, a)
    variable([ 5. 25.])
    """
    if not isinstance(subscripts, str):
        raise TypeError(f"einsum: expected subscripts as text first; got {type(subscripts).__name__}")
    shapes = [shape_of("einsum", x) for x in operands]
    labels, output = _parsed(subscripts, shapes)
    lengths = _lengths(subscripts, labels, shapes)
    terms = [
        _narrowed(_without_repeats(x, names), lengths)
        for x, names in zip(map(unchanged, operands), labels, strict=True)
    ]
    for together in _path(terms, output, lengths):
        chosen = [terms[i] for i in together]
        terms = [term for i, term in enumerate(terms) if i not in together]
        while len(chosen) > 1:
            others = [names for _, names in (*terms, *chosen[2:])]
            chosen[:2] = [_product(chosen[0], chosen[1], {*output, *(n for o in others for n in o)})]
        terms += chosen
    (term,) = terms
    x, names = _summed(term, set(output))
    return _ordered(x, names, output)  # type: ignore[no-any-return]


# -- what the subscripts say -----------------------------------------------------------------------------


def _parsed(subscripts: str, shapes: list[tuple[int, ...]]) -> tuple[list[list[Label]], list[Label]]:
    """The labels of each operand's axes, and those of the output."""
    text = "".join(subscripts.split())
    inputs, arrow, out = text.partition("->")
    parts = inputs.split(",")
    if len(parts) != len(shapes):
        raise _error(subscripts, f"one term for each operand; got {len(parts)} for {len(shapes)} operands")
    labels = [_labels(subscripts, part, len(s)) for part, s in zip(parts, shapes, strict=True)]
    given = [name for names in labels for name in names]
    dots = sorted({name for name in given if isinstance(name, int)})
    if not arrow:
        once = sorted(name for name in given if isinstance(name, str) and given.count(name) == 1)
        return labels, [*dots, *once]
    output = _labels(subscripts, out, len(out.replace("...", "")) + ("..." in out) * len(dots))
    if len(set(output)) != len(output):
        raise _error(subscripts, f"each letter once in the output; got {out!r}")
    if unknown := set(output) - set(given):
        raise _error(subscripts, f"letters of the operands in the output; got {sorted(map(str, unknown))}")
    if not set(dots) <= set(output):
        raise _error(subscripts, "'...' in the output, as the operands have axes beyond their letters")
    return labels, output


def _labels(subscripts: str, part: str, ndim: int) -> list[Label]:
    """The labels of a term for an array with that many axes."""
    before, dots, after = part.partition("...")
    letters = before + after
    if not all(letter.isalpha() for letter in letters):
        raise _error(subscripts, f"letters, '...', ',' and '->'; got {part!r}")
    extra = ndim - len(letters)
    if extra < 0 or (extra and not dots):
        raise _error(subscripts, f"a letter for each axis, or '...'; got {part!r} for {ndim} axes")
    return [*before, *range(-extra, 0), *after]


def _lengths(subscripts: str, labels: list[list[Label]], shapes: list[tuple[int, ...]]) -> dict[Label, int]:
    """The length of each label: those of its axes agree, but for lengths of 1."""
    lengths: dict[Label, int] = {}
    for names, shape in zip(labels, shapes, strict=True):
        for name, n in zip(names, shape, strict=True):
            before = lengths.setdefault(name, n)
            if n not in (1, before) and before != 1:
                what = "'...'" if isinstance(name, int) else repr(name)
                raise _error(subscripts, f"one length for {what}; got {before} and {n} in shapes {shapes}")
            if before == 1:
                lengths[name] = n
    return lengths


def _error(subscripts: str, text: str) -> ValueError:
    return ValueError(f"einsum {subscripts!r}: expected {text}")


# -- the order of the products ---------------------------------------------------------------------------


def _path(terms: list[Term], output: list[Label], lengths: dict[Label, int]) -> list[tuple[int, ...]]:
    """Which terms to multiply at each step; the product goes to the end of the list."""
    if len(terms) <= 2:
        return [(0, 1)] if len(terms) == 2 else []
    planner = _planner()
    if planner is None:
        return _greedy([set(names) for _, names in terms], set(output), lengths)
    symbols = {name: planner.get_symbol(i) for i, name in enumerate(lengths)}
    *parts, out = ("".join(symbols[n] for n in names) for names in (*(t[1] for t in terms), output))
    path, _ = planner.contract_path(f"{','.join(parts)}->{out}", *(x.shape for x, _ in terms), shapes=True)
    return [tuple(step) for step in path]


@cache
def _planner() -> Any:
    """The module opt_einsum, or None."""
    try:
        return import_module("opt_einsum")
    except ImportError:
        return None


def _greedy(names: list[set[Label]], output: set[Label], lengths: dict[Label, int]) -> list[tuple[int, ...]]:
    """At each step the pair whose product is the smallest."""
    path: list[tuple[int, ...]] = []
    while len(names) > 1:
        best: tuple[int, tuple[int, int], set[Label]] | None = None
        for i in range(len(names)):
            for j in range(i):
                rest = output.union(*(s for k, s in enumerate(names) if k not in (i, j)))
                product = (names[i] | names[j]) & rest
                size = math.prod(lengths[name] for name in product)
                if best is None or size < best[0]:
                    best = (size, (j, i), product)
        assert best is not None  # there are two terms at least
        path.append(best[1])
        names = [s for k, s in enumerate(names) if k not in best[1]] + [best[2]]
    return path


# -- the steps -------------------------------------------------------------------------------------------


def _without_repeats(x: Any, names: list[Label]) -> Term:
    """The diagonal for each label that occurs more than once in a term."""
    for name in dict.fromkeys(names):
        while names.count(name) > 1:
            i = names.index(name)
            j = names.index(name, i + 1)
            others = [k for k in range(len(names)) if k not in (i, j)]
            if x.shape[i] != x.shape[j]:  # one of them is 1 and broadcasts
                narrow = i if x.shape[i] == 1 else j
                x = squeeze(x, narrow)
                names = [n for k, n in enumerate(names) if k != narrow]
                continue
            x = diagonal(permute_dims(x, (*others, i, j)))
            names = [*(names[k] for k in others), name]
    return x, names


def _narrowed(term: Term, lengths: dict[Label, int]) -> Term:
    """Without axes of length 1 that broadcast to another length: the product has these from elsewhere."""
    x, names = term
    narrow = tuple(i for i, name in enumerate(names) if x.shape[i] == 1 != lengths[name])
    if not narrow:
        return term
    return squeeze(x, narrow), [name for i, name in enumerate(names) if i not in narrow]


def _summed(term: Term, wanted: set[Label]) -> Term:
    """Without the labels that nobody asks for."""
    x, names = term
    axes = tuple(i for i, name in enumerate(names) if name not in wanted)
    return (sum(x, axes), [name for name in names if name in wanted]) if axes else term


def _ordered(x: Any, names: Sequence[Hashable], order: Sequence[Hashable]) -> Any:
    axes = tuple(names.index(name) for name in order)
    return x if axes == tuple(range(len(axes))) else permute_dims(x, axes)


def _product(a: Term, b: Term, wanted: set[Label]) -> Term:
    """Two terms multiplied, and summed over the labels that nobody else asks for."""
    x, xs = _summed(a, wanted | set(b[1]))
    y, ys = _summed(b, wanted | set(a[1]))
    both = [name for name in xs if name in ys]
    stacks = [name for name in both if name in wanted]
    inner = [name for name in both if name not in wanted]
    left = [name for name in xs if name not in both]
    right = [name for name in ys if name not in both]
    lengths = {**dict(zip(xs, x.shape, strict=True)), **dict(zip(ys, y.shape, strict=True))}

    def shaped(z: Any, names: list[Label], order: list[Label], *groups: list[Label]) -> Any:
        z = _ordered(z, names, order)
        shape = (*(lengths[n] for n in stacks), *(math.prod(lengths[n] for n in g) for g in groups))
        return z if tuple(z.shape) == shape else reshape(z, shape)

    x = shaped(x, xs, [*stacks, *left, *inner], left, inner)
    y = shaped(y, ys, [*stacks, *inner, *right], inner, right)
    z = matmul(x, y) if inner else mul(x, y)  # of one column and one row: what matmul would give
    names = [*stacks, *left, *right]
    shape = tuple(lengths[name] for name in names)
    return (z if tuple(z.shape) == shape else reshape(z, shape)), names
