"""Embeddings, as a product with one-hot rows."""

import numpy as np


def embed_id(x, W, padding_idx=None):
    hot = np.asarray(x)[..., None] == np.arange(len(W))
    if padding_idx is not None:
        hot &= (np.asarray(x) != padding_idx)[..., None]
    return np.einsum("...v,vd->...d", hot.astype(float), W)


REFERENCES = {"embed_id": embed_id}
