"""Losses and metrics against torch and scikit-learn, at their edges, and the text of their errors."""

from __future__ import annotations

import gc
import re
import warnings

import numpy as np
import pytest

from tensorgrad import Variable
from tensorgrad import functions as F
from tensorgrad.testing.arrays import to_numpy

RNG = np.random.default_rng(11)


@pytest.fixture(scope="module")
def torch():
    module = pytest.importorskip("torch", reason="compared with torch where it is installed")
    gc.freeze()
    return module


def message(text: str) -> str:
    return f"^{re.escape(text)}$"


def normal(*shape):
    return RNG.standard_normal(shape)


def chances(*shape):
    p = RNG.uniform(0.1, 1.0, shape)
    return p / p.sum(axis=1, keepdims=True)


X, X3 = normal(6, 4), normal(3, 4, 5)
T, T3 = np.array([0, 3, 1, -100, 2, 3]), RNG.integers(0, 4, (3, 5))
W = np.array([0.5, 1.0, 2.0, 0.25])
CASES = {
    "squares": ("mean_squared_error", "mse_loss", (X, normal(6, 4)), {}),
    "l1": ("l1_loss", "l1_loss", (X, normal(6, 4)), {}),
    "huber": ("huber_loss", "huber_loss", (X, normal(6, 4)), {"delta": 0.7}),
    "labels": ("cross_entropy", "cross_entropy", (X, T), {}),
    "labels, weights": ("cross_entropy", "cross_entropy", (X, T, W), {"label_smoothing": 0.2}),
    "labels, places": ("cross_entropy", "cross_entropy", (X3, T3, W), {"ignore_index": 1}),
    "probabilities": ("cross_entropy", "cross_entropy", (X, chances(6, 4)), {}),
    "probabilities, weights": (
        *("cross_entropy", "cross_entropy"),
        *((X3, chances(3, 4, 5), W), {"label_smoothing": 0.3}),
    ),
    "nll": ("nll_loss", "nll_loss", (X, T, W), {}),
    "nll, places": ("nll_loss", "nll_loss", (X3, T3), {"ignore_index": 2}),
    "binary": (*["binary_cross_entropy_with_logits"] * 2, (X, RNG.uniform(0, 1, (6, 4))), {}),
    "kl": ("kl_div_loss", "kl_div", (np.log(chances(6, 4)), chances(6, 4)), {}),
    "kl, logs": (
        *("kl_div_loss", "kl_div"),
        *((np.log(chances(6, 4)), np.log(chances(6, 4))), {"log_target": True}),
    ),
    "cosine": (
        *["cosine_embedding_loss"] * 2,
        *((X, normal(6, 4), np.array([1, -1, 1, -1, -1, 1])), {"margin": 0.1}),
    ),
    "triplet": (*["triplet_margin_loss"] * 2, (X, normal(6, 4), normal(6, 4)), {"margin": 2.0}),
    "triplet, swapped": (
        *["triplet_margin_loss"] * 2,
        *((X, normal(6, 4), normal(6, 4)), {"swap": True, "p": 1.0}),
    ),
}


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
@pytest.mark.filterwarnings("ignore")  # torch would have another mean of kl_div
def test_against_torch(torch, backend, case, reduction):
    mine, theirs, args, options = case
    xs = [Variable(backend.from_numpy(a)) if a.dtype.kind == "f" else backend.from_numpy(a) for a in args]
    theirs_ = torch.nn.functional
    ts = [torch.tensor(a, requires_grad=a.dtype.kind == "f") for a in args]
    if len(ts) == 3 and mine in ("cross_entropy", "nll_loss"):
        ts[2].requires_grad = False
    other = getattr(theirs_, theirs.replace("kl_div_loss", "kl_div"))
    named = dict(zip(("weight",), ts[2:], strict=False)) if mine in ("cross_entropy", "nll_loss") else {}
    want = other(*(ts[:2] if named else ts), **named, **options, reduction=reduction)
    got = getattr(F, mine)(*xs, **options, reduction=reduction)
    np.testing.assert_allclose(to_numpy(got), want.detach().numpy(), rtol=1e-9, atol=1e-12)
    F.sum(got).backward()
    want.sum().backward()
    np.testing.assert_allclose(to_numpy(xs[0].grad), ts[0].grad.numpy(), rtol=1e-8, atol=1e-10)


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
def test_ctc_against_torch(torch, backend, reduction):
    scores = normal(12, 3, 5)
    targets = np.array([[1, 2, 2, 4], [3, 3, 3, 1], [2, 1, 0, 0]])
    lengths, counts = [12, 10, 7], [4, 4, 2]
    x = Variable(backend.from_numpy(scores))
    y = F.ctc_loss(
        F.log_softmax(x, axis=2), backend.from_numpy(targets), lengths, counts, reduction=reduction
    )
    t = torch.tensor(scores, requires_grad=True)
    want = torch.nn.functional.ctc_loss(
        t.log_softmax(2), torch.tensor(targets), torch.tensor(lengths), torch.tensor(counts), 0, reduction
    )
    np.testing.assert_allclose(to_numpy(y), want.detach().numpy(), rtol=1e-10)
    F.sum(y).backward()
    want.sum().backward()
    np.testing.assert_allclose(to_numpy(x.grad), t.grad.numpy(), rtol=1e-8, atol=1e-11)


# -- edges ---------------------------------------------------------------------------------------


def test_a_target_too_long_for_its_input(backend):
    def loss(**options):
        x = Variable(backend.from_numpy(np.log(np.full((2, 2, 3), 1 / 3))))
        t = backend.from_numpy(np.array([[1, 1], [1, 2]]))  # 1, blank, 1 needs three times
        y = F.ctc_loss(x, t, reduction="none", **options)
        F.sum(y).backward()
        return to_numpy(y), to_numpy(x.grad)

    value, gradient = loss()
    np.testing.assert_allclose(value, [np.inf, 2 * np.log(3)])
    np.testing.assert_allclose(gradient[:, 0], 0)
    np.testing.assert_allclose(gradient[:, 1], [[0, -1, 0], [0, 0, -1]], atol=1e-12)
    np.testing.assert_allclose(loss(zero_infinity=True)[0], [0, 2 * np.log(3)])


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_ctc_of_certain_outputs(backend, dtype):
    x = np.full((3, 1, 3), -np.inf)
    x[[0, 1, 2], 0, [1, 0, 2]] = 0.0
    x = Variable(backend.from_numpy(x.astype(dtype)))
    y = F.ctc_loss(x, backend.from_numpy(np.array([[1, 2]])), reduction="none")
    assert (to_numpy(y), str(to_numpy(y).dtype)) == ([0.0], dtype)


def test_nothing_counts(backend):
    x = Variable(backend.from_numpy(normal(2, 3)))
    y = F.cross_entropy(x, backend.from_numpy(np.array([-100, -100])))
    y.backward()
    assert y.item() == 0
    np.testing.assert_array_equal(to_numpy(x.grad), np.zeros((2, 3)))


def test_scores_of_minus_infinity(backend):
    """A class that is masked out has probability 0; a target of 0 there costs nothing."""
    scores = np.array([[0.0, -np.inf, 1.0]])
    for target in (np.array([0]), np.array([[0.5, 0.0, 0.5]])):
        x = Variable(backend.from_numpy(scores))
        y = F.cross_entropy(x, backend.from_numpy(target))
        y.backward()
        assert np.isfinite(y.item())
        assert np.isfinite(to_numpy(x.grad)).all()


def test_no_overflow(backend):
    x = Variable(backend.from_numpy(np.array([-1e4, 1e4, 0.0], np.float32)))
    t = backend.from_numpy(np.array([0, 1, 1]))
    y = F.binary_cross_entropy_with_logits(x, t, pos_weight=2.0, reduction="none")
    np.testing.assert_allclose(to_numpy(y), [0, 0, 2 * np.log(2)], rtol=1e-6)
    y = F.binary_cross_entropy_with_logits(x, t, reduction="none")
    np.testing.assert_allclose(to_numpy(y), [0, 0, np.log(2)], rtol=1e-6)
    F.sum(y).backward()
    np.testing.assert_allclose(to_numpy(x.grad), [0, 0, -0.5], rtol=1e-6)


def test_float32_stays_float32(backend):
    x = Variable(backend.from_numpy(normal(4, 3).astype("f")))
    t, w = backend.from_numpy(np.array([0, 1, 2, -100])), backend.from_numpy(np.ones(3, "f"))
    ys = [
        F.cross_entropy(x, t, w, label_smoothing=0.1),
        F.cross_entropy(x, F.softmax(x), label_smoothing=0.1),
        F.nll_loss(x, t),
        F.huber_loss(x, 0.5),
        F.l1_loss(x, 0.5, reduction="none"),
        F.kl_div_loss(x, F.softmax(x)),
        F.cosine_embedding_loss(x, x, [1, 1, -1, -1], margin=0.2),
        F.triplet_margin_loss(x, -x, x * 0.5),
        F.ctc_loss(F.reshape(x, (4, 1, 3)), backend.from_numpy(np.array([[1]]))),
    ]
    assert [str(to_numpy(y).dtype) for y in ys] == ["float32"] * len(ys)


def test_cosine_of_a_vector_of_zeros(backend):
    x = Variable(backend.from_numpy(np.zeros((2, 3))))
    y = F.cosine_similarity(x, backend.from_numpy(normal(2, 3)))
    F.sum(y).backward()
    np.testing.assert_array_equal(to_numpy(y), [0, 0])
    assert np.isfinite(to_numpy(x.grad)).all()


def test_no_gradient_for_labels():
    t = Variable(np.array([0, 1]))
    F.cross_entropy(Variable(normal(2, 3)), t).backward()
    F.binary_cross_entropy_with_logits(Variable(normal(2)), t).backward()
    assert t.grad is None


# -- metrics -------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def sklearn_metrics():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = pytest.importorskip("sklearn.metrics", reason="compared with scikit-learn where installed")
    gc.freeze()
    return found


@pytest.mark.parametrize("average", ["macro", "micro", "weighted", None])
@pytest.mark.parametrize("name", ["precision", "recall", "f1_score"])
def test_metrics_against_scikit_learn(sklearn_metrics, backend, name, average):
    guessed = RNG.integers(0, 4, 40)
    true = RNG.integers(0, 5, 40)  # nothing is taken for class 4
    other = getattr(sklearn_metrics, name if name == "f1_score" else f"{name}_score")
    want = other(true, guessed, average=average, labels=range(6), zero_division=0)
    if average == "macro":  # over all six classes
        assert want < other(true, guessed, average=average, zero_division=0)
    ours = backend.from_numpy(guessed), backend.from_numpy(true)
    got = getattr(F, name)(*ours, average=average, n_classes=6)
    exact = to_numpy(got).dtype == np.float64  # torch's default is float32
    np.testing.assert_allclose(to_numpy(got), want, rtol=1e-12 if exact else 1e-6)
    matrix = F.confusion_matrix(*ours, n_classes=6)
    np.testing.assert_array_equal(
        to_numpy(matrix), sklearn_metrics.confusion_matrix(true, guessed, labels=range(6))
    )


def test_top_1_is_the_accuracy(backend):
    y = backend.from_numpy(np.round(normal(50, 4)))  # with many ties
    t = backend.from_numpy(RNG.integers(0, 4, 50))
    assert F.top_k_accuracy(y, t, 1).item() == F.accuracy(y, t).item()
    assert F.top_k_accuracy(y, t, 4).item() == 1


# -- errors --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("call", "kind", "expected"),
    [
        (
            lambda: F.l1_loss(X, X, reduction="avg"),
            *(ValueError, "l1_loss: expected reduction to be one of mean, sum, none; got 'avg'"),
        ),
        (lambda: F.huber_loss(X, X, 0.0), ValueError, "huber_loss: expected delta > 0; got 0.0"),
        (
            lambda: F.cross_entropy(X, np.zeros(5, int)),
            ValueError,
            "cross_entropy: expected labels of shape (6,) for scores (6, 4); got (5,)",
        ),
        (
            lambda: F.cross_entropy(X, np.array([0, 1, 2, 3, 4, -1])),
            ValueError,
            (
                "cross_entropy: expected labels from 0 to 3, one for each class, or ignore_index -100; "
                "got labels from -1 to 4"
            ),
        ),
        (
            lambda: F.cross_entropy(X, chances(6, 3)),
            ValueError,
            "cross_entropy: expected probabilities of the shape of the scores, (6, 4); got (6, 3)",
        ),
        (
            lambda: F.cross_entropy(X, T, np.ones(3)),
            ValueError,
            "cross_entropy: expected a weight for each of 4 classes; got (3,)",
        ),
        (
            lambda: F.cross_entropy(X, T, label_smoothing=2),
            ValueError,
            "cross_entropy: expected label_smoothing in [0, 1]; got 2",
        ),
        (
            lambda: F.nll_loss(np.ones(()), np.array(0)),
            ValueError,
            "nll_loss: expected scores of shape (N, C), (N, C, ...) or (C,); got ()",
        ),
        (
            lambda: F.nll_loss(X, np.ones(6)),
            TypeError,
            "nll_loss: expected labels of an integer dtype; got float64",
        ),
        (
            lambda: F.binary_cross_entropy_with_logits(X, np.ones(6)),
            ValueError,
            "binary_cross_entropy_with_logits: expected targets of shape (6, 4); got (6,)",
        ),
        (
            lambda: F.cosine_embedding_loss(X, X, [1, -1]),
            ValueError,
            (
                "cosine_embedding_loss: expected vectors of shape (N, D) and labels of shape (N,); "
                "got (6, 4) and (2,)"
            ),
        ),
        (
            lambda: F.ctc_loss(X, T3),
            ValueError,
            (
                "ctc_loss: expected log-probabilities of shape (T, N, C), T > 0, and targets of shape "
                "(N, S); got (6, 4) and (3, 5)"
            ),
        ),
        (
            lambda: F.ctc_loss(X3, np.ones((4, 2), int), [3, 3]),
            ValueError,
            "ctc_loss: expected input_lengths of shape (4,); got (2,)",
        ),
        (
            lambda: F.ctc_loss(X3, np.ones((4, 2), int), blank=5),
            ValueError,
            "ctc_loss: expected blank in [0, 5); got 5",
        ),
        (lambda: F.top_k_accuracy(X, abs(T) % 4, 0), ValueError, "top_k_accuracy: expected k >= 1; got 0"),
        (
            lambda: F.confusion_matrix(T, T),
            ValueError,
            "confusion_matrix: expected n_classes, since labels do not say how many classes there are",
        ),
        (
            lambda: F.recall(T, T[:3], n_classes=3),
            ValueError,
            "recall: expected scores of shape (N, C), or as many guesses as labels; got (6,) and (3,)",
        ),
        (
            lambda: F.f1_score(X[:, 0], T, n_classes=3),
            TypeError,
            "f1_score: expected labels of an integer dtype; got float64 and int64",
        ),
        (
            lambda: F.precision(X, T, average="mean"),
            ValueError,
            "precision: expected average to be 'macro', 'micro', 'weighted' or None; got 'mean'",
        ),
    ],
)
def test_errors(call, kind, expected):
    with pytest.raises(kind, match=message(expected)):
        call()
