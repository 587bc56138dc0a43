"""Every name of CuPy that is used is looked up in the CuPy that is installed."""

from __future__ import annotations

import ast
import importlib
import inspect
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from cuda_double.signatures import signature
from tensorgrad import cuda

PACKAGE = Path(importlib.util.find_spec("tensorgrad").origin).parent
BACKENDS = Path(importlib.util.find_spec("tensorgrad_backends").origin).parent
SOURCES = (BACKENDS / "cupy.py", *BACKENDS.glob("cuda_*.py"), *BACKENDS.glob("cuda_kernels/*.py"))

without_gpu = pytest.mark.skipif(cuda.is_available(), reason="there is a GPU")


def dotted(node: ast.AST) -> list[str]:
    """The parts of ``a.b.c``, or nothing for another expression."""
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.insert(0, node.attr)
        node = node.value
    return [node.id, *parts] if isinstance(node, ast.Name) else []


def names_of_cupy() -> list[str]:
    """Every ``cupy.x.y`` and ``cupyx.x.y`` in the sources of the backend."""
    nodes = (node for source in SOURCES for node in ast.walk(ast.parse(source.read_text())))
    found = {".".join(dotted(node)) for node in nodes}
    return sorted(name for name in found if name.startswith(("cupy.", "cupyx.")))


def names_of_xp() -> list[str]:
    """Every ``xp.name`` in the sources of tensorgrad: what ops ask of a namespace."""
    found = set()
    for file in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            parts = dotted(node)
            if "xp" in parts[:-1]:
                name, *inner = parts[parts.index("xp") + 1 :]
                found |= {name, f"{name}.{inner[0]}"} if inner and name in ("linalg", "fft") else {name}
    return sorted(found)


def test_the_search_for_names_finds_them():
    names = names_of_cupy()
    assert {"cupy.asarray", "cupy.cuda.Device", "cupyx.scatter_add"} <= set(names)
    assert len(names) > 20
    assert {"exp", "where", "zeros_like", "searchsorted", "linalg.svd", "fft.rfft"} <= set(names_of_xp())


@pytest.mark.cuda
def test_the_names_of_cupy_exist():
    pytest.importorskip("cupy", exc_type=ImportError)
    assert [name for name in names_of_cupy() if not exists(name)] == []
    assert not exists("cupy.scatter_add")  # moved to cupyx long ago: the search would notice


def exists(name: str) -> bool:
    """Whether a dotted name can be imported, or looked up."""
    root, *parts = name.split(".")
    found = importlib.import_module(root)
    for i, part in enumerate(parts):
        if not hasattr(found, part) and isinstance(found, ModuleType):
            try:
                importlib.import_module(".".join([root, *parts[: i + 1]]))
            except ImportError:
                return False
        if not hasattr(found, part):
            return False
        found = getattr(found, part)
    return True


@pytest.mark.cuda
def test_the_names_of_the_namespace_over_cupy_exist():
    pytest.importorskip("cupy", exc_type=ImportError)
    importlib.import_module("array_api_compat.cupy")
    assert [name for name in names_of_xp() if not exists(f"array_api_compat.cupy.{name}")] == []


@pytest.mark.cuda
def test_methods_and_signatures_of_cupy():
    cupy = pytest.importorskip("cupy", exc_type=ImportError)
    for method in ("used_bytes", "total_bytes", "free_all_blocks", "set_limit", "get_limit"):
        assert callable(getattr(cupy.get_default_memory_pool(), method))
    for method in ("__enter__", "__exit__", "synchronize", "id"):
        assert hasattr(cupy.cuda.Device, method)
    for method in ("malloc_postprocess", "free_postprocess", "__enter__", "__exit__"):
        assert hasattr(cupy.cuda.MemoryHook, method)
    for method in ("__enter__", "__exit__", "synchronize", "wait_event"):
        assert hasattr(cupy.cuda.Stream, method)
    assert callable(cupy.cuda.get_elapsed_time)
    assert callable(cupy.cuda.get_current_stream)
    for attribute in ("device", "dtype", "real", "imag", "astype"):
        assert hasattr(cupy.ndarray, attribute)
    inspect.signature(cupy.random.random_sample).bind((2,), dtype=np.float32)
    inspect.signature(cupy.random.standard_normal).bind((2,), dtype=np.float32)
    inspect.signature(importlib.import_module("cupyx").scatter_add).bind(None, None, None)


@pytest.mark.cuda
def test_what_is_used_of_cublas():
    pytest.importorskip("cupy", exc_type=ImportError)
    try:
        from cupy.cuda import cublas
    except ImportError:
        pytest.skip("CuPy finds no cuBLAS: pip install nvidia-cublas-cu12, and its folder in LD_LIBRARY_PATH")
    ours = importlib.import_module("cuda_double.cublas")
    name = "gemmStridedBatchedEx"
    known = signature(getattr(cublas, name))
    assert list(known.parameters) == list(inspect.signature(getattr(ours, name)).parameters)
    for constant in [key for key in vars(ours) if key.startswith("CUBLAS_")]:
        assert getattr(cublas, constant) == getattr(ours, constant)


@pytest.mark.cuda
@without_gpu
def test_the_installed_cupy_says_what_it_lacks():
    cupy = pytest.importorskip("cupy", exc_type=ImportError)
    assert cuda.why_unavailable().startswith(f"backend 'cupy': CuPy {cupy.__version__} ")
    with pytest.raises(cupy.cuda.runtime.CUDARuntimeError) as e:
        cupy.cuda.runtime.getDeviceCount()
    module = importlib.import_module("tensorgrad_backends.cupy")
    assert module._why(e.value) in cuda.why_unavailable()
