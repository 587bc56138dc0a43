"""Fused CUDA kernels for CuPy arrays: the .cu files hold their text, the modules of these names launch them.

Each module has a table ``KERNELS`` of what ops ask for by name. For arrays that its kernel does not serve a
function gives None, and an update False.
"""

from tensorgrad_backends.cuda_kernels import (
    activation,
    normalization,
    optimizers,
    patches,
    recurrent,
    softmax,
)
from tensorgrad_backends.cuda_kernels.dropout import Counter as Counter
from tensorgrad_backends.cuda_kernels.scatter import scatter_rows as scatter_rows

KERNELS = {
    name: kernel
    for module in (activation, normalization, optimizers, patches, recurrent, softmax)
    for name, kernel in module.KERNELS.items()
}
