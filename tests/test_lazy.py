"""Packages that load their modules late: the tables are complete, and nothing stands in their way."""

from __future__ import annotations

import ast
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from types import ModuleType

import pytest

from tensorgrad.lazy import later

PACKAGES = [
    "tensorgrad",
    "tensorgrad.distributed",
    *(f"tensorgrad.{name}" for name in ("distributed", "functions", "layers", "models", "optimizers")),
]


def source(package: str) -> ast.Module:
    return ast.parse(Path(import_module(package).__file__).read_text(encoding="utf-8"))


def for_type_checkers(package: str) -> set[tuple[str, str]]:
    """(module, name) of the imports under ``if TYPE_CHECKING``."""
    (block,) = [node for node in source(package).body if isinstance(node, ast.If)]
    return {(node.module, alias.name) for node in block.body for alias in node.names}


def in_the_table(package: str) -> set[tuple[str, str]]:
    """(module, name) of the table that `later` gets."""
    (call,) = [
        node.value
        for node in source(package).body
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call)
    ]
    table = ast.literal_eval(call.args[1])
    given = {(f"{package}.{module}", name) for module, names in table.items() for name in names.split()}
    own = [ast.literal_eval(k.value) for k in call.keywords if k.arg == "submodules"]
    return given | {(package, name) for names in own for name in names.split()}


@pytest.mark.parametrize("package", PACKAGES)
def test_type_checkers_and_the_interpreter_see_the_same_names(package):
    assert for_type_checkers(package) == in_the_table(package)


@pytest.mark.parametrize("package", PACKAGES)
def test_every_name_is_there_and_no_module_takes_its_place(package):
    module = import_module(package)
    for origin, name in in_the_table(package):
        value = getattr(module, name)
        if origin == package:
            assert isinstance(value, ModuleType)
        else:
            assert name != origin.rpartition(".")[2], f"importing {origin} would replace {package}.{name}"
            assert value is getattr(import_module(origin), name)
            assert name in dir(module)


def test_a_name_is_loaded_when_it_is_asked_for():
    code = (
        "import sys, tensorgrad as tg;"
        "assert 'tensorgrad.functions.spectra' not in sys.modules;"
        "assert 'tensorgrad.layers' not in sys.modules;"
        "from tensorgrad.functions import svd;"
        "assert 'tensorgrad.functions.spectra' in sys.modules;"
        "assert tg.functions.svd is svd;"
        "assert 'svd' in vars(tg.functions);"
        "assert tg.layers.Linear.__module__ == 'tensorgrad.layers.linear'"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_what_is_nowhere_is_an_attribute_error():
    with pytest.raises(AttributeError, match=r"module 'tensorgrad\.functions' has no attribute 'sine'"):
        _ = import_module("tensorgrad.functions").sine
    with pytest.raises(AttributeError, match="module 'tensorgrad' has no attribute 'sine'"):
        _ = import_module("tensorgrad").sine
    with pytest.raises(ImportError, match="cannot import name 'sine'"):
        exec("from tensorgrad.functions import sine")


def test_other_names_come_last():
    find, names = later("tensorgrad", {"functions.spectra": "svd"}, otherwise="functions.toplevel")
    assert find("svd") is import_module("tensorgrad.functions").svd
    assert find("zeros")(2).shape == (2,)
    assert {"svd", "zeros"} <= set(names())
    del vars(import_module("tensorgrad"))["svd"]  # it stays where it was found
