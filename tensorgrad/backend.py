"""The backend contract, and the registry that finds the owner of an array.

A backend is an Array API namespace plus the little that the standard leaves open: transfers, scatter-add,
random numbers, memory and synchronisation. Backends are found through the entry-point group
``tensorgrad.backends``; the name of an entry point is the top-level module of the array types that it
owns (``torch.Tensor`` belongs to the entry point ``torch``). So the owner of an array is known from the
name of its type, and an array library is imported only when one of its arrays turns up or its backend is
asked for by name.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from itertools import product
from threading import RLock
from time import perf_counter
from types import EllipsisType
from typing import TYPE_CHECKING, Any, ClassVar, NoReturn

import numpy as np

from tensorgrad import randomness

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

GROUP = "tensorgrad.backends"

Array = Any
"""An array of any registered library."""


class BackendUnavailableError(ImportError):
    """The backend is known, but what it needs is not installed or does not work here.

    The message says what is missing and what installs it.
    """


class CannotCompileError(RuntimeError):
    """A function cannot be made one program; the message says why, and what is run instead is what it was."""


@contextmanager
def importing(library: str, install: str, mend: str = "") -> Iterator[None]:
    """Around a backend's imports of its library: one that fails says what is missing.

    Parameters
    ----------
    library : str
        As people write it: ``PyTorch``.
    install : str
        The command that installs it.
    mend : str, optional
        What to do when it is installed and its import fails all the same.

    Raises
    ------
    BackendUnavailableError
        In place of the ImportError.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        raise BackendUnavailableError(
            f"{library} is not installed (there is no module {error.name!r}). Install it: {install}"
        ) from error
    except (ImportError, OSError) as error:
        raise BackendUnavailableError(
            f"{library} is installed, but its import fails: {error}. {mend}".rstrip()
        ) from error


def native(array: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """The array in the byte order of this machine: the only one that most libraries take."""
    return array.astype(array.dtype.newbyteorder("="), copy=False)


def no_device(name: str, there: Sequence[str], device: Any) -> ValueError:
    """The error of the backend `name` for a device that is not among those that are `there`."""
    return ValueError(f"{name}: expected a device that is here ({', '.join(there)}); got {device!r}")


def is_basic(index: Any) -> bool:
    """Whether an index has only integers, slices, None and Ellipsis: it meets no element twice."""
    items = index if isinstance(index, tuple) else (index,)
    return all(
        item is None
        or isinstance(item, slice | EllipsisType | np.integer)
        or (isinstance(item, int) and not isinstance(item, bool))
        for item in items
    )


class Backend:
    """One array library: its namespace, its transfers and what it does better than the plain formula.

    A new backend sets `name`, `xp` and `array_types` and defines `from_numpy` and `to_numpy`. Everything
    else has a default that needs only the Array API standard.

    Attributes
    ----------
    name : str
        What users write: ``v.to("torch")``.
    xp : module
        The Array API namespace that ops compute with.
    module : module
        What `tensorgrad.cuda.get_array_module` gives to users: the library as they know it.
    array_types : tuple of type
        The concrete array types. The first is the type of the namespace's results.
    writable : bool
        Whether ``array[index] += values`` works, with slices at least.
    temporary : int
        Temporary arrays of more elements are made in parts where that is possible, so that they stay in the
        cache; 0 where there is nothing to gain.
    unpromoted : frozenset of str
        Functions of two arrays, by their names in the standard, whose operators do not give the dtype that
        the standard says. Their arguments are brought to that dtype first.
    """

    name: ClassVar[str] = ""
    writable: ClassVar[bool] = True
    temporary: ClassVar[int] = 0
    unpromoted: ClassVar[frozenset[str]] = frozenset()
    xp: Any
    array_types: tuple[type, ...]
    known_complex: ClassVar[dict[Any, bool]]  # of each class: dtypes of two libraries do not compare

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls.known_complex = {}

    @property
    def module(self) -> Any:
        return self.xp

    @property
    def version(self) -> str:
        """The version of the library."""
        root = self.array_types[0].__module__.partition(".")[0]
        return str(getattr(sys.modules.get(root), "__version__", "of unknown version"))

    # -- transfers -------------------------------------------------------------------------------

    def from_numpy(self, array: np.ndarray[Any, Any], device: Any = None) -> Array:
        """Copy a NumPy array into this library, onto `device` (the default device if None)."""
        self._missing("from_numpy")

    sends_ahead: ClassVar[bool] = False
    """Whether `send` copies while the device computes."""

    def send(self, arrays: Sequence[np.ndarray[Any, Any]], device: Any = None) -> Callable[[], list[Array]]:
        """Begin to copy NumPy arrays into this library. What is returned gives them, to be used at once.

        The NumPy arrays may be changed as soon as `send` is done.
        """
        copies = [self.from_numpy(array, device) for array in arrays]
        return lambda: copies

    def to_numpy(self, array: Array) -> np.ndarray[Any, Any]:
        """Copy an array of this library to the host; no copy where it lies there already."""
        self._missing("to_numpy")

    def to_device(self, array: Array, device: Any) -> Array:
        """The array on another device of the same library."""
        return self.xp.asarray(array, device=device)

    def device(self, array: Array) -> Any:
        """Where an array lies, in the library's own terms."""
        return array.device

    def as_device(self, device: Any) -> Any:
        """What the namespace takes for a device that may be named by text, such as ``cpu``."""
        return device

    def devices(self) -> list[str]:
        """The devices of this library on this machine, as text for people."""
        return ["cpu"]

    # -- arrays ----------------------------------------------------------------------------------

    def adopt(self, array: Array) -> Array:
        """The array as a Variable holds it, or an error that says why it cannot."""
        return array

    def as_array(self, value: Any) -> Array:
        """What a computation returned, as an array: NumPy's scalars become 0-d arrays."""
        return value if isinstance(value, self.array_types) else self.xp.asarray(value)

    def copy(self, array: Array) -> Array:
        """The same values in memory of their own."""
        return self.xp.asarray(array, copy=True)

    def is_floating(self, dtype: Any) -> bool:
        """Whether `dtype` is real floating or complex: the dtypes that carry gradients."""
        return bool(self.xp.isdtype(dtype, ("real floating", "complex floating")))

    def is_complex(self, dtype: Any) -> bool:
        """Whether `dtype` is complex."""
        known = self.known_complex.get(dtype)
        if known is None:
            known = self.known_complex[dtype] = bool(self.xp.isdtype(dtype, "complex floating"))
        return known

    def ones_like(self, array: Array) -> Array:
        """Ones of the same shape, dtype and device."""
        return self.xp.ones_like(array)

    # -- what the standard leaves open -----------------------------------------------------------

    def getitem(self, array: Array, index: Any) -> Array:
        """``array[index]``, for every index that the library understands."""
        return self.as_array(array[index])

    def scatter_add(self, base: Array, index: Any, values: Array) -> Array:
        """Add `values` at ``base[index]``, once for each time that an element occurs there.

        `base` belongs to the call and may be overwritten; use what is returned. `index` is any index
        that `getitem` takes; `values` have the dtype of `base` and broadcast to ``base[index]``.

        The default sorts the values by their position in `base` and sums runs of equal positions in
        pairs, which keeps rounding errors as small as ``sum`` does. Everything stays on the device.
        """
        xp = self.xp
        items = index if isinstance(index, tuple) else (index,)
        if self.writable and is_basic(index):
            where = tuple(i for i in items if i is not None)  # the standard has no None here
            values = xp.broadcast_to(values, self.getitem(base, index).shape)
            base[where] += xp.reshape(values, self.getitem(base, where).shape)
            return base
        whole_rows = all(is_array(i) and xp.isdtype(i.dtype, "integral") for i in items)
        lead = base.shape[: len(items)] if whole_rows else base.shape
        size, width = math.prod(lead), math.prod(base.shape[len(lead) :])
        targets = xp.arange(size, device=self.device(base))
        positions = self.getitem(xp.reshape(targets, lead), index)
        count = math.prod(positions.shape)
        if count * width == 0:
            return base
        values = xp.broadcast_to(values, (*positions.shape, *base.shape[len(lead) :]))
        positions = xp.reshape(positions, (count,))
        order = xp.argsort(positions)
        positions = xp.take(positions, order, axis=0)
        sums = xp.take(xp.reshape(values, (count, width)), order, axis=0)
        sums = _sums_of_runs(xp, positions, sums)
        last = xp.searchsorted(positions, targets, side="right") - 1  # -1 before the first run
        last = xp.where(last < 0, xp.zeros_like(last), last)
        hit = xp.reshape(xp.take(positions, last, axis=0) == targets, (size, 1))
        sums = xp.take(sums, last, axis=0)
        return base + xp.reshape(xp.where(hit, sums, xp.zeros_like(sums)), base.shape)

    def setitem(self, base: Array, index: Any, values: Any) -> Array:
        """Put `values` at an index of integers and slices.

        `base` may be overwritten; use what is returned. `values` is an array that broadcasts to
        ``base[index]``, or a number.
        """
        base[index] = values
        return base

    def last_writers(self, positions: Array, size: int) -> tuple[Array, Array]:
        """What stands where after values were written one after the other at `positions`.

        Parameters
        ----------
        positions : array of int, shape (n,), n > 0
            Less than `size`.

        Returns
        -------
        written : array of bool, shape (size,)
        last : array of int, shape (size,)
            The number of the value that was written last; any number where none was.
        """
        xp = self.xp
        order = xp.argsort(positions, stable=True)
        positions = xp.take(positions, order, axis=0)
        targets = xp.arange(size, device=self.device(positions))
        found = xp.searchsorted(positions, targets, side="right") - 1
        found = xp.where(found < 0, xp.zeros_like(found), found)
        return xp.take(positions, found, axis=0) == targets, xp.take(order, found, axis=0)

    def may_overwrite(self, holder: Any) -> bool:
        """Whether ``holder.data`` can be changed in place and nothing else refers to its memory."""
        return False

    def windows(
        self, x: Array, kernel: tuple[int, ...], stride: tuple[int, ...], dilation: tuple[int, ...]
    ) -> Array:
        """What lies under a kernel at each of its places on the last axes of `x`.

        Parameters
        ----------
        x : array, shape ``(*lead, *lengths)``
            Each of `lengths` is that of one axis of the kernel.
        kernel, stride, dilation : tuple of int
            Its lengths, its steps from place to place, and those from one element of it to the next.

        Returns
        -------
        array, shape ``(*lead, *kernel, *counts)``
            It may share the memory of `x`, and elements of its own: read only.
        """
        axes = len(kernel)
        lead, lengths = x.shape[:-axes], x.shape[-axes:]
        counts = tuple(
            (n - d * (k - 1) - 1) // s + 1
            for n, k, s, d in zip(lengths, kernel, stride, dilation, strict=True)
        )
        parts = []
        for place in product(*map(range, kernel)):
            starts = (i * d for i, d in zip(place, dilation, strict=True))
            cuts = (slice(a, a + (n - 1) * s + 1, s) for a, n, s in zip(starts, counts, stride, strict=True))
            parts.append(x[(..., *cuts)])
        return self.xp.reshape(self.xp.stack(parts, axis=len(lead)), (*lead, *kernel, *counts))

    def masked(self, x: Array, mask: Array) -> Array:
        """The floating `x` where `mask` is True, 0 elsewhere, whatever `x` is there. One shape for both."""
        return self.xp.where(mask, x, self.xp.zeros((), dtype=x.dtype, device=self.device(x)))

    def add_distinct(self, base: Array, index: Any, values: Array) -> Array:
        """`scatter_add` with an index in which no element occurs twice, which may be faster."""
        return self.scatter_add(base, index, values)

    def add_scaled(self, base: Array, values: Array, scale: float) -> Array:
        """``base + scale * values`` in the dtype of `base`, in place where arrays can be changed."""
        base += scale * values
        return base

    def blocks(self, arrays: list[Array]) -> list[tuple[Array, ...]] | None:
        """Arrays of one shape in pieces of which a computation that is elementwise changes each in place.

        None where there is nothing to gain: then it takes the arrays as they are.
        """
        return None

    def seed(self, seed: int) -> None:
        """Set the state from which `uniform` and `normal` draw. Default: that of `randomness.host`."""
        randomness.host().seed(seed)

    def random_state(self) -> Any:
        """A point to which `set_random_state` goes back, to draw the same numbers again.

        Numbers, texts and NumPy arrays, in tuples or lists: it goes into a file with a checkpoint.
        """
        return randomness.host().get_state()

    def set_random_state(self, state: Any) -> None:
        """Draw from here on what was drawn after `random_state` gave this."""
        randomness.host().set_state(state)

    def uniform(self, shape: tuple[int, ...], dtype: Any, device: Any = None) -> Array:
        """Random numbers in [0, 1). Default: drawn on the host, as the book does, and moved."""
        draws = np.asarray(randomness.host().random_sample(shape))
        ulp = self.xp.finfo(dtype).eps / 2  # a multiple of it below 1 is exact, and stays below 1
        return self._drawn(np.asarray(np.floor(draws / ulp) * ulp), dtype, device)

    def normal(self, shape: tuple[int, ...], dtype: Any, device: Any = None) -> Array:
        """Random numbers of the standard normal. Default: drawn on the host and moved."""
        draws = np.asarray(randomness.host().standard_normal(shape))
        return self._drawn(draws, dtype, device)

    def _drawn(self, draws: np.ndarray[Any, Any], dtype: Any, device: Any) -> Array:
        on_host = {16: np.float16, 32: np.float32}.get(self.xp.finfo(dtype).bits, np.float64)
        return self.xp.astype(self.from_numpy(draws.astype(on_host), device), dtype, copy=False)

    @property
    def compiles(self) -> bool:
        """Whether `compiled` makes programs."""
        return type(self).compiled is not Backend.compiled

    def compiled(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """A function of arrays as one program, for `tensorgrad.tools.capture`.

        Parameters
        ----------
        function : callable
            ``function(state, number, *inputs)`` gives ``(state, outputs)``, each a list of arrays. It has no
            side effects but that it may overwrite the arrays of the state.

        Returns
        -------
        callable
            Of the same arguments and results. Where it raises, the arrays of the state are as they were.

        Raises
        ------
        CannotCompileError
            If the library compiles none; and by a call of what is returned, if the function looks at values.
        """
        raise CannotCompileError(f"{self.name} compiles no programs")

    def synchronize(self) -> None:
        """Wait until the device has done what it was given. Nothing to wait for by default."""

    has_marks: ClassVar[bool] = False
    """Whether `mark` and `elapsed` tell the time on the device, for a profiler."""

    def mark(self) -> Any:
        """A point in the work that the current device was given."""
        return perf_counter()

    def elapsed(self, start: Any, stop: Any) -> float:
        """Seconds between two marks that the device has come past."""
        return float(stop - start)

    def begin_range(self, name: str) -> None:
        """Begin a stretch of the program, within those that have begun, for the device's own tools."""

    def end_range(self) -> None:
        """End the stretch that began last."""

    def memory_info(self) -> dict[str, int]:
        """Bytes of memory on the current device, as far as the library knows them.

        ``used`` by arrays, ``held`` by the library's pool (the used ones included), ``free`` and
        ``total`` on the device.
        """
        return {}

    def special(self, name: str) -> Any:
        """The library's own special function `name` (``erf``, ...), or None: then a formula serves."""
        return None

    def kernel(self, name: str) -> Callable[..., Any] | None:
        """The fused kernel `name` of this library, or None: then the plain formula of the op serves.

        Ops ask by ``Op.fused(name, *args)``. A kernel is called with raw arrays of this library and the
        settings of the op, changes none of them, and gives what the formula gives: one array or a tuple. It
        gives None where it does not serve these arrays (their dtype, shape or order), and the formula does.
        ARCHITECTURE.md lists the names.
        """
        return None

    def _missing(self, what: str) -> NoReturn:
        raise TypeError(f"backend {self.name!r} ({type(self).__name__}) does not define {what}")

    def __repr__(self) -> str:
        return f"<backend {self.name}>"


def _sums_of_runs(xp: Any, keys: Array, rows: Array) -> Array:
    """Running sums of rows along runs of equal, sorted keys: at the last of a run stands its sum.

    After k of the log2(n) steps each row is the sum of the last 2**k of its run.
    """
    step = 1
    while step < keys.shape[0]:
        same = xp.expand_dims(keys[step:] == keys[:-step], axis=1)
        earlier = xp.where(same, rows[:-step, :], xp.zeros_like(rows[:-step, :]))
        rows = xp.concat((rows[:step, :], rows[step:, :] + earlier))
        step *= 2
    return rows


BY_TYPE: dict[type, Backend | None] = {float: None, int: None, bool: None, complex: None}
"""The owner of each array type met so far; None for Python scalars, which go along with any array."""

_BY_NAME: dict[str, Backend] = {}
_BY_CLASS: dict[type[Backend], Backend] = {}
_LOADING = RLock()  # two threads that ask for a backend first get the same one


@cache
def entry_points() -> dict[str, EntryPoint]:
    """The registered backends by the name of their entry point; NumPy comes first."""
    from importlib.metadata import entry_points  # noqa: PLC0415  # a third of what `import tensorgrad` cost

    found = {e.name: e for e in entry_points(group=GROUP)}
    return dict(sorted(found.items(), key=lambda item: (item[0] != "numpy", item[0])))


def register_backend(backend: Backend) -> Backend:
    """Make a backend known without an entry point (in a notebook or a test).

    Parameters
    ----------
    backend : Backend
        Replaces a backend of the same name.
    """
    _BY_NAME[backend.name] = backend
    for array_type in backend.array_types:
        BY_TYPE[array_type] = backend
    return backend


def get_backend(name: str | Backend) -> Backend:
    """The backend of that name; its library is imported now, if it was not yet.

    Raises
    ------
    LookupError
        If no backend has that name; the message lists those there are.
    BackendUnavailableError
        If it is known but cannot work here; the message says what is missing.
    """
    if isinstance(name, Backend):
        return name
    if name in _BY_NAME:
        return _BY_NAME[name]
    known = entry_points()
    if name not in known:
        raise LookupError(
            f"no backend is named {name!r}; there are: {', '.join(known) or 'none'}. "
            "Is tensorgrad, or the package that brings the backend, installed "
            "(an entry point of the group 'tensorgrad.backends')?"
        )
    with _LOADING:
        return _BY_NAME.get(name) or _load(known[name])


def loaded_backends() -> list[Backend]:
    """The backends that are in use so far, each once."""
    return list({id(backend): backend for backend in _BY_NAME.values()}.values())


def _load(entry_point: EntryPoint) -> Backend:
    try:
        made_by = entry_point.load()
        backend = _BY_CLASS.get(made_by) or made_by()
    except BackendUnavailableError as error:
        raise BackendUnavailableError(f"backend {entry_point.name!r}: {error}") from error
    except ImportError as error:
        raise BackendUnavailableError(
            f"backend {entry_point.name!r} ({entry_point.value}) cannot be imported: {error}"
        ) from error
    _BY_CLASS[made_by] = backend
    _BY_NAME[entry_point.name] = backend
    randomness.seed_late(backend)
    return register_backend(backend)


_REFUSED = {"MaskedArray": "masks would be lost", "matrix": "its * is a matrix product"}


def backend_of(array: Any) -> Backend | None:
    """The backend that owns an array; None for a Python or NumPy scalar.

    Raises
    ------
    TypeError
        If the type belongs to no registered array library.
    """
    kind = type(array)
    try:
        return BY_TYPE[kind]
    except KeyError:
        pass
    if isinstance(array, np.generic):
        return None
    if kind.__name__ in _REFUSED and isinstance(array, np.ndarray):
        raise TypeError(
            f"numpy {kind.__name__} is not supported ({_REFUSED[kind.__name__]}); "
            "pass a plain array: np.asarray(x)"
        )
    for base in kind.__mro__[:-1]:
        owner = BY_TYPE.get(base)
        if owner is None:
            root = base.__module__.partition(".")[0]
            if root not in entry_points():
                continue
            owner = get_backend(root)
            if not isinstance(array, owner.array_types):  # issubclass does not know JAX's tracers
                continue
        BY_TYPE[kind] = owner
        return owner
    raise TypeError(
        f"expected an array of a registered library ({', '.join(entry_points())}); "
        f"got {kind.__module__}.{kind.__qualname__}. "
        "Numbers and lists become arrays with tensorgrad.as_variable or numpy.asarray."
    )


def is_array(value: Any) -> bool:
    """Whether `value` is an array of a registered library."""
    try:
        return backend_of(value) is not None
    except TypeError:
        return False
