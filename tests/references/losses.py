"""Losses with options and metrics: loops over examples and classes, CTC by listing every alignment."""

import itertools
import math

import numpy as np
from scipy import special


def reduce(values, reduction, shape=None):
    values = np.asarray(values, dtype=float)
    if reduction == "none":
        return values if shape is None else values.reshape(shape)
    total = math.fsum(values.flat)
    return np.asarray(total / {"sum": 1, "mean": values.size, "batchmean": len(values)}[reduction])


def l1_loss(x, t, reduction="mean"):
    x, t = np.broadcast_arrays(x, t)
    return reduce([abs(a - b) for a, b in zip(x.flat, t.flat, strict=True)], reduction, x.shape)


def huber_loss(x, t, delta=1.0, reduction="mean"):
    x, t = np.broadcast_arrays(x, t)
    return reduce(special.huber(delta, x - t), reduction)


def binary_cross_entropy_with_logits(x, t, weight=None, pos_weight=None, reduction="mean"):
    weight, pos_weight = (np.broadcast_to(1.0 if w is None else w, x.shape) for w in (weight, pos_weight))
    values = [
        -w * (p * b * special.log_expit(a) + (1 - b) * special.log_expit(-a))
        for a, b, w, p in zip(x.flat, t.flat, weight.flat, pos_weight.flat, strict=True)
    ]
    return reduce(values, reduction, x.shape)


def kl_div_loss(log_p, t, log_target=False, reduction="batchmean"):
    t = np.exp(t) if log_target else t
    return reduce(special.rel_entr(t, np.exp(log_p)), reduction)


def cosine_similarity(x0, x1, axis=-1, eps=1e-8):
    x0, x1 = (np.moveaxis(a, axis, -1) for a in np.broadcast_arrays(x0, x1))
    flat = [
        a @ b / (math.hypot(*a) * math.hypot(*b))
        for a, b in zip(x0.reshape(-1, x0.shape[-1]), x1.reshape(-1, x1.shape[-1]), strict=True)
    ]
    return np.reshape(flat, x0.shape[:-1])


def cosine_embedding_loss(x0, x1, t, margin=0.0, reduction="mean"):
    cosines = cosine_similarity(x0, x1)
    return reduce(
        [1 - c if k == 1 else max(0.0, c - margin) for c, k in zip(cosines, t, strict=True)], reduction
    )


def triplet_margin_loss(anchor, good, bad, *, margin=1.0, p=2.0, eps=1e-6, swap=False, reduction="mean"):
    def distance(u, v):
        return np.sum(np.abs(u - v + eps) ** p, axis=-1) ** (1 / p)

    far = np.minimum(distance(anchor, bad), distance(good, bad)) if swap else distance(anchor, bad)
    return reduce(np.maximum(distance(anchor, good) - far + margin, 0), reduction)


def classes_first(x):
    """Rows of scores, one for each place."""
    return x[None] if x.ndim == 1 else np.moveaxis(x, 1, -1).reshape(-1, x.shape[1])


def labels_of(log_p, t, *, weight, ignore_index, label_smoothing, reduction):
    values, total = [], 0.0
    for row, k in zip(log_p, np.asarray(t).flat, strict=True):
        if k == ignore_index:
            values.append(0.0)
            continue
        w = np.ones(len(row)) if weight is None else weight
        target = label_smoothing / len(row) + (1 - label_smoothing) * (np.arange(len(row)) == k)
        values.append(-math.fsum(w * target * row))
        total += w[k]
    if reduction == "mean":
        return np.asarray(math.fsum(values) / total)
    return reduce(values, reduction, np.shape(t))


def cross_entropy(x, t, weight=None, *, ignore_index=-100, label_smoothing=0.0, reduction="mean"):
    log_p = np.array([row - special.logsumexp(row) for row in classes_first(x)])
    if np.asarray(t).dtype.kind != "f":
        options = {"weight": weight, "ignore_index": ignore_index, "label_smoothing": label_smoothing}
        return labels_of(log_p, t, **options, reduction=reduction)
    targets = classes_first(t) * (1 - label_smoothing) + label_smoothing / log_p.shape[1]
    weight = np.ones(log_p.shape[1]) if weight is None else weight
    shape = x.shape[:1] + x.shape[2:]
    return reduce([-math.fsum(weight * a * b) for a, b in zip(targets, log_p, strict=True)], reduction, shape)


def nll_loss(log_p, t, weight=None, *, ignore_index=-100, reduction="mean"):
    options = {"weight": weight, "ignore_index": ignore_index, "label_smoothing": 0.0}
    return labels_of(classes_first(log_p), t, **options, reduction=reduction)


def ctc_loss(log_p, t, input_lengths=None, target_lengths=None, *, blank=0, reduction="mean"):
    times, n, classes = log_p.shape
    losses = []
    for i in range(n):
        length = times if input_lengths is None else input_lengths[i]
        count = t.shape[1] if target_lengths is None else target_lengths[i]
        wanted, total = list(t[i, :count]), 0.0
        for path in itertools.product(range(classes), repeat=length):
            if [k for k, _ in itertools.groupby(path) if k != blank] == wanted:
                total += math.exp(sum(log_p[time, i, k] for time, k in enumerate(path)))
        loss = -math.log(total) if total else math.inf
        losses.append(loss / max(count, 1) if reduction == "mean" else loss)
    return reduce(losses, reduction)


# -- metrics -------------------------------------------------------------------------------------


def confusion_matrix(y, t, n_classes=None):
    counts = np.zeros((y.shape[1], y.shape[1]), np.int64)
    for row, k in zip(y, t.flat, strict=True):
        counts[k, list(row).index(max(row))] += 1
    return counts


def top_k_accuracy(y, t, k=5):
    hits = [label in np.argsort(-row, kind="stable")[:k] for row, label in zip(y, t.flat, strict=True)]
    return np.asarray(np.mean(hits))


def scores(y, t, average, score):
    counts = confusion_matrix(y, t)
    rows = [(counts[k, k], counts[:, k].sum(), counts[k].sum()) for k in range(len(counts))]
    if average == "micro":
        return np.asarray(score(*(sum(column) for column in zip(*rows, strict=True))))
    each = np.array([score(*row) for row in rows])
    if average is None:
        return each
    return np.asarray(np.average(each, weights=counts.sum(axis=1) if average == "weighted" else None))


def precision(y, t, average="macro"):
    return scores(y, t, average, lambda right, guessed, true: right / guessed if guessed else 0.0)


def recall(y, t, average="macro"):
    return scores(y, t, average, lambda right, guessed, true: right / true if true else 0.0)


def f1_score(y, t, average="macro"):
    return scores(
        y, t, average, lambda right, guessed, true: 2 * right / (guessed + true) if guessed + true else 0.0
    )


REFERENCES = {
    f.__name__: f
    for f in (
        *(l1_loss, huber_loss, binary_cross_entropy_with_logits, kl_div_loss, cosine_similarity),
        *(cosine_embedding_loss, triplet_margin_loss, cross_entropy, nll_loss, ctc_loss),
        *(confusion_matrix, top_k_accuracy, precision, recall, f1_score),
    )
}
