"""What every test gets: the backend under test, a fixed seed, and a check that nothing leaks.

``TENSORGRAD_TEST_BACKENDS`` names the backends (a comma list, ``numpy`` by default). One that does
not load is a failure: a backend that was asked for is never skipped. Where NumPy is not among them, only
tests that meet those backends are run: the others would show again what they show with NumPy.
"""

from __future__ import annotations

import gc
import os
import re
import warnings
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import op_coverage
from under_test import BACKENDS

# Gradients are checked in float64, which JAX has only when asked before it is imported.
os.environ.setdefault("JAX_ENABLE_X64", "1")

if os.environ.get("TENSORGRAD_CUPY_DOUBLE"):  # before anything imports CuPy
    from cuda_double import modules

    modules.install()

pytest_configure = op_coverage.register


@pytest.fixture(scope="module", params=BACKENDS)
def backend(request: pytest.FixtureRequest) -> Any:
    """Each backend under test in turn."""
    from tensorgrad.backend import get_backend

    return get_backend(request.param)


@pytest.fixture(scope="module")
def xp(backend: Any) -> Any:
    """The Array API namespace of the backend under test."""
    return backend.xp


@pytest.fixture(params=["float16", "bfloat16"])
def half(request: pytest.FixtureRequest, backend: Any) -> str:
    """Each dtype of half precision that the backend under test has."""
    name: str = request.param
    if not hasattr(backend.xp, name):
        pytest.skip(f"{backend.name} has no {name}")
    return name


# -- nothing leaks -------------------------------------------------------------------------------

_HIDDEN = [0]  # objects, when the garbage collector last searched them all


@pytest.fixture(scope="module", autouse=True)
def _what_was_frozen_thaws() -> Iterator[None]:
    """Give back to the garbage collector what tests hid from it, once that has grown by half.

    It then searches all there is, which with PyTorch takes longer than the tests of most modules.
    """
    yield
    if gc.get_freeze_count() > 1.5 * _HIDDEN[0]:
        gc.unfreeze()
        gc.collect()
        gc.freeze()
        _HIDDEN[0] = gc.get_freeze_count()


@pytest.fixture(autouse=True)
def _seed() -> None:
    from tensorgrad import randomness

    randomness.use(None)  # whatever a test before it has seeded
    np.random.seed(0)  # noqa: NPY002  # the state that users of the book seed


@pytest.fixture(autouse=True)
def _no_leaked_configuration() -> Iterator[None]:
    """Fail a test that leaves another configuration than it found."""
    from tensorgrad.core.config import STATE

    before = STATE.get()
    yield
    after = STATE.get()
    if after != before:
        STATE.set(before)
        pytest.fail(f"the test leaked its configuration: {after}, before it {before}")


@pytest.fixture(autouse=True)
def _no_reference_cycle() -> Iterator[None]:
    """Fail a test after which only the garbage collector could free something of tensorgrad's."""
    gc.collect()
    gc.freeze()  # what is there before need not be searched: a collection takes no time then
    gc.disable()
    yield
    gc.set_debug(gc.DEBUG_SAVEALL)
    try:
        gc.collect()
        cycle = tensorgrad_cycle(gc.garbage)
    finally:
        gc.set_debug(0)
        gc.garbage.clear()
        gc.enable()
    if cycle:
        pytest.fail(f"the test left a reference cycle: {' -> '.join(cycle)}")


def tensorgrad_cycle(garbage: list[Any]) -> list[str]:
    """The types along one reference cycle among `garbage` on which an object of the graph lies.

    Garbage that a cycle merely refers to is no fault of the graph's: the frame of a test with
    ``pytest.raises(...) as e`` is a cycle, and its local Variables are garbage with it.
    """
    from tensorgrad.core import Function, Variable
    from tensorgrad.core.node import Leaf

    kinds = {id(x): type(x) for x in garbage}
    below = {id(x): [id(y) for y in gc.get_referents(x) if id(y) in kinds] for x in garbage}
    for i in _on_no_cycle(below):
        del below[i]
    for start in [i for i in below if issubclass(kinds[i], Variable | Function | Leaf)]:
        came_from: dict[int, int] = {}
        stack = [start]
        while stack and start not in came_from:
            here = stack.pop()
            for i in below[here]:
                if i in below and i not in came_from:
                    came_from[i] = here
                    stack.append(i)
        if start in came_from:
            path = [start, came_from[start]]
            while path[-1] != start:
                path.append(came_from[path[-1]])
            return [kinds[i].__name__ for i in reversed(path)]
        del below[start]  # no way leads back here, so none leads through here either
    return []


def _on_no_cycle(below: dict[int, list[int]]) -> list[int]:
    """The objects from which no way leads to a cycle: most of them, found in linear time."""
    above: dict[int, list[int]] = {i: [] for i in below}
    for i, referents in below.items():
        for j in referents:
            above[j].append(i)
    left = {i: len(referents) for i, referents in below.items()}
    peeled = [i for i, n in left.items() if n == 0]
    for i in peeled:  # grows while it is read
        for j in above[i]:
            left[j] -= 1
            if left[j] == 0:
                peeled.append(j)
    return peeled


# -- tests that need a device --------------------------------------------------------------------


def why_no_device() -> str | None:
    """Why no CUDA device can be used here, or None if one can."""
    if os.environ.get("TENSORGRAD_CUPY_DOUBLE"):
        return "the double of CuPy stands in its place"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # CuPy warns when it finds no CUDA
        try:
            from cupy.cuda import runtime
        except ImportError as error:
            return f"CuPy does not import ({error})"
        try:
            found = runtime.getDeviceCount()
        except runtime.CUDARuntimeError as error:
            return f"CUDA reports {error}"
    return None if found else "there is no CUDA device"


def meets_the_backends(item: pytest.Item) -> bool:
    """Whether the result of a test may be another on the backends under test than on NumPy.

    So it may where it takes one of them, and where its module names one.
    """
    if not isinstance(item, pytest.Function) or any(map(item.get_closest_marker, ("cuda", "gpu"))):
        return True
    names = {"BACKENDS", *BACKENDS}
    return "backend" in item.fixturenames or not names.isdisjoint(_words_of(item.path))


@cache
def _words_of(path: Path) -> frozenset[str]:
    return frozenset(re.findall(r"\w+", path.read_text(encoding="utf-8")))


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if "numpy" not in BACKENDS:
        left_out = [item for item in items if not meets_the_backends(item)]
        items[:] = [item for item in items if meets_the_backends(item)]
        config.hook.pytest_deselected(items=left_out)
    on_device = [item for item in items if item.get_closest_marker("gpu")]
    reason = why_no_device() if on_device else None
    if reason is not None:
        for item in on_device:
            item.add_marker(pytest.mark.skip(reason=reason))


def pytest_terminal_summary(terminalreporter: Any) -> None:
    skipped = [r for r in terminalreporter.stats.get("skipped", []) if "gpu" in getattr(r, "keywords", ())]
    if skipped:
        reason = skipped[0].longrepr[2].removeprefix("Skipped: ")
        terminalreporter.write_line(f"{len(skipped)} device tests not run: {reason}")
        for report in skipped:
            terminalreporter.write_line(f"  {report.nodeid}")


# -- inputs --------------------------------------------------------------------------------------


@pytest.fixture
def var(backend: Any) -> Any:
    """Make a Variable of numbers on the backend under test: ``var(2.0)``, ``var([1, 2], int)``."""
    from tensorgrad import Variable

    def make(values: Any, dtype: Any = np.float64, **settings: Any) -> Variable:
        return Variable(backend.from_numpy(np.array(values, dtype=dtype)), **settings)

    return make
