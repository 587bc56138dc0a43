"""NumPy's products, and its ``linalg`` and ``fft``, on Variables."""

from __future__ import annotations

from typing import Any

from tensorgrad.functions import (
    complex_parts,
    elementwise,
    extremes,
    linalg,
    manipulation,
    rearrangement,
    reduction,
)
from tensorgrad.functions.numpy_functions import of_functions
from tensorgrad.functions.numpy_support import (
    FUNCTIONS,
    Unsupported,
    arrays,
    floating,
    implements,
    space,
)

# -- products ------------------------------------------------------------------------------------


@implements("dot")
def _dot(a: Any, b: Any) -> Any:
    a, b = arrays(a, b)
    if not a.shape or not b.shape:
        return a * b
    if len(b.shape) == 1:
        return linalg.tensordot(a, b, (-1, 0))
    if len(a.shape) <= 2 and len(b.shape) == 2:
        return linalg.matmul(a, b)
    return linalg.tensordot(a, b, (-1, -2))


@implements("vdot")
def _vdot(a: Any, b: Any, /) -> Any:
    a, b = (manipulation.ravel(x) for x in arrays(a, b))
    return linalg.vecdot(a, b)


@implements("inner")
def _inner(a: Any, b: Any, /) -> Any:
    a, b = arrays(a, b)
    return linalg.tensordot(a, b, (-1, -1)) if a.shape and b.shape else a * b


@implements("outer", "linalg.outer")
def _outer(a: Any, b: Any) -> Any:
    return linalg.outer(*(manipulation.ravel(x) for x in arrays(a, b)))


@implements("linalg.matmul")
def _matmul(x1: Any, x2: Any, /) -> Any:
    return linalg.matmul(*arrays(x1, x2))


@implements("tensordot", "linalg.tensordot")
def _tensordot(a: Any, b: Any, axes: Any = 2) -> Any:
    a, b = arrays(a, b)
    return linalg.tensordot(a, b, axes)


@implements("linalg.vecdot")
def _vecdot(x1: Any, x2: Any, /, *, axis: int = -1) -> Any:
    x1, x2 = arrays(x1, x2)
    return linalg.vecdot(x1, x2, axis)


@implements("einsum")
def _einsum(*operands: Any, optimize: Any = False) -> Any:
    if not isinstance(operands[0], str):
        raise Unsupported("lists of axes are not supported with Variables; write a subscripts string")
    del optimize  # tensorgrad plans the order itself
    return of_functions("einsum")(operands[0], *arrays(*operands[1:]))


@implements("kron")
def _kron(a: Any, b: Any) -> Any:
    a, b = arrays(a, b)
    n = max(len(a.shape), len(b.shape))
    a, b = (manipulation.reshape(x, (*[1] * (n - len(x.shape)), *x.shape)) for x in (a, b))
    wide = manipulation.reshape(a, tuple(k for m in a.shape for k in (m, 1)))
    tall = manipulation.reshape(b, tuple(k for m in b.shape for k in (1, m)))
    return manipulation.reshape(wide * tall, tuple(i * j for i, j in zip(a.shape, b.shape, strict=True)))


@implements("cross")
def _cross(  # noqa: PLR0917  # NumPy's signature
    a: Any, b: Any, axisa: int = -1, axisb: int = -1, axisc: int = -1, axis: int | None = None
) -> Any:
    if axis is not None:
        axisa = axisb = axisc = axis
    a, b = arrays(a, b)
    if a.shape[axisa] != 3 or b.shape[axisb] != 3:
        raise Unsupported("vectors of another length than 3 are not supported with Variables")
    y = space(a, b).linalg.cross(manipulation.moveaxis(a, axisa, -1), manipulation.moveaxis(b, axisb, -1))
    return manipulation.moveaxis(y, -1, axisc)


@implements("linalg.cross")
def _linalg_cross(x1: Any, x2: Any, /, *, axis: int = -1) -> Any:
    x1, x2 = arrays(x1, x2)
    return space(x1, x2).linalg.cross(x1, x2, axis=axis)


@implements("linalg.multi_dot")
def _multi_dot(arrays_: Any) -> Any:
    y, *rest = arrays(*arrays_)
    for x in rest:
        y = linalg.matmul(y, x)
    return y


# -- linalg --------------------------------------------------------------------------------------


@implements("trace")
def _trace(a: Any, offset: int = 0, axis1: int = 0, axis2: int = 1, dtype: Any = None) -> Any:
    a = manipulation.moveaxis(a, (axis1, axis2), (-2, -1))
    return reduction.sum(space(a).linalg.diagonal(a, offset=offset), -1, dtype=dtype)


@implements("linalg.trace")
def _linalg_trace(x: Any, /, *, offset: int = 0, dtype: Any = None) -> Any:
    return reduction.sum(space(x).linalg.diagonal(x, offset=offset), -1, dtype=dtype)


@implements("linalg.diagonal")
def _linalg_diagonal(x: Any, /, *, offset: int = 0) -> Any:
    return space(x).linalg.diagonal(x, offset=offset)


@implements("linalg.inv")
def _inv(a: Any) -> Any:
    return space(a).linalg.inv(floating(a))


@implements("linalg.det")
def _det(a: Any) -> Any:
    return space(a).linalg.det(floating(a))


@implements("linalg.slogdet")
def _slogdet(a: Any) -> Any:
    return space(a).linalg.slogdet(floating(a))


@implements("linalg.solve")
def _solve(a: Any, b: Any) -> Any:
    return space(a, b).linalg.solve(*map(floating, arrays(a, b)))


@implements("linalg.lstsq")
def _lstsq(a: Any, b: Any, rcond: Any = None) -> Any:
    a, b = map(floating, arrays(a, b))
    rows, columns = a.shape
    if rcond == -1:
        rcond = float(space(a, b).finfo(a.dtype).eps)
    x = of_functions("lstsq")(a, b, rtol=rcond)
    rank = _matrix_rank(a, rtol=rcond).item()
    if rank == columns < rows:
        left = elementwise.abs(b - linalg.matmul(a, x))
        rest = manipulation.reshape(reduction.sum(left * left, 0), (-1,))
    else:
        rest = space(a, b).zeros((0,), dtype=complex_parts.real(b).dtype)
    return x, rest, rank, _svdvals(a)


@implements("linalg.cholesky")
def _cholesky(a: Any, /, *, upper: bool = False) -> Any:
    return space(a).linalg.cholesky(_from_triangle(floating(a), "U" if upper else "L"), upper=upper)


@implements("linalg.qr")
def _qr(a: Any, mode: str = "reduced") -> Any:
    if mode not in ("reduced", "complete", "r"):
        raise Unsupported(f"mode={mode!r} is not supported with Variables")
    _, r = found = space(a).linalg.qr(floating(a), mode="reduced" if mode == "r" else mode)
    return r if mode == "r" else found


@implements("linalg.eigh")
def _eigh(a: Any, UPLO: str = "L") -> Any:
    return space(a).linalg.eigh(_from_triangle(floating(a), UPLO))


@implements("linalg.eigvalsh")
def _eigvalsh(a: Any, UPLO: str = "L") -> Any:
    return space(a).linalg.eigvalsh(_from_triangle(floating(a), UPLO))


def _from_triangle(a: Any, part: str) -> Any:
    """The Hermitian matrix whose triangle `a` has: NumPy reads no more of it, ours the Hermitian part."""
    if part.upper() not in ("L", "U"):
        raise ValueError(f"numpy.linalg: expected UPLO 'L' or 'U'; got {part!r}")
    triu, tril = rearrangement.triu, rearrangement.tril
    beside = tril(a, k=-1) if part.upper() == "L" else triu(a, k=1)
    return beside + complex_parts.conj(manipulation.matrix_transpose(beside)) + tril(triu(a))


@implements("linalg.svd")
def _svd(a: Any, full_matrices: bool = True, compute_uv: bool = True, hermitian: bool = False) -> Any:
    del hermitian  # only says how NumPy computes it
    if not compute_uv:
        return space(a).linalg.svdvals(floating(a))
    return space(a).linalg.svd(floating(a), full_matrices=full_matrices)


@implements("linalg.svdvals")
def _svdvals(x: Any, /) -> Any:
    return space(x).linalg.svdvals(floating(x))


@implements("linalg.pinv")
def _pinv(a: Any, rcond: Any = None, *, rtol: Any = None, hermitian: bool = False) -> Any:
    del hermitian
    cut = rtol if rcond is None else rcond
    return space(a).linalg.pinv(floating(a), **({} if cut is None else {"rtol": cut}))


@implements("linalg.matrix_power")
def _matrix_power(a: Any, n: int) -> Any:
    return space(a).linalg.matrix_power(a if n >= 0 else floating(a), n)


@implements("linalg.matrix_rank")
def _matrix_rank(A: Any, *, rtol: Any = None) -> Any:
    return space(A).linalg.matrix_rank(A, **({} if rtol is None else {"rtol": rtol}))


@implements("linalg.cond")
def _cond(x: Any, p: Any = None) -> Any:
    if p in (None, 2, -2):
        s = _svdvals(x)
        largest, smallest = extremes.max(s, -1), extremes.min(s, -1)
        return smallest / largest if p == -2 else largest / smallest
    return _matrix_norm(x, ord=p) * _matrix_norm(_inv(x), ord=p)


@implements("linalg.norm")
def _norm(x: Any, ord: Any = None, axis: Any = None, keepdims: bool = False) -> Any:
    n = len(x.shape)
    if axis is None and (ord is None or n == 1):
        y = _vector_norm(manipulation.ravel(x), ord=2 if ord is None else ord)
        return manipulation.reshape(y, (1,) * n) if keepdims else y
    axes = tuple(range(n)) if axis is None else manipulation.as_tuple(axis)
    if len(axes) == 1 or (len(axes) == 2 and ord is None):
        return _vector_norm(x, axis=axes, keepdims=keepdims, ord=2 if ord is None else ord)
    if len(axes) != 2:
        raise ValueError(f"numpy.linalg.norm: expected one or two axes for ord={ord!r}; got {axes}")
    y = _matrix_norm(manipulation.moveaxis(x, axes, (-2, -1)), ord=ord, keepdims=keepdims)
    return manipulation.moveaxis(y, (-2, -1), axes) if keepdims else y


@implements("linalg.vector_norm")
def _vector_norm(x: Any, /, *, axis: Any = None, keepdims: bool = False, ord: Any = 2) -> Any:
    return space(x).linalg.vector_norm(floating(x), axis=axis, keepdims=keepdims, ord=ord)


@implements("linalg.matrix_norm")
def _matrix_norm(x: Any, /, *, keepdims: bool = False, ord: Any = "fro") -> Any:
    return space(x).linalg.matrix_norm(floating(x), keepdims=keepdims, ord=ord)


# -- fft -----------------------------------------------------------------------------------------


def _one_dimensional(name: str) -> None:
    def transform(a: Any, n: int | None = None, axis: int = -1, norm: str | None = None) -> Any:
        return getattr(space(a).fft, name)(_ready(name, a), n=n, axis=axis, norm=norm or "backward")

    FUNCTIONS[f"fft.{name}"] = transform


def _several_dimensional(name: str, standard: str, usual: tuple[int, int] | None) -> None:
    def transform(a: Any, s: Any = None, axes: Any = usual, norm: str | None = None) -> Any:
        y = _ready(standard, a)
        return getattr(space(a).fft, standard)(y, s=s, axes=axes, norm=norm or "backward")

    FUNCTIONS[f"fft.{name}"] = transform


def _ready(name: str, a: Any) -> Any:
    """The dtype that the standard asks for: complex values unless the transform is of real ones."""
    a = floating(a)
    if name in ("rfft", "rfftn", "ihfft") or a.backend.is_complex(a.dtype):
        return a
    xp = space(a)
    single = xp.finfo(a.dtype).bits == 32
    return xp.astype(a, xp.complex64 if single else xp.complex128)


for _name in ("fft", "ifft", "rfft", "irfft", "hfft", "ihfft"):
    _one_dimensional(_name)
for _name in ("fftn", "ifftn", "rfftn", "irfftn"):
    _several_dimensional(_name, _name, None)
    _several_dimensional(f"{_name[:-1]}2", _name, (-2, -1))


@implements("fft.fftshift")
def _fftshift(x: Any, axes: Any = None) -> Any:
    return space(x).fft.fftshift(x, axes=axes)


@implements("fft.ifftshift")
def _ifftshift(x: Any, axes: Any = None) -> Any:
    return space(x).fft.ifftshift(x, axes=axes)
