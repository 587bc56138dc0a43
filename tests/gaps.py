"""What is known not to work, per backend: each an expected failure, and an error once it works.

A key is the name of a test, or in the table test of the ops a pattern, as `fnmatch` reads it, for
``test/function/number of the sample/dtype``, as in ``forward/cumsum/*/float32``.
"""

from __future__ import annotations

from fnmatch import fnmatchcase

import pytest

GAPS: dict[str, dict[str, str]] = {
    "cupy": {
        "numbers after a checkpoint": "cuRAND tells no state: they follow from the seed, but are others",
        **{
            f"forward/dropout/{number}/*": "it draws numbers of its own, on the device"
            for number in (0, 1, 4)
        },
    },
    "dpnp": {
        "attention in float16": "dpnp 0.20 multiplies no matrix of float16 with a vector",
        "an array on the left": "its operators raise a TypeError instead of leaving it to the other side",
    },
    "array_api_strict": {
        "an array on the left": "its operators raise a TypeError instead of leaving it to the other side",
    },
}
"""Backend -> pattern -> the reason."""


def expect_gap(request: pytest.FixtureRequest, backend: str, key: str) -> None:
    """Mark the running test as an expected failure if the table has it."""
    for pattern, reason in GAPS.get(backend, {}).items():
        if fnmatchcase(key, pattern):
            request.applymarker(pytest.mark.xfail(strict=True, reason=reason))
