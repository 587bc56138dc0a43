"""The text of the kernels: what the CUDA compiler is given for a file and a dtype."""

from __future__ import annotations

from functools import cache
from importlib.resources import files

FILES = (
    "activation",
    "dropout",
    "normalization",
    "optimizers",
    "patches",
    "recurrent",
    "scatter",
    "softmax",
)

TYPES = {
    "float16": "#include <cuda_fp16.h>\ntypedef __half T;\ntypedef float A;\n",
    "bfloat16": "#include <cuda_bf16.h>\ntypedef __nv_bfloat16 T;\ntypedef float A;\n",
    "float32": "typedef float T;\ntypedef float A;\n",
    "float64": "typedef double T;\ntypedef double A;\n",
}
"""For each dtype that is served, what it is to CUDA, and the type that is computed with."""

OPTIONS = ("-std=c++17", "--maxrregcount=64")
"""A block of 1024 threads has 65,536 registers: with more than 64 to a thread, it would not be launched."""


@cache
def code(file: str, dtype: str) -> str:
    """The source of one of `FILES` for one of `TYPES`.

    Parameters
    ----------
    file, dtype : str

    Returns
    -------
    str
    """
    return TYPES[dtype] + _text("prelude.cuh") + _text(f"{file}.cu")


def _text(name: str) -> str:
    return files(__package__).joinpath(name).read_text(encoding="utf-8")
