"""One number at a time, by Python's own mathematics."""

import math
from fractions import Fraction

import numpy as np


def each(function):
    """The function of an array that applies a function of numbers to every element."""
    return np.vectorize(function, otypes=[float])


def log_of_sum(x0, x1):
    return max(x0, x1) + math.log1p(math.exp(-abs(x0 - x1)))


REFERENCES = {
    "abs": each(math.fabs),
    "acos": each(math.acos),
    "acosh": each(math.acosh),
    "asin": each(math.asin),
    "asinh": each(math.asinh),
    "atan": each(math.atan),
    "atan2": each(math.atan2),
    "atanh": each(math.atanh),
    "cos": each(math.cos),
    "cosh": each(math.cosh),
    "exp": each(math.exp),
    "expm1": each(math.expm1),
    "hypot": each(math.hypot),
    "log": each(math.log),
    "log10": each(math.log10),
    "log1p": each(math.log1p),
    "log2": each(math.log2),
    "logaddexp": each(log_of_sum),
    "reciprocal": each(lambda x: 1 / Fraction(x)),
    "sign": each(lambda x: math.copysign(1.0, x) if x else 0.0),
    "sin": each(math.sin),
    "sinh": each(math.sinh),
    "sqrt": each(math.sqrt),
    "square": each(lambda x: Fraction(x) ** 2),
    "tan": each(math.tan),
    "tanh": each(math.tanh),
}
