"""Which backends the tests run on: those that ``TENSORGRAD_TEST_BACKENDS`` names."""

from __future__ import annotations

import os

BACKENDS = [name.strip() for name in os.environ.get("TENSORGRAD_TEST_BACKENDS", "numpy").split(",") if name]
