"""Special functions, by Python's own mathematics."""

import math

import numpy as np

REFERENCES = {"erf": np.vectorize(math.erf, otypes=[float])}
