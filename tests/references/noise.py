"""Random functions, with the draws of NumPy's global state: one for each element, in C order."""

import numpy as np


def dropout(x, dropout_ratio=0.5):
    kept = np.random.random_sample(x.shape) >= dropout_ratio  # noqa: NPY002
    return np.where(kept, x / (1 - dropout_ratio), 0.0) if dropout_ratio < 1 else np.zeros_like(x)


REFERENCES = {"dropout": dropout}
