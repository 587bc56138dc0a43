"""The default backend: who sets it, who sees it, what follows it; the standard's names in `tensorgrad`."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import tensorgrad as tg
import tensorgrad.functions as F
from tensorgrad import Variable
from tensorgrad.backend import BackendUnavailableError, get_backend
from tensorgrad.core import default
from tensorgrad.functions import toplevel
from tensorgrad.functions.namespace import STANDARD
from tensorgrad.testing import assert_close

STRICT = "array_api_strict"


@pytest.fixture(autouse=True)
def _numpy_again() -> Iterator[None]:
    tg.set_default_backend("numpy")
    yield
    tg.set_default_backend("numpy")


def made_on() -> str:
    return tg.zeros(2).backend.name


# -- who sets it, and who sees it ------------------------------------------------------------------------


def test_numpy_is_the_default():
    assert tg.get_default_backend() == "numpy"
    assert made_on() == "numpy"


def test_the_default_of_the_process():
    tg.set_default_backend(STRICT)
    assert tg.get_default_backend() == STRICT
    seen = []
    thread = threading.Thread(target=lambda: seen.append(made_on()))
    thread.start()
    thread.join()
    assert seen == [STRICT]


def test_a_backend_does_for_its_name():
    tg.set_default_backend(get_backend(STRICT))
    assert tg.get_default_backend() == STRICT
    with tg.using_backend(get_backend("numpy")):
        assert tg.get_default_backend() == "numpy"


def test_a_block_goes_before_the_process():
    with tg.using_backend(STRICT):
        assert made_on() == STRICT
        with tg.using_backend("numpy"):
            assert made_on() == "numpy"
        tg.set_default_backend("numpy")
        assert made_on() == STRICT
    assert made_on() == "numpy"


def test_a_block_ends_with_an_error_too():
    with pytest.raises(ZeroDivisionError), tg.using_backend(STRICT):
        _ = 1 / 0
    assert made_on() == "numpy"


def test_a_block_can_be_entered_again():
    block = tg.using_backend(STRICT)
    with block:
        with block:
            assert made_on() == STRICT
        assert made_on() == STRICT
    assert made_on() == "numpy"


def test_a_decorator():
    @tg.using_backend(STRICT)
    def deep(n: int) -> list[str]:
        return [made_on(), *(deep(n - 1) if n else [])]

    assert deep(2) == [STRICT] * 3
    assert made_on() == "numpy"


def test_threads_do_not_see_each_others_blocks():
    seen = []
    with tg.using_backend(STRICT):
        thread = threading.Thread(target=lambda: seen.append(made_on()))
        thread.start()
        thread.join()
    assert seen == ["numpy"]


def test_async_tasks_do_not_see_each_others_blocks():
    async def task(name: str) -> str:
        with tg.using_backend(name):
            await asyncio.sleep(0)
            return made_on()

    async def both() -> list[str]:
        return await asyncio.gather(task(STRICT), task("numpy"), task(STRICT))

    assert asyncio.run(both()) == [STRICT, "numpy", STRICT]


def test_unknown_names_are_refused_and_change_nothing():
    for choose in (tg.set_default_backend, tg.using_backend):
        with pytest.raises(LookupError, match="no backend is named 'nunpy'; there are: numpy, "):
            choose("nunpy")
    assert tg.get_default_backend() == "numpy"


def test_a_library_that_is_missing_is_said_at_once(monkeypatch):
    def absent(name: Any) -> Any:
        raise BackendUnavailableError(f"backend {name!r}: it is not installed")

    monkeypatch.setattr(default, "get_backend", absent)
    with pytest.raises(BackendUnavailableError, match="'torch': it is not installed"):
        tg.set_default_backend("torch")


# -- the environment variable ----------------------------------------------------------------------------


def in_a_new_process(code: str, **env: str) -> Any:
    done = subprocess.run(
        [sys.executable, "-c", f"import tensorgrad as tg\n{code}\nimport json\nprint(json.dumps(found))"],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **env},
    )
    return json.loads(done.stdout) if done.returncode == 0 else done.stderr


def test_the_environment_variable_sets_the_first_default():
    code = "found = [tg.get_default_backend(), tg.zeros(2).backend.name]"
    assert in_a_new_process(code, TENSORGRAD_BACKEND=STRICT) == [STRICT, STRICT]
    assert in_a_new_process(code, TENSORGRAD_BACKEND="") == ["numpy", "numpy"]
    assert in_a_new_process("tg.set_default_backend('numpy')\n" + code, TENSORGRAD_BACKEND=STRICT) == [
        "numpy",
        "numpy",
    ]


def test_the_environment_variable_imports_nothing_before_it_is_needed():
    code = """
import sys
found = ["array_api_strict" in sys.modules]
tg.zeros(1)
found += ["array_api_strict" in sys.modules]
"""
    assert in_a_new_process(code, TENSORGRAD_BACKEND=STRICT) == [False, True]


def test_a_wrong_environment_variable_is_named():
    said = in_a_new_process("found = tg.zeros(2).backend.name", TENSORGRAD_BACKEND="nunpy")
    assert "LookupError: no backend is named 'nunpy'" in said
    assert "The environment variable TENSORGRAD_BACKEND asks for it." in said


# -- what follows it -------------------------------------------------------------------------------------


def test_creation_follows_it(backend):
    with tg.using_backend(backend):
        made = [
            tg.zeros((2, 3)),
            tg.ones(2, dtype=tg.float32),
            tg.full((2,), 1.5),
            tg.arange(3),
            tg.linspace(0.0, 1.0, 3),
            tg.eye(2),
            tg.empty(1),
            tg.asarray([1.0, 2.0]),
            tg.asarray(2.0),
            tg.asarray(np.asarray([1.0])),
            tg.fft.fftfreq(4),
        ]
        assert all(v.dtype == tg.float32 for v in made[1:2])
    for v in made:
        assert isinstance(v, Variable)
        assert v.backend is backend
        assert not v.requires_grad


def test_a_name_that_was_imported_follows_it(backend):
    from tensorgrad import asarray, isdtype, zeros

    with tg.using_backend(backend):
        assert zeros(2).backend is backend
        assert asarray([1.0]).backend is backend
        assert isdtype(tg.float64, "real floating")
    assert zeros(2).backend.name == "numpy"


def test_numbers_follow_it(backend):
    with tg.using_backend(backend):
        y = F.exp(1.0)
        z = F.add(1, 2)
        w = F.exp(np.float32(1.0))
    assert y.backend is z.backend is w.backend is backend
    assert_close(y, np.e)
    assert (int(z), str(w.dtype).rpartition(".")[2]) == (3, "float32")


def test_arrays_and_what_is_computed_from_them_stay_where_they_are(backend):
    x = Variable(backend.from_numpy(np.asarray([0.5, 2.5])))
    for name in ("numpy", STRICT):
        with tg.using_backend(name):
            made = [
                *(tg.exp(x), tg.floor(x), tg.zeros_like(x), tg.full_like(x, 2.0), tg.where(x > 1, x, 0.0)),
                *(tg.asarray(x), tg.copysign(tg.stop_gradient(x), -1.0), tg.sort(x), x + 1.0),
                *(tg.asarray([x[0], x[1]]), tg.unique_values(x), tg.nonzero(x)[0], tg.linalg.vecdot(x, x)),
            ]
            assert tg.finfo(x).eps == 2.0**-52
            assert tg.isdtype(x.dtype, "real floating")
            assert tg.result_type(x, 1.0) == x.dtype
        assert [v.backend.name for v in made] == [backend.name] * len(made)
    array = np.asarray([1.0])
    with tg.using_backend(STRICT):
        assert Variable(array).backend.name == "numpy"
        assert tg.as_array(array) is array


def test_arrays_of_other_libraries_are_not_moved():
    for name in (STRICT, "numpy"):
        array = get_backend(name).xp.asarray([1.0])
        with tg.using_backend("numpy"):
            assert tg.asarray(array).backend.name == name


# -- the standard's names --------------------------------------------------------------------------------


def test_tensorgrad_has_the_names_of_the_standard(backend):
    with tg.using_backend(backend):
        there = {name for name in STANDARD if hasattr(tg, name)}
        assert there == {name for name in STANDARD if hasattr(toplevel.default_namespace(), name)}
        assert there <= set(dir(tg))
    assert {"exp", "permute_dims", "zeros", "linalg", "fft", "float32", "pi", "isdtype", "sum"} <= there
    assert tg.__array_api_version__ == "2025.12"
    assert tg.__array_namespace_info__().default_device() == "cpu"


def test_names_that_were_there_keep_their_meaning():
    assert tg.functions is F
    assert tg.Variable is Variable
    assert tg.using_config("train", True)
    modules = {"fft", "special"}  # of tensorgrad, with the functions of the extension of that name
    assert STANDARD & vars(tg).keys() <= modules


def test_names_of_the_standard_are_not_shadowed_where_code_is_written():
    import builtins

    builtin = {name for name in STANDARD if hasattr(builtins, name)}
    assert {"sum", "all", "any", "abs", "bool", "max", "min", "pow", "round"} <= builtin
    assert builtin.isdisjoint(vars(toplevel))


def test_other_names_are_errors():
    with pytest.raises(AttributeError, match="module 'tensorgrad' has no attribute 'zeroes'"):
        _ = tg.zeroes
    with pytest.raises(ImportError, match="cannot import name 'zeroes'"):
        from tensorgrad import zeroes  # noqa: F401
