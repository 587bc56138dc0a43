"""Instruments: where the time and the memory go, and where a nan comes from."""

from tensorgrad.tools.capture import capture as capture
from tensorgrad.tools.debugging import debug as debug
from tensorgrad.tools.profiling import profile as profile
