"""Sums of products in Einstein's notation, beside NumPy's."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tensorgrad import Variable
from tensorgrad import functions as F
from tensorgrad.testing import assert_close, check_gradients


def numbers(*shape: int, seed: int = 0) -> Any:
    return np.random.default_rng(seed).normal(size=shape)


def on(backend: Any, array: Any) -> Variable:
    return Variable(backend.from_numpy(np.asarray(array)))


EINSUMS = [
    ("ij,jk", (2, 3), (3, 4)),
    ("ba,ca", (2, 3), (4, 3)),
    ("...", (2, 3)),
    ("ij...->...", (2, 3, 4)),
    ("...ii->...i", (2, 3, 3)),
    ("iii->i", (3, 3, 3)),
    ("iijj->j", (2, 2, 3, 3)),
    ("a...b,b...->...a", (2, 4, 3), (3, 1)),
    ("i...j,...j", (2, 3, 4), (3, 4)),
    ("ij,jk,kl,lm->im", (2, 3), (3, 4), (4, 2), (2, 5)),
    ("ij,ij,ij->", (2, 3), (2, 3), (2, 3)),
    ("a,b,c->cba", (2,), (3,), (4,)),
    ("ij,ij->ij", (1, 3), (2, 3)),
    ("ij,ij->", (1, 3), (2, 1)),
    ("abcd,cdef->abef", (2, 1, 3, 2), (3, 2, 2, 2)),
    ("bhqd,bhkd->bhqk", (2, 2, 3, 4), (2, 2, 5, 4)),
    (" i j , j k -> k i ", (2, 3), (3, 4)),
    ("ij,jk->", (0, 3), (3, 2)),
    ("ij,jk->ik", (2, 0), (0, 2)),
    (",ij,->ji", (), (2, 3), ()),
    ("Zz,z", (2, 3), (3,)),
]


@pytest.mark.parametrize("case", EINSUMS, ids=[c[0] for c in EINSUMS])
def test_einsum_gives_what_numpys_gives(backend, case):
    subscripts, *shapes = case
    arrays = [numbers(*shape, seed=i) for i, shape in enumerate(shapes)]
    y = F.einsum(subscripts, *(on(backend, a) for a in arrays))
    assert_close(y, np.asarray(np.einsum(subscripts, *arrays)), rtol=1e-12, atol=1e-13)
    constants = F.einsum(subscripts, *(backend.from_numpy(np.asarray(a)) for a in arrays))
    assert not constants.requires_grad
    assert_close(constants, y, rtol=0, atol=0)


@st.composite
def sums(draw: Any) -> tuple[str, list[tuple[int, ...]]]:
    """Subscripts that NumPy takes, and shapes that go with them."""
    lengths = dict(zip("abcd", draw(st.tuples(*[st.integers(1, 3)] * 4)), strict=True))
    terms = draw(st.lists(st.text("abcd", max_size=3), min_size=1, max_size=4))
    used = sorted({letter for term in terms for letter in term})
    out = "".join(draw(st.permutations(used)))[: draw(st.integers(0, len(used)))]
    arrow = draw(st.sampled_from(["", f"->{out}"]))
    return ",".join(terms) + arrow, [tuple(lengths[letter] for letter in term) for term in terms]


@given(sums())
@settings(max_examples=150, deadline=None)
def test_einsum_of_any_subscripts(case):
    subscripts, shapes = case
    arrays = [numbers(*shape, seed=i) for i, shape in enumerate(shapes)]
    y = F.einsum(subscripts, *map(Variable, arrays))
    assert_close(y, np.asarray(np.einsum(subscripts, *arrays)), rtol=1e-11, atol=1e-12)


@given(sums())
@settings(max_examples=20, deadline=None)
def test_gradients_of_any_subscripts(case):
    subscripts, shapes = case
    arrays = [numbers(*shape, seed=i) for i, shape in enumerate(shapes)]
    check_gradients(lambda *xs: F.einsum(subscripts, *xs), arrays, order=1, rtol=1e-4)


class Planner:
    """Stands for opt_einsum, with a path that takes three operands at once."""

    def __init__(self) -> None:
        self.asked: list[Any] = []

    def get_symbol(self, i: int) -> str:
        return chr(ord("a") + i)

    def contract_path(self, subscripts: str, *operands: Any, shapes: bool) -> Any:
        assert shapes
        self.asked.append((subscripts, *operands))
        return [(0, 1, 3), (0, 1)], None


def test_einsum_follows_the_path_that_opt_einsum_plans(backend, monkeypatch):
    planner = Planner()
    monkeypatch.setattr("tensorgrad.functions.contraction._planner", lambda: planner)
    shapes = [(2, 3), (3, 4), (2, 4), (4, 5)]
    arrays = [numbers(*s, seed=i) for i, s in enumerate(shapes)]
    xs = [on(backend, a) for a in arrays]
    y = F.einsum("ij,jk,ik,kl->il", *xs)
    assert_close(y, np.einsum("ij,jk,ik,kl->il", *arrays), rtol=1e-12)
    assert planner.asked == [("ab,bc,ac,cd->ad", *shapes)]
    F.einsum("ij,jk", *xs[:2])
    assert len(planner.asked) == 1  # two operands need no plan


def test_einsum_with_and_without_a_planner(backend, monkeypatch):
    """With opt_einsum where it is installed; the smallest products first without it."""
    arrays = [numbers(*s, seed=i) for i, s in enumerate([(2, 3, 4), (3, 5), (5, 2), (4, 4), (2,)])]
    subscripts = "a...,bc,ca,...d,a->...bd"
    arrays[0] = arrays[0][:, 0, :]
    xs = [on(backend, a) for a in arrays]
    want = np.einsum(subscripts.replace("...", "e"), *arrays)
    assert_close(F.einsum(subscripts, *xs[:3], xs[3], xs[4]), np.moveaxis(want, 0, 0), rtol=1e-12)
    monkeypatch.setattr("tensorgrad.functions.contraction._planner", lambda: None)
    assert_close(F.einsum(subscripts, *xs), want, rtol=1e-12)


def test_einsum_of_integers(backend):
    x = backend.from_numpy(np.arange(6).reshape(2, 3))
    assert_close(F.einsum("ij,kj->ik", x, x), np.arange(6).reshape(2, 3) @ np.arange(6).reshape(2, 3).T)


@pytest.mark.parametrize(
    ("subscripts", "shapes", "message"),
    [
        ("ij,jk", [(2, 3)], "one term for each operand; got 2 for 1 operands"),
        ("ij", [(2,)], "a letter for each axis, or '...'; got 'ij' for 1 axes"),
        ("i", [(2, 3)], "a letter for each axis, or '...'; got 'i' for 2 axes"),
        ("i1", [(2, 3)], "letters, '...', ',' and '->'; got 'i1'"),
        ("i->ii", [(2,)], "each letter once in the output; got 'ii'"),
        ("i->j", [(2,)], r"letters of the operands in the output; got \['j'\]"),
        ("...i->i", [(2, 3)], "'...' in the output"),
        ("ij,ij", [(2, 3), (2, 4)], r"one length for 'j'; got 3 and 4 in shapes \[\(2, 3\), \(2, 4\)\]"),
        ("...,...", [(2,), (3,)], "one length for '...'; got 2 and 3"),
    ],
)
def test_subscripts_that_do_not_fit(subscripts, shapes, message):
    with pytest.raises(
        ValueError, match=rf"einsum '{subscripts}': expected {message}".replace("...", r"\.\.\.")
    ):
        F.einsum(subscripts, *(np.zeros(s) for s in shapes))


def test_einsum_wants_text_first():
    with pytest.raises(TypeError, match="einsum: expected subscripts as text first; got ndarray"):
        F.einsum(np.zeros(2), "i")
