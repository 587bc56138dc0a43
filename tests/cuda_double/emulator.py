"""Runs the text of a CUDA kernel on the host: the C++ compiler makes it a library, fibers are its threads."""

from __future__ import annotations

import ctypes
import hashlib
import re
import shutil
import subprocess
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

HARNESS = Path(__file__).with_name("host.hpp")
NARROW = {
    "#include <cuda_fp16.h>\ntypedef __half T;": "typedef _Float16 T;",
    "#include <cuda_bf16.h>\ntypedef __nv_bfloat16 T;": "typedef bfloat16 T;",
}
"""CUDA's types of 16 bits, and the host's."""
ZONE = 64  # bytes beside each array, which no kernel may touch
FAULTS = {
    1: "some threads wait at a barrier to which others never come",
    2: "the arguments are not those that the kernel takes",
    3: "a shuffle without all 32 lanes",
}


def compiler() -> str | None:
    """The C++ compiler, if there is one."""
    return shutil.which("g++") or shutil.which("clang++")


@cache
def _folder() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="tensorgrad-kernels-")


@cache
def library(code: str) -> ctypes.CDLL:
    """The kernels of a source as functions ``launch_NAME``; each source is compiled once."""
    path = Path(_folder().name, hashlib.sha256(code.encode()).hexdigest()[:16])
    for device, host in NARROW.items():
        code = code.replace(device, host)
    text = f'#include "{HARNESS}"\n' + code
    path.with_suffix(".cpp").write_text(text)
    names = _run("-E", "-P", "-D__global__=KERNEL", str(path.with_suffix(".cpp"))).stdout
    found = re.findall(r"extern \"C\" KERNEL void (\w+)\(", names.replace("\n", " "))
    path.with_suffix(".cpp").write_text(text + "".join(f"LAUNCHER({name})\n" for name in found))
    _run("-shared", "-fPIC", "-o", str(path.with_suffix(".so")), str(path.with_suffix(".cpp")))
    return ctypes.CDLL(str(path.with_suffix(".so")))


def _run(*args: str) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [compiler() or "g++", "-std=c++17", "-O1", "-ffp-contract=off", "-w", *args],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"the host's C++ compiler refuses a kernel:\n{done.stderr}")
    return done


def launch(
    code: str, name: str, blocks: int, threads: int, args: tuple[Any, ...], *, backwards: bool = False
) -> None:
    """Run a kernel on NumPy arrays, numbers and addresses.

    Raises
    ------
    RuntimeError
        If it waits for ever, gets other arguments than it takes, or writes beside an array.
    """
    guarded: dict[int, tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]] = {}
    values = [_value(x, guarded) for x in args]
    kinds = bytes(ord(kind) for kind, _ in values)
    pointers = (ctypes.c_void_p * len(values))(*(ctypes.addressof(v) for _, v in values))
    sizes = (ctypes.c_int * len(values))(*(ctypes.sizeof(v) for _, v in values))
    function = getattr(library(code), f"launch_{name}")
    fault = function(blocks, threads, int(backwards), pointers, kinds, sizes, len(values))
    if fault:
        raise RuntimeError(f"{name}: {FAULTS[fault]}")
    for array, zone in guarded.values():
        if (zone[:ZONE] != 0xA5).any() or (zone[-ZONE:] != 0xA5).any():
            raise RuntimeError(f"{name}: it writes beside an array of shape {array.shape}")
        written = zone[ZONE:-ZONE].view(array.dtype).reshape(array.shape)
        if array.flags.writeable:
            array[...] = written
        elif written.tobytes() != array.tobytes():
            raise RuntimeError(f"{name}: it writes into an array that is to be read")


def _value(x: Any, guarded: dict[int, Any]) -> tuple[str, Any]:
    """What kind of argument it is, and its value for C."""
    if isinstance(x, np.ndarray):
        assert x.flags.c_contiguous, "a kernel was given an array that does not lie in memory row by row"
        if id(x) not in guarded:
            zone = np.full(x.nbytes + 2 * ZONE, 0xA5, np.uint8)
            zone[ZONE:-ZONE] = x.reshape(-1).view(np.uint8)
            guarded[id(x)] = (x, zone)
        return "p", ctypes.c_void_p(guarded[id(x)][1].ctypes.data + ZONE)
    if isinstance(x, np.generic):
        return "f" if x.dtype.kind == "f" else "i", np.ctypeslib.as_ctypes_type(x.dtype)(x.item())
    return ("f", ctypes.c_double(x)) if isinstance(x, float) else ("i", ctypes.c_longlong(x))
