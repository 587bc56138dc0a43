"""The names of the Array API standard as names of `tensorgrad`: those of the default backend's namespace.

``tensorgrad.__getattr__`` looks them up with `find`, so that they are no names of a module in which code is
written: ``sum`` and ``bool`` stay Python's own there.
"""

from __future__ import annotations

from functools import wraps
from typing import Any

import numpy as np

from tensorgrad.core import Variable, default_backend
from tensorgrad.functions.constants import owner_among, unwrap
from tensorgrad.functions.namespace import CONSTANT, DIFFERENTIABLE, DTYPES, EXTENSIONS, STANDARD, Namespace
from tensorgrad.functions.namespace import namespace as namespace_over

_FOLLOWERS: dict[str, Any] = {}


def default_namespace() -> Namespace:
    """The namespace over the default backend."""
    return namespace_over(default_backend())


def find(name: str) -> Any:
    """A name of the standard, in the namespace of the default backend.

    Functions find the default when they are called, so ``from tensorgrad import zeros`` follows it too.
    """
    if name not in STANDARD:
        raise AttributeError(f"module 'tensorgrad' has no attribute {name!r}", name=name)
    value = getattr(default_namespace(), name)
    if name in DIFFERENTIABLE or name in CONSTANT or name in DTYPES or name in EXTENSIONS:
        return value
    return _follower(name, value) if callable(value) else value


def names() -> list[str]:
    """The names of the standard that the default backend has."""
    return dir(default_namespace())


def _follower(name: str, function: Any) -> Any:
    """A function that is looked up in the default namespace when it is called."""
    made = _FOLLOWERS.get(name)
    if made is None:

        @wraps(function)
        def follow(*args: Any, **kwargs: Any) -> Any:
            return getattr(default_namespace(), name)(*args, **kwargs)

        made = _FOLLOWERS[name] = _asarray if name == "asarray" else follow
    return made


def _asarray(obj: Any, /, *, dtype: Any = None, device: Any = None, copy: bool | None = None) -> Variable:
    """An array, number or nested lists as a Variable; a Variable keeps its graph.

    Numbers, lists and NumPy arrays become arrays of the default backend. A Variable, and an array of another
    library, stays in its library: nothing is moved silently.
    """
    owner = None if isinstance(obj, np.ndarray) else owner_among((unwrap(obj),))
    return namespace_over(owner or default_backend()).asarray(obj, dtype=dtype, device=device, copy=copy)
