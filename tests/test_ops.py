"""The table test: every public function x its samples x every backend x dtype."""

from __future__ import annotations

import os
from collections.abc import Iterator
from types import ModuleType
from typing import Any
from weakref import ref

import numpy as np
import pytest

import tensorgrad as tg
from complex_references import COMPLEX, THROUGH
from gaps import expect_gap
from references import REFERENCES
from tensorgrad import functions as F
from tensorgrad.backend import Backend, get_backend, is_array, loaded_backends
from tensorgrad.core import Function, Op, Variable
from tensorgrad.core.engine import gradients
from tensorgrad.core.node import Leaf
from tensorgrad.testing import assert_close, check_gradients, make_arrays
from tensorgrad.testing.arrays import to_numpy
from under_test import BACKENDS

# Public names that are no op, each with the reason why it has no samples.
NO_OPS: dict[str, str] = dict.fromkeys(
    ("allgather", "allreduce", "alltoall", "bcast", "recv", "reduce_scatter", "replicate", "send"),
    "they take a communicator: tests/mpi/test_ranks_collectives.py, on several ranks too",
)

GIVE_THE_DTYPE_ASKED_FOR = {"astype"}

# Without a gradient no vectors are computed, and the library finds the values in another way.
ROUND_OTHERWISE_WITHOUT_GRADIENT = {"eigvals", "eigvalsh", "svdvals", "matrix_norm"}

PUBLIC = {
    name: f
    for name, f in ((name, getattr(F, name)) for name in dir(F))
    if not name.startswith("_") and not isinstance(f, ModuleType) and name not in NO_OPS
    if getattr(f, "__module__", "").startswith("tensorgrad.functions")  # not what it needs itself
}
CASES = [(name, number) for name, f in PUBLIC.items() for number in range(len(getattr(f, "__samples__", ())))]
DIFFERENTIABLE = [(name, n) for name, n in CASES if PUBLIC[name].__samples__[n].differentiable]
if os.environ.get("TENSORGRAD_TEST_SAMPLES") == "first":  # where all of them take a quarter of an hour
    firsts = {name: (name, n) for name, n in reversed(CASES)}
    DIFFERENTIABLE = list({name: (name, n) for name, n in reversed(DIFFERENTIABLE)}.values())
    CASES = list(dict.fromkeys([*firsts.values(), *DIFFERENTIABLE]))

# The first of them: the formulas are the same for all shapes, and complex numbers take twice the time.
COMPLEX_CASES = [(name, n) for name, n in DIFFERENTIABLE if name in COMPLEX and n < 3]

every_sample = pytest.mark.parametrize(("name", "number"), CASES)
every_differentiable_sample = pytest.mark.parametrize(("name", "number"), DIFFERENTIABLE)
on_numpy = pytest.mark.skipif("numpy" not in BACKENDS, reason="seen on NumPy, which is not under test")
every_dtype = pytest.mark.parametrize("dtype", ["float64", "float32"])

NUMPY = get_backend("numpy")


# -- helpers -------------------------------------------------------------------------------------


def same_draws(seed: int) -> None:
    np.random.seed(seed)  # noqa: NPY002  # the state that the library draws from
    for backend in loaded_backends():  # and on a device that of its library
        backend.seed(seed)


@pytest.fixture
def alike(backend: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a library draws its own numbers, they are those of every dtype, and of the references."""
    if type(backend).uniform is Backend.uniform:
        return
    xp, plain = backend.xp, backend.uniform

    def uniform(shape: tuple[int, ...], dtype: Any, device: Any = None) -> Any:
        return xp.astype(plain(shape, xp.float64, device), dtype)

    monkeypatch.setattr(backend, "uniform", uniform)
    monkeypatch.setattr(np.random, "random_sample", lambda shape: to_numpy(plain(shape, xp.float64)))


def call(name: str, number: int, args: list[Any], through: Any = None) -> list[Variable]:
    """The outputs of a public function at a sample, with the same random numbers every time."""
    sample = PUBLIC[name].__samples__[number]
    if sample.random:
        same_draws(number)
    ys = PUBLIC[name](*args, **sample.kwargs)
    if through := through or sample.through:
        ys = through(*(ys if isinstance(ys, list | tuple) else (ys,)))
    return list(ys) if isinstance(ys, list | tuple) else [ys]


def arguments(name: str, number: int, backend: Any, dtype: str = "float64") -> list[Any]:
    return make_arrays(PUBLIC[name].__samples__[number], backend, dtype, seed=number)


def draws_on_its_own(backend: Any, name: str, number: int) -> bool:
    """Whether the random numbers of a sample are not those that NumPy has."""
    return type(backend).uniform is not Backend.uniform and PUBLIC[name].__samples__[number].random


def mapped(function: Any, args: Any) -> Any:
    """The arguments with `function` applied to their Variables and arrays."""
    if isinstance(args, list):
        return [mapped(function, x) for x in args]
    return function(args) if isinstance(args, Variable) or is_array(args) else args


def variables(args: Any) -> list[Variable]:
    found = []
    for x in args:
        if isinstance(x, list):
            found += variables(x)
        elif isinstance(x, Variable):
            found.append(x)
    return found


def arrays_in(items: Any) -> list[Any]:
    """Every array in nested containers, that of a Variable too."""
    if isinstance(items, dict):
        items = list(items.values())
    if isinstance(items, list | tuple):
        return [a for x in items for a in arrays_in(x)]
    array = items.data if isinstance(items, Variable) else items
    return [array] if is_array(array) else []


def host(x: Any) -> Any:
    """A copy for NumPy, in float64 if it is floating."""
    array = to_numpy(x)
    return np.array(array, dtype=np.float64 if array.dtype.kind == "f" else array.dtype)


def weighted_sum(ys: list[Variable]) -> Variable:
    """One number of all outputs, with other weights for each element, which have gradients too."""
    rng = np.random.default_rng(0)
    total = None
    for y in ys:
        weights = np.asarray(rng.uniform(0.5, 1.5, y.shape), dtype=to_numpy(y).dtype)
        if y.requires_grad:
            term = (y * Variable(y.backend.from_numpy(weights))).sum()
            total = term if total is None else total + term
    assert total is not None, "no output requires a gradient"
    return total


def nodes_above(*ys: Variable) -> list[Function]:
    """The functions that Variables were computed with."""
    stack = [y.creator for y in ys if y.creator is not None]
    seen = dict.fromkeys(stack)
    while stack:
        for edge in stack.pop().edges:
            if edge is not None and not isinstance(edge[0], Leaf) and edge[0] not in seen:
                seen[edge[0]] = None
                stack.append(edge[0])
    return list(seen)


# -- nothing is left out -------------------------------------------------------------------------


@pytest.mark.parametrize("name", PUBLIC)
def test_every_public_function_has_samples(name):
    assert getattr(PUBLIC[name], "__samples__", ()), (
        f"functions.{name} has no samples: decorate it with @samples(...), or list it in NO_OPS "
        "with the reason"
    )


@pytest.mark.parametrize("name", PUBLIC)
def test_every_public_function_has_a_reference(name):
    assert name in REFERENCES, f"no module of tests/references has a reference for {name!r}"


def test_the_tables_name_nothing_that_is_gone():
    assert [name for name in REFERENCES if name not in PUBLIC] == []
    assert [name for name in NO_OPS if not hasattr(F, name)] == []


def all_ops() -> list[type[Op]]:
    """The classes of ops that tensorgrad.functions brings; not those that only have subclasses."""
    found, stack = [], [Op]
    while stack:
        subclasses = stack.pop().__subclasses__()
        stack += subclasses
        found += [c for c in subclasses if not c.__subclasses__()]
    without_samples = {getattr(F, name).__module__ for name in NO_OPS}
    found = [c for c in found if c.__module__.startswith("tensorgrad.functions")]
    return [c for c in found if c.__module__ not in without_samples]


@on_numpy
def test_every_op_is_reached_by_a_sample():
    """Also those that are only met in the backward of another, or in the backward of that."""
    reached = set()
    for name, number in DIFFERENTIABLE:
        args = arguments(name, number, NUMPY)
        ys = call(name, number, args)
        for _ in range(3):
            reached |= {type(node) for node in nodes_above(*ys)}
            if not any(y.requires_grad for y in ys):
                break
            weighted_sum(ys).backward(create_graph=True)
            ys = [x.grad for x in variables(args) if x.grad is not None]
            for x in variables(args):
                x.cleargrad()
    assert [c.__qualname__ for c in all_ops() if c not in reached] == []


# -- values --------------------------------------------------------------------------------------


@every_dtype
@every_sample
@pytest.mark.usefixtures("alike")
def test_forward(request, backend, name, number, dtype):
    expect_gap(request, backend.name, f"forward/{name}/{number}/{dtype}")
    args = arguments(name, number, backend, dtype)
    on_host = mapped(host, args)
    same_draws(number)
    want = REFERENCES[name](*on_host, **PUBLIC[name].__samples__[number].kwargs)
    if PUBLIC[name].__samples__[number].through is not None:
        many = want if isinstance(want, list | tuple) else (want,)
        want = PUBLIC[name].__samples__[number].through(*many)
    want = list(want) if isinstance(want, list | tuple) else [want]

    ys = call(name, number, args)
    assert len(ys) == len(want)
    for i, (y, expected) in enumerate(zip(ys, want, strict=True)):
        assert isinstance(y, Variable)
        assert isinstance(y.data, backend.array_types)
        asked_for = name in GIVE_THE_DTYPE_ASKED_FOR or "dtype" in PUBLIC[name].__samples__[number].kwargs
        check_value(y, np.asarray(expected), None if asked_for else dtype, f"{name}, output {i}")

    raw = call(name, number, mapped(lambda x: x.data if isinstance(x, Variable) else x, args))
    for y, z in zip(ys, raw, strict=True):
        assert not z.requires_grad
        exact = None if name in ROUND_OTHERWISE_WITHOUT_GRADIENT else 0.0  # None: a few roundings
        assert_close(z, y, rtol=exact, atol=exact, what=f"{name} of raw arrays")
    for before, x in zip(variables_of(on_host), variables(args), strict=True):
        assert_close(host(x), before, rtol=0, atol=0, what="the input after the call")


def variables_of(on_host: Any) -> list[Any]:
    """The arrays of `on_host` that stand for Variables: the floating ones."""
    found = []
    for x in on_host:
        if isinstance(x, list):
            found += variables_of(x)
        elif isinstance(x, np.ndarray) and x.dtype.kind == "f":
            found.append(x)
    return found


def check_value(y: Variable, expected: Any, dtype: str | None, what: str) -> None:
    """The reference was computed in float64; the result has the dtype of the inputs, if one is given."""
    got = to_numpy(y)
    if expected.dtype == np.float64 and dtype is not None:
        expected = expected.astype(dtype)
    elif expected.dtype.kind in "iu" and got.dtype.kind in "iu":  # each library has its own index type
        expected = expected.astype(got.dtype)
    tolerance = 1e-5 if np.float32 in (got.dtype, dtype) else 1e-11
    assert_close(got, expected, rtol=tolerance, atol=tolerance, what=what)


# -- gradients -----------------------------------------------------------------------------------


def floating(ys: list[Variable]) -> list[Variable]:
    return [y for y in ys if y.backend.is_floating(y.dtype)]


def derivatives(f: Any, args: list[Any]) -> dict[str, list[Any]]:
    """The gradients of `f`, by a backward that is recorded and by one that is not, and theirs in turn."""
    rng = np.random.default_rng(0)

    def cotangents(ys: list[Variable]) -> list[Variable]:
        return [Variable(y.backend.from_numpy(rng.uniform(0.5, 1.5, y.shape))) for y in ys]

    xs = variables(args)
    ys = floating(f(*args))
    gys = cotangents(ys)
    plain = gradients(ys, xs, gys, create_graph=False)
    recorded = gradients(floating(f(*args)), xs, gys, create_graph=True)
    gxs = [gx for gx in recorded if gx is not None]
    second = gradients(gxs, [*xs, *gys], cotangents(gxs), create_graph=False)
    return {"gradient": plain, "recorded gradient": recorded, "second gradient": second}


def check_derivatives(f: Any, args_on: Any, backend: Any, *, own_draws: bool = False) -> None:
    """Gradients to second order: NumPy's against differences, those of another library against NumPy's.

    One that draws random numbers of its own has no others beside it: differences again.
    """
    if backend.name == "numpy" or own_draws:
        check_gradients(f, args_on(backend))
        return
    numpys = derivatives(f, args_on(NUMPY))
    for order, found in derivatives(f, args_on(backend)).items():
        for i, (got, want) in enumerate(zip(found, numpys[order], strict=True)):
            what = f"{order} {i}, against NumPy's"
            if got is None or want is None:  # one library may have zeros where another has nothing
                there = [to_numpy(g) for g in (got, want) if g is not None]
                assert not any(g.any() for g in there), what
            else:
                assert_close(got, want, rtol=1e-7, atol=1e-8, what=what)


@every_differentiable_sample
def test_gradients_to_second_order(request, backend, name, number):
    expect_gap(request, backend.name, f"gradients/{name}/{number}/float64")
    check_derivatives(
        lambda *args: call(name, number, list(args)),
        lambda owner: arguments(name, number, owner),
        backend,
        own_draws=draws_on_its_own(backend, name, number),
    )


@every_differentiable_sample
@pytest.mark.usefixtures("alike")
def test_gradients_in_float32(request, backend, name, number):
    expect_gap(request, backend.name, f"gradients/{name}/{number}/float32")
    args = arguments(name, number, backend, "float32")
    owner = backend if draws_on_its_own(backend, name, number) else NUMPY
    wide = mapped(
        lambda x: Variable(owner.from_numpy(host(x))) if isinstance(x, Variable) else x,
        arguments(name, number, owner, "float32"),
    )
    weighted_sum(call(name, number, args)).backward()
    weighted_sum(call(name, number, wide)).backward()
    for i, (x, v) in enumerate(zip(variables(args), variables(wide), strict=True)):
        assert (x.grad is None) == (v.grad is None)
        if x.grad is not None:
            want = to_numpy(v.grad).astype(np.float32)
            assert_close(x.grad, want, rtol=1e-4, atol=1e-4, what=f"gradient of input {i}")


@pytest.mark.parametrize(("name", "number"), [c for c in CASES if c not in DIFFERENTIABLE])
def test_what_is_not_differentiable_records_nothing(backend, name, number):
    ys = call(name, number, arguments(name, number, backend))
    assert not any(y.requires_grad for y in ys)


# -- complex numbers -----------------------------------------------------------------------------


def test_what_takes_complex_numbers_is_in_the_table():
    assert [name for name in (*COMPLEX, *THROUGH) if name not in PUBLIC] == []


@pytest.mark.parametrize(("name", "number"), COMPLEX_CASES)
def test_complex_numbers(request, backend, name, number):
    """The value, and the derivatives to second order, of the real parts and the imaginary parts."""
    expect_gap(request, backend.name, f"complex/{name}/{number}")
    sample = PUBLIC[name].__samples__[number]
    through = THROUGH.get(name) or sample.through
    args = make_arrays(sample, backend, "complex128", seed=number)
    want = COMPLEX[name](*mapped(host, args), **sample.kwargs)
    want = list(want) if isinstance(want, list | tuple) else [want]
    if through is not None:
        want = list(through(*want))
    ys = call(name, number, args, through)
    for i, (y, expected) in enumerate(zip(ys, want, strict=True)):
        assert_close(y, to_numpy(expected), rtol=1e-10, atol=1e-10, what=f"{name}, output {i}")

    def of_parts(re: list[Any], im: list[Any]) -> list[Variable]:
        owner = variables([re, im])[0].backend
        args = make_arrays(sample, owner, "complex128", seed=number)
        ys = call(name, number, joined(args, iter(re), iter(im)), through)
        return [z for y in ys for z in ([F.real(y), F.imag(y)] if owner.is_complex(y.dtype) else [y])]

    def parts_on(owner: Any) -> list[Any]:
        on_host = [host(x) for x in variables(make_arrays(sample, owner, "complex128", seed=number))]
        return [[Variable(owner.from_numpy(getattr(x, part))) for x in on_host] for part in ("real", "imag")]

    check_derivatives(of_parts, parts_on, backend)


def joined(args: list[Any], re: Iterator[Variable], im: Iterator[Variable]) -> list[Any]:
    """The arguments with complex numbers of new parts in the place of their Variables."""
    return mapped(lambda x: next(re) + 1j * next(im) if isinstance(x, Variable) else x, args)


# -- memory, seen on NumPy -----------------------------------------------------------------------


class Spy:
    """What the backward of each op was given and what it returned."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, ys: list[Variable]) -> None:
        self.seen: list[tuple[Function, tuple[Any, ...], tuple[Any, ...]]] = []
        for op in {type(node) for node in nodes_above(*ys)}:
            monkeypatch.setattr(op, "backward", self._watched(op.backward))

    def _watched(self, backward: Any) -> Any:
        def watched(node: Function, *gys: Any) -> Any:
            gxs = backward(node, *gys)
            self.seen.append((node, gys, gxs if isinstance(gxs, tuple) else (gxs,)))
            return gxs

        return watched


@on_numpy
@every_differentiable_sample
def test_no_gradient_that_nobody_asked_for(monkeypatch, name, number):
    inputs = variables(arguments(name, number, NUMPY))
    for wanted in range(len(inputs)):
        args = arguments(name, number, NUMPY)
        for i, x in enumerate(variables(args)):
            x.requires_grad = i == wanted
        ys = call(name, number, args)
        if not any(y.requires_grad for y in ys):
            continue
        with monkeypatch.context() as patched:
            spy = Spy(patched, ys)
            weighted_sum(ys).backward(retain_graph=True)
        for node, gys, gxs in spy.seen:
            for i, (edge, gx) in enumerate(zip(node.edges, gxs, strict=True)):
                free = gx is None or any(gx is gy for gy in gys)  # passed on: no work was done
                assert edge is not None or free, f"{node!r} computed the gradient of input {i}"


@on_numpy
@every_differentiable_sample
def test_fresh_gradients_share_no_memory(monkeypatch, name, number):
    args = arguments(name, number, NUMPY)
    ys = call(name, number, args)
    total = weighted_sum(ys)
    spy = Spy(monkeypatch, ys)
    saved = {node: [*(node.saved or ()), *node.kept] for node in nodes_above(total)}
    total.backward()
    values = [x.data for x in (*variables(args), *ys)]
    for node, gys, gxs in spy.seen:
        if not getattr(node, "fresh", False):
            continue
        arrays = [g for g in gxs if isinstance(g, np.ndarray)]
        for i, g in enumerate(arrays):
            for other in (*gys, *saved[node], *values, *arrays[:i]):
                shared = isinstance(other, np.ndarray) and np.may_share_memory(g, other)
                assert not shared, f"{node!r} is declared fresh, but returns memory in use"


@on_numpy
@every_differentiable_sample
def test_what_was_saved_is_freed_by_the_backward(name, number):
    args = arguments(name, number, NUMPY)
    ys = call(name, number, args)
    nodes = nodes_above(*ys)
    sample = PUBLIC[name].__samples__[number]
    outside = [*arrays_in([args, sample.args, sample.kwargs]), *(y.data for y in ys)]
    held = [a for node in nodes for a in (*(node.saved or ()), *node.kept) if is_array(a)]
    held = [ref(a) for a in held if not any(a is b for b in outside)]
    weighted_sum(ys).backward()
    for node in nodes:
        assert not node.saved
        assert node.kept == ()
        attributes = {k: v for k, v in vars(node).items() if is_array(v) or isinstance(v, Variable)}
        assert not attributes, f"{node!r} keeps {list(attributes)} where no backward can free them"
    assert [a() for a in held if a() is not None] == []


def test_the_samples_are_drawn_alike_on_every_backend(backend):
    sample = tg.core.sample.Sample(tg.core.sample.Real((2, 3)), tg.core.sample.Ints((4,), 3))
    for ours, numpys in zip(make_arrays(sample, backend), make_arrays(sample), strict=True):
        assert_close(ours, numpys, rtol=0, atol=0)


@pytest.mark.skipif("jax" not in BACKENDS, reason="JAX is not under test")
def test_nothing_looks_at_values_while_jax_traces():
    """Every op and its backward, at a sample each, with indices and labels traced as well."""
    jax = pytest.importorskip("jax")
    backend = get_backend("jax")
    firsts = {name: (name, n) for name, n in reversed(CASES)} | {
        name: (name, n) for name, n in reversed(DIFFERENTIABLE)
    }
    assert len(firsts) > 250
    for name, number in firsts.values():
        args: list[Any] = arguments(name, number, backend)
        given: list[Any] = []
        mapped(given.append, args)

        def traced(arrays, name=name, number=number, args=args):
            left, leaves = iter(arrays), []

            def placed(original):
                array = next(left)
                if not isinstance(original, Variable):
                    return array
                leaves.append(Variable(array, requires_grad=original.requires_grad))
                return leaves[-1]

            ys = call(name, number, mapped(placed, args))
            for y in ys:
                if isinstance(y, Variable) and y.requires_grad:
                    y.backward(retain_graph=True)
            grads = [v.grad.data for v in leaves if v.grad is not None]
            return [y.data if isinstance(y, Variable) else y for y in ys], grads

        try:
            jax.make_jaxpr(traced)([x.data if isinstance(x, Variable) else x for x in given])
        except jax.errors.JAXTypeError as error:
            pytest.fail(f"{name}, sample {number}: {error}")
