"""tensorgrad's own Array API namespace: one per backend, its functions take and give Variables.

Its names are those of the standard, on every backend. A function with a derivative is tensorgrad's op. One
whose derivative is 0 or does not exist (``floor``, ``argmax``, comparisons) is the backend's own: Variables
go in as arrays, and constants come out. So is creation, which takes no number that requires a gradient:
nothing loses one silently.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import wraps
from importlib import import_module
from typing import Any, ClassVar

from tensorgrad.backend import Backend, get_backend
from tensorgrad.core import Variable
from tensorgrad.functions import (
    arithmetic,
    comparison,
    complex_parts,
    constants,
    elementwise,
    extremes,
    indexing,
    joining,
    linalg,
    manipulation,
    numeric,
    rearrangement,
    reduction,
    selection,
    standard,
    transfer,
    trigonometric,
)

DIFFERENTIABLE: dict[str, Callable[..., Any]] = {
    "add": arithmetic.add,
    "subtract": arithmetic.sub,
    "multiply": arithmetic.mul,
    "divide": arithmetic.div,
    "negative": arithmetic.neg,
    "pow": arithmetic.pow,
    "exp": elementwise.exp,
    "expm1": elementwise.expm1,
    "log": elementwise.log,
    "log2": elementwise.log2,
    "log10": elementwise.log10,
    "log1p": elementwise.log1p,
    "sqrt": elementwise.sqrt,
    "square": elementwise.square,
    "reciprocal": elementwise.reciprocal,
    "abs": elementwise.abs,
    "sign": elementwise.sign,
    "logaddexp": elementwise.logaddexp,
    "sin": trigonometric.sin,
    "cos": trigonometric.cos,
    "tan": trigonometric.tan,
    "asin": trigonometric.asin,
    "acos": trigonometric.acos,
    "atan": trigonometric.atan,
    "atan2": trigonometric.atan2,
    "sinh": trigonometric.sinh,
    "cosh": trigonometric.cosh,
    "tanh": trigonometric.tanh,
    "asinh": trigonometric.asinh,
    "acosh": trigonometric.acosh,
    "atanh": trigonometric.atanh,
    "hypot": trigonometric.hypot,
    "maximum": selection.maximum,
    "minimum": selection.minimum,
    "where": selection.where,
    "clip": selection.array_api_clip,
    "positive": standard.positive,
    "remainder": arithmetic.remainder,
    "real": complex_parts.real,
    "imag": complex_parts.imag,
    "conj": complex_parts.conj,
    "sum": reduction.sum,
    "mean": reduction.mean,
    "var": reduction.var,
    "std": reduction.std,
    "prod": reduction.prod,
    "max": extremes.max,
    "min": extremes.min,
    "cumulative_sum": standard.cumulative_sum,
    "cumulative_prod": standard.cumulative_prod,
    "copysign": numeric.copysign,
    "diff": numeric.diff,
    "nextafter": numeric.nextafter,
    "sort": standard.sort,
    "reshape": standard.reshape,
    "permute_dims": manipulation.permute_dims,
    "moveaxis": manipulation.moveaxis,
    "expand_dims": standard.expand_dims,
    "squeeze": manipulation.squeeze,
    "broadcast_to": manipulation.broadcast_to,
    "broadcast_arrays": standard.broadcast_arrays,
    "meshgrid": standard.meshgrid,
    "concat": joining.concat,
    "stack": joining.stack,
    "unstack": joining.unstack,
    "flip": rearrangement.flip,
    "roll": rearrangement.roll,
    "repeat": rearrangement.repeat,
    "tile": rearrangement.tile,
    "tril": rearrangement.tril,
    "triu": rearrangement.triu,
    "take": indexing.take,
    "take_along_axis": indexing.take_along_axis,
    "matmul": linalg.matmul,
    "matrix_transpose": manipulation.matrix_transpose,
    "tensordot": linalg.tensordot,
    "vecdot": linalg.vecdot,
    "astype": standard.astype,
}
"""Array API name -> the op that computes it."""

CONSTANT: dict[str, Callable[..., Any]] = {
    "equal": comparison.equal,
    "not_equal": comparison.not_equal,
    "less": comparison.less,
    "less_equal": comparison.less_equal,
    "greater": comparison.greater,
    "greater_equal": comparison.greater_equal,
    "floor_divide": arithmetic.floor_divide,
}
"""The same, for ops that bring no gradient."""


def _named(text: str) -> frozenset[str]:
    return frozenset(text.split())


STEPS = _named("""
    all any argmax argmin argsort bitwise_and bitwise_invert bitwise_left_shift bitwise_or
    bitwise_right_shift bitwise_xor ceil count_nonzero empty_like floor isfinite isin isinf isnan
    logical_and logical_not logical_or logical_xor nonzero ones_like round searchsorted signbit
    trunc unique_all unique_counts unique_inverse unique_values zeros_like
    """)
"""Functions whose derivative is 0 or does not exist: the backend's, for constants."""

OTHERS = _named("""
    arange empty eye ones zeros
    """)
"""Functions that create arrays of numbers: the backend's. They take no number that requires a gradient."""

FREQUENCIES = _named("fftfreq rfftfreq")
"""Those of the extension ``fft``."""

DTYPES = _named("bool complex64 complex128 float32 float64 int8 int16 int32 int64 uint8 uint16 uint32 uint64")
"""The backend's own."""


class _Module:
    """Attributes found once and then kept: those of one module of the standard."""

    def __init__(self, name: str, source: Any, names: frozenset[str]) -> None:
        self.__name__ = name
        self._source = source
        self._names = names

    def _find(self, name: str, missing: Any) -> Any:
        """The value of a name of the standard; `missing` if the array library lacks it."""
        raise NotImplementedError

    def __getattr__(self, name: str) -> Any:
        missing = object()
        value = self._find(name, missing) if name in self._names else missing
        if value is missing:
            raise AttributeError(f"namespace {self.__name__} has no attribute {name!r}", name=name, obj=self)
        setattr(self, name, value)  # found directly from now on
        return value

    def __dir__(self) -> list[str]:
        return sorted(name for name in self._names if hasattr(self, name))

    def __repr__(self) -> str:
        return f"<namespace {self.__name__}>"


class Namespace(_Module):
    """The Array API over one backend, with derivatives.

    Examples
    --------
    >>> xp = Variable(np.array(1.0)).__array_namespace__()
    >>> xp
    <namespace tensorgrad.numpy>
    >>> xp.floor(Variable(np.array([1.5])))
    variable([1.])
    """

    def __init__(self, backend: Backend) -> None:
        super().__init__(f"tensorgrad.{backend.name}", backend.xp, STANDARD)
        self._backend = backend

    def __reduce__(self) -> tuple[Any, ...]:
        """Copies and pickles are this namespace again."""
        return _of_backend, (self._backend.name,)

    def _find(self, name: str, missing: Any) -> Any:
        op = DIFFERENTIABLE.get(name) or CONSTANT.get(name)
        if op is not None:
            return standard.promoting(op) if name in self._backend.unpromoted else op
        if name == "special":  # no array library is asked for it: its ops ask the backend
            return Extension(self, name, None)
        value = getattr(self._source, name, missing)
        if name in DTYPES or value is missing:
            return value
        if name in EXTENSIONS:
            return Extension(self, name, value)
        refuses = "" if name in STEPS else f"{self.__name__}.{name}"
        function = constants.constant(name, self._backend, lambda owner: getattr(owner.xp, name), refuses)
        return self._with_values(name, function) if name.startswith("unique_") else function

    def _with_values(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """A function that finds the distinct elements: they are elements of `x`, and bring their gradient."""

        @wraps(function)
        def unique(x: Any, /) -> Any:
            found = function(x)
            if not constants.requires_grad(x):
                return found
            first = found.indices if name == "unique_all" else self.unique_all(x).indices
            values = indexing.take(manipulation.ravel(x), first)
            return values if name == "unique_values" else found._replace(values=values)

        return unique

    # -- constants, and what asks for a dtype, not for values ------------------------------------

    __array_api_version__ = "2025.12"
    e = math.e
    inf = math.inf
    nan = math.nan
    newaxis: ClassVar[None] = None
    pi = math.pi

    def __array_namespace_info__(self) -> constants.Info:
        """What this namespace can do: its devices and dtypes, and which are the defaults."""
        return constants.Info(self._source.__array_namespace_info__())

    def finfo(self, type: Any, /) -> constants.FloatInfo:
        """The limits of a floating dtype, or of that of an array."""
        dtype = constants.dtype_of(type)
        return constants.float_info(constants.library_of(self._backend, dtype), dtype)

    def iinfo(self, type: Any, /) -> constants.IntegerInfo:
        """The limits of an integer dtype, or of that of an array."""
        dtype = constants.dtype_of(type)
        return constants.integer_info(constants.library_of(self._backend, dtype), dtype)

    def isdtype(self, dtype: Any, kind: Any) -> bool:
        """Whether a dtype is of a kind."""
        dtype = constants.dtype_of(dtype)
        return bool(constants.library_of(self._backend, dtype).isdtype(dtype, kind))

    def can_cast(self, from_: Any, to: Any, /) -> bool:
        """Whether a dtype, or that of an array, goes into another one by promotion."""
        dtype = constants.dtype_of(from_)
        return bool(constants.library_of(self._backend, dtype).can_cast(dtype, to))

    def result_type(self, *arrays_and_dtypes: Any) -> Any:
        """The dtype that arrays, dtypes and numbers have in common."""
        values = constants.unwrap(arrays_and_dtypes)
        owner = constants.owner_among(values)
        dtypes = [x for x in values if not isinstance(x, bool | int | float | complex)]
        if owner is None and dtypes:
            return constants.library_of(self._backend, dtypes[0]).result_type(*values)
        return (owner or self._backend).xp.result_type(*values)

    def broadcast_shapes(self, *shapes: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """The shape that arrays of these shapes have in common; None for a length that is not known."""
        return standard.broadcast_shapes(*shapes)

    def from_dlpack(self, x: Any, /, *, device: Any = None, copy: bool | None = None) -> Variable:
        """The array behind the DLPack protocol, as a constant of this library."""
        return standard.from_dlpack(self._backend, x, device=device, copy=copy)

    # -- creation from values that may have a gradient -------------------------------------------

    def asarray(
        self, obj: Any, /, *, dtype: Any = None, device: Any = None, copy: bool | None = None
    ) -> Variable:
        """An array, number or nested lists as a Variable; a Variable keeps its graph."""
        return standard.asarray(self._backend, obj, dtype=dtype, device=device, copy=copy)

    def full(self, shape: Any, fill_value: Any, *, dtype: Any = None, device: Any = None) -> Variable:
        """An array of one value; a Variable for the value gets the sum of the gradients."""
        if isinstance(fill_value, Variable):
            value = self.asarray(fill_value, dtype=dtype, device=device)
            return transfer.copy(manipulation.broadcast_to(value, manipulation.as_tuple(shape)))
        y = self._source.full(shape, fill_value, dtype=dtype, device=self._backend.as_device(device))
        return constants.wrap(y)  # type: ignore[no-any-return]

    def full_like(self, x: Any, /, fill_value: Any, *, dtype: Any = None, device: Any = None) -> Variable:
        """One value in the shape of `x`."""
        if isinstance(fill_value, Variable):
            return self.full(x.shape, fill_value, dtype=dtype or x.dtype, device=device)
        array = constants.unwrap(x)
        owner = constants.owner_among((array,)) or self._backend
        y = owner.xp.full_like(array, fill_value, dtype=dtype, device=owner.as_device(device))
        return constants.wrap(y)  # type: ignore[no-any-return]

    def linspace(
        self,
        start: Any,
        stop: Any,
        /,
        num: int,
        *,
        dtype: Any = None,
        device: Any = None,
        endpoint: bool = True,
    ) -> Variable:
        """Evenly spaced numbers; Variables for the ends get their share of the gradients."""
        device = self._backend.as_device(device)
        if isinstance(start, Variable) or isinstance(stop, Variable):
            first, last = (self.asarray(end, device=device) for end in (start, stop))
            return numeric.linspace(first, last, num, dtype=dtype, endpoint=endpoint)
        y = self._source.linspace(start, stop, num, dtype=dtype, device=device, endpoint=endpoint)
        return constants.wrap(y)  # type: ignore[no-any-return]


class Extension(_Module):
    """An extension of the standard, such as ``linalg``."""

    def __init__(self, whole: Namespace, name: str, source: Any) -> None:
        super().__init__(f"{whole.__name__}.{name}", source, EXTENSIONS[name])
        self._way = (whole, name)
        self._backend = whole._backend

    def __reduce__(self) -> tuple[Any, ...]:
        return getattr, self._way

    def _find(self, name: str, missing: Any) -> Any:
        if name not in FREQUENCIES:
            return getattr(import_module("tensorgrad.functions"), name)
        value = getattr(self._source, name, missing)
        if value is missing:
            return value
        extension = self._way[1]
        return constants.constant(
            name,
            self._backend,
            lambda owner: getattr(getattr(owner.xp, extension), name),
            f"{self.__name__}.{name}",
        )


LINALG = _named("""
    cholesky cross det diagonal eig eigh eigvals eigvalsh inv matmul matrix_norm matrix_power
    matrix_rank matrix_transpose outer pinv qr slogdet solve svd svdvals tensordot trace vecdot
    vector_norm
    """)
FFT = _named("""
    fft fftfreq fftn fftshift hfft ifft ifftn ifftshift ihfft irfft irfftn rfft rfftfreq rfftn
    """)
SPECIAL = _named("""
    beta betainc betaincc betaln binom boxcox boxcox1p cbrt chdtr chdtrc cosdg cosm1 cotdg digamma ellipk
    ellipkm1 entr erf erfc erfcinv erfcx erfinv exp1 exp10 exp2 expi expit expn exprel fdtr fdtrc gamma
    gammainc gammaincc gammaln gdtr gdtrc huber i0 i0e i1 i1e inv_boxcox inv_boxcox1p j0 j1 k0 k0e k1 k1e
    kl_div log_expit log_ndtr log_softmax loggamma logit logsumexp multigammaln ndtr ndtri pdtr poch
    polygamma pseudo_huber psi rel_entr rgamma sinc sindg softmax spence stdtr tandg xlog1py xlogy y0 y1
    yn zeta
    """)
"""Functions of `tensorgrad.functions`, which loads their modules when they are asked for.

SciPy looks for special functions in ``xp.special``, under its own names.
"""

EXTENSIONS = {"linalg": LINALG, "fft": FFT, "special": SPECIAL}

_METHODS = _named("""
    __array_api_version__ __array_namespace_info__ asarray broadcast_shapes can_cast e finfo from_dlpack full
    full_like iinfo inf isdtype linspace nan newaxis pi result_type
    """)
STANDARD = STEPS | OTHERS | DTYPES | _METHODS | DIFFERENTIABLE.keys() | CONSTANT.keys() | EXTENSIONS.keys()


_made: dict[str, Namespace] = {}


def namespace(backend: Backend) -> Namespace:
    """The namespace over a backend; always the same object."""
    made = _made.get(backend.name)
    if made is None or made._backend is not backend:
        made = _made[backend.name] = Namespace(backend)
    return made


def _of_backend(name: str) -> Namespace:
    return namespace(get_backend(name))
