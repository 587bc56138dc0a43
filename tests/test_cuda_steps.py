"""Whole training steps on CuPy's arrays: none waits for the device, and they end where NumPy's do.

They need CuPy's arrays: those of a device, or the double's, which counts what would wait. On a device CuPy
itself refuses to wait within ``cupyx.allow_synchronize(False)``.
"""

from __future__ import annotations

import os
from contextlib import contextmanager

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad import Variable
from tensorgrad import functions as F
from tensorgrad import layers as L
from tensorgrad import optimizers as O
from tensorgrad.backend import get_backend

ON_DOUBLE = bool(os.environ.get("TENSORGRAD_CUPY_DOUBLE"))

pytestmark = [
    pytest.mark.cuda,
    pytest.mark.skipif(
        not ON_DOUBLE and not tg.cuda.is_available(),
        reason="neither a CUDA device nor the double of CuPy is here",
    ),
]


@contextmanager
def nothing_waits():
    """Fail if the host waits for the device, or copies more to it than tables of addresses."""
    if not ON_DOUBLE:
        import cupyx

        with cupyx.allow_synchronize(False):
            yield
        return
    from cuda_double import arrays

    with arrays.counting() as waits:
        yield
    assert dict(waits) == {}
    assert set(arrays.COPIES) <= {"int64 of 2 axes"}, "more than the tables of updates was copied"


class CNN(tg.Model):
    def __init__(self, ratio=0.0):
        super().__init__()
        self.conv, self.norm, self.out = L.Conv2d(4, 3, pad=1), L.BatchNorm(), L.Linear(3)
        self.ratio = ratio

    def forward(self, x):
        h = F.pooling(F.relu(self.norm(self.conv(x))), 2, 2)
        h = F.flatten(h)
        return self.out(F.dropout(h, self.ratio) if self.ratio else h)


class Recurrent(tg.Model):
    def __init__(self, cell):
        super().__init__()
        self.cell, self.out = cell(5), L.Linear(3)

    def forward(self, x):
        y = self.cell(x)
        y = y[0][-1] if isinstance(y, tuple) else y
        return self.out(y)


class Attention(tg.Model):
    def __init__(self):
        super().__init__()
        self.embed, self.block, self.out = L.EmbedID(11, 8), L.TransformerEncoderBlock(8, 2), L.Linear(3)

    def forward(self, x):
        return self.out(F.mean(self.block(self.embed(x)), axis=1))


class Pixels(tg.Model):
    """Classes of pixels, as rows."""

    def __init__(self):
        super().__init__()
        self.net = tg.models.UNet(3, width=2, depth=1)

    def forward(self, x):
        return F.reshape(F.permute_dims(self.net(x), (0, 2, 3, 1)), (-1, 3))


class Tokens(tg.Model):
    """The logits of each next token, as rows."""

    def __init__(self):
        super().__init__()
        self.net = tg.models.GPT(7, context=6, size=8, n_layers=1, n_heads=2)

    def forward(self, x):
        return F.reshape(self.net(x), (-1, 7))


RNG = np.random.default_rng(0)


def images(*shape):
    return RNG.standard_normal(shape)


def integers(most, *shape):
    return RNG.integers(0, most, shape)


MODELS = {
    "MLP": (lambda: tg.models.MLP((8, 3)), images(4, 6), integers(3, 4)),
    "CNN": (CNN, images(4, 2, 8, 8), integers(3, 4)),
    "RNN": (lambda: Recurrent(L.RNN), images(4, 6), integers(3, 4)),
    "LSTM": (lambda: Recurrent(L.LSTM), images(4, 6), integers(3, 4)),
    "GRU": (lambda: Recurrent(L.GRU), images(4, 6), integers(3, 4)),
    "NStepLSTM": (lambda: Recurrent(L.NStepLSTM), images(5, 4, 6), integers(3, 4)),
    "NStepGRU": (lambda: Recurrent(L.NStepGRU), images(5, 4, 6), integers(3, 4)),
    "attention": (Attention, integers(11, 4, 6), integers(3, 4)),
    "GPT": (Tokens, integers(7, 2, 6), integers(7, 12)),
    "ResNet18": (lambda: tg.models.ResNet18(n_classes=3, width=4), images(2, 3, 32, 32), integers(3, 2)),
    "UNet": (Pixels, images(1, 2, 8, 8), integers(3, 64)),
}
OPTIMIZERS = ("SGD", "MomentumSGD", "AdaGrad", "AdaDelta", "RMSprop", "Adam", "AdamW", "Adamax", "NAdam")
OPTIMIZERS += ("RAdam", "Lion", "LAMB")
BY_ELEMENT = ("mean_squared_error", "l1_loss", "huber", "pseudo_huber", "binary_cross_entropy_with_logits")
BY_ELEMENT += ("sigmoid_cross_entropy",)
BY_LABEL = ("softmax_cross_entropy", "cross_entropy", "nll_loss", "accuracy", "top_k_accuracy", "precision")
BY_LABEL += ("recall", "f1_score", "confusion_matrix")


def step(model, optimizer, x, t):
    """One step of training; the loss stays where it is."""
    model.cleargrads()
    model.reset_state()
    loss = F.softmax_cross_entropy(model(x), t)
    loss.backward()
    optimizer.update()
    return loss


def started(make, optimizer, backend):
    """A model on a library, weights from a seed, and its optimizer with hooks."""
    np.random.seed(0)  # noqa: NPY002  # weights are drawn as in the book
    model = make().to(backend.name)
    optimizer = optimizer.setup(model)
    for hook in (O.ClipGrad(0.5), O.WeightDecay(1e-3), O.ClipGradValue(0.1)):
        optimizer.add_hook(hook)
    return model, optimizer


@pytest.mark.parametrize("name", MODELS)
def test_a_step_waits_for_nothing_and_ends_where_numpy_s_does(name):
    make, x, t = MODELS[name]
    losses = {}
    for where in ("numpy", "cupy"):
        backend = get_backend(where)
        model, optimizer = started(make, O.Adam(0.01), backend)
        given = backend.from_numpy(x), backend.from_numpy(t)
        found = [
            step(model, optimizer, *given),
            step(model, optimizer, *given),
        ]  # the first makes what is kept
        if where == "cupy":
            with nothing_waits():
                found.append(step(model, optimizer, *given))
        else:
            found.append(step(model, optimizer, *given))
        losses[where] = [float(backend.to_numpy(loss.data)) for loss in found]
    np.testing.assert_allclose(losses["cupy"], losses["numpy"], rtol=2e-4)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_no_optimizer_waits(name):
    make, x, t = MODELS["MLP"]
    backend = get_backend("cupy")
    model, optimizer = started(make, getattr(O, name)(), backend)
    given = backend.from_numpy(x), backend.from_numpy(t)
    step(model, optimizer, *given)
    with nothing_waits():
        step(model, optimizer, *given)


def test_what_goes_along_with_a_step_waits_for_nothing():
    """Half precision, several batches to an update, an average of the weights, schedules."""
    make, x, t = MODELS["CNN"]
    backend = get_backend("cupy")
    given = backend.from_numpy(x.astype(np.float32)), backend.from_numpy(t)
    model, rule = started(make, O.SGD(0.1), backend)
    optimizer, average, schedule = O.Accumulate(rule, 2), O.EMA(model), O.OneCycleLR(rule, 1.0, 100)

    def batch():
        with tg.autocast("float16"):
            loss = F.softmax_cross_entropy(model(given[0]), given[1])
        loss.backward()
        if optimizer.update():
            average.update()
            schedule.step()

    for _ in range(4):
        batch()
    with nothing_waits():
        batch()
        batch()


def test_steps_of_a_trainer_wait_for_nothing():
    """Losses are fetched when an epoch ends; a GradScaler asks once in each step, as it says."""

    class Looking(tg.training.Callback):
        seen = ()

        def on_step_end(self, trainer):
            from cuda_double import arrays

            self.seen = (*self.seen, sum(arrays.WAITS.values()))

    if not ON_DOUBLE:
        pytest.skip("a Trainer fetches losses at the end: only the double counts until then")
    from cuda_double import arrays

    data = [(RNG.standard_normal(6).astype(np.float32), i % 3) for i in range(12)]
    for precision, waits in ((None, 0), ("float16", 1)):
        model, looking = MODELS["MLP"][0]().to_gpu(), Looking()
        trainer = tg.Trainer(
            model,
            F.softmax_cross_entropy,
            O.Adam().setup(model),
            clip_norm=1.0,
            average=O.EMA(model),
            precision=precision,
            callbacks=[looking],
            progress=False,
        )
        with arrays.counting():
            trainer.fit(tg.DataLoader(data, 4, gpu=True), 1)
        assert looking.seen == (waits, 2 * waits, 3 * waits)


def test_no_loss_and_no_metric_waits():
    backend = get_backend("cupy")
    put = lambda a: backend.from_numpy(np.asarray(a))  # noqa: E731
    y, z, other = (Variable(put(RNG.standard_normal((4, 3)))) for _ in range(3))
    t, parts, signs = put([0, 1, 2, 0]), put(RNG.random((4, 3))), put([1, -1, 1, -1])
    calls = [
        *[(getattr(F, name), y, parts) for name in (*BY_ELEMENT, "cosine_similarity")],
        *[(getattr(F, name), y, t) for name in BY_LABEL],
        (F.binary_cross_entropy, F.sigmoid(y), parts),
        (F.kl_div_loss, F.log_softmax(y), parts),
        (F.triplet_margin_loss, y, z, other),
        (F.cosine_embedding_loss, y, z, signs),
        (F.ctc_loss, F.log_softmax(Variable(put(RNG.standard_normal((5, 2, 4))))), put([[1, 2], [3, 1]])),
    ]
    with nothing_waits():
        for function, *args in calls:
            value = function(*args)
            if value.requires_grad:
                F.sum(value).backward(retain_graph=True)


def test_dropout_and_test_mode_wait_for_nothing():
    backend = get_backend("cupy")
    model, optimizer = started(lambda: CNN(0.5), O.SGD(0.1), backend)
    given = backend.from_numpy(MODELS["CNN"][1]), backend.from_numpy(MODELS["CNN"][2])
    step(model, optimizer, *given)
    with nothing_waits():
        step(model, optimizer, *given)
        with tg.test_mode(), tg.no_grad():
            F.accuracy(model(given[0]), given[1])


def test_cuda_s_random_numbers_follow_from_the_seed_also_beyond_a_checkpoint():
    backend = get_backend("cupy")
    found = []
    for _ in range(2):
        tg.seed(5)
        drawn = []
        for _ in range(2):
            state = backend.random_state()  # as a checkpoint does, and a file of a run
            drawn.append(backend.to_numpy(backend.uniform((4,), np.float32)).tolist())
            backend.set_random_state(state)
            assert backend.to_numpy(backend.uniform((4,), np.float32)).tolist() == drawn[-1]
        found.append(drawn)
    tg.seed(None)
    assert found[0] == found[1]
    assert found[0][0] != found[0][1]


def test_what_waits_is_seen():
    backend = get_backend("cupy")
    v = Variable(backend.from_numpy(np.ones(2)))
    for use in (lambda: v.sum().item(), lambda: float(v.sum()), lambda: v[v > 0], lambda: v.to("numpy")):
        with pytest.raises((AssertionError, RuntimeError)), nothing_waits():
            use()


def test_a_profile_tells_times_ranges_and_transfers():
    backend = get_backend("cupy")
    x = Variable(backend.from_numpy(np.ones((3, 4), np.float32)))
    if ON_DOUBLE:
        from cuda_double import modules

        modules.RANGES.clear()
    with tg.profile() as p, p.region("all"):
        y = F.sum(F.tanh(x))
        y.backward()
        with pytest.raises(ValueError, match="matmul"):
            F.matmul(x, x)
        backend.from_numpy(np.ones(5, np.float32))
        assert float(y) > 0
    assert {row.name: (row.forward_calls, row.backward_calls) for row in p.rows()} == {
        "Tanh": (1, 1),
        "Sum": (1, 1),
    }
    assert all(event.stop >= event.start for event in p.events)
    assert p.transfers == {"to host": (1, 4), "from host": (1, 20)}
    if ON_DOUBLE:
        told = ["all", "Tanh", None, "Sum", None, "Sum backward", None, "Tanh backward", None, "MatMul", None]
        assert [*told, None] == modules.RANGES


# -- what moves with a model ---------------------------------------------------------------------


def names_of_libraries(model, optimizer):
    found = {p.backend.name for p in model.params()}
    for state in optimizer._states.values():
        found |= {tg.backend.backend_of(a).name for a in state.values() if tg.backend.is_array(a)}
    return found


def test_training_goes_on_where_the_model_was_moved(tmp_path):
    make, x, t = MODELS["CNN"]
    losses = []
    for moves in (False, True):
        model, optimizer = started(make, O.Adam(0.01), get_backend("numpy"))
        given, found = (x, t), []
        for i in range(4):
            if moves and i == 1:
                model.to_gpu()
                given = tg.cuda.to_gpu((x, t))
            elif moves and i == 3:
                assert names_of_libraries(model, optimizer) == {"cupy"}
                model.save_weights(tmp_path / "weights.npz")
                optimizer.save(tmp_path / "state.npz")
                assert names_of_libraries(model, optimizer) == {"cupy"}  # saving moves nothing
                model.to_cpu()
                given = (x, t)
            found.append(float(tg.cuda.as_numpy(step(model, optimizer, *given))))
        assert names_of_libraries(model, optimizer) == {"numpy"}
        losses.append(found)
    np.testing.assert_allclose(losses[1], losses[0], rtol=1e-4)


def test_recurrent_state_moves_along():
    model = Recurrent(L.LSTM)
    x = MODELS["LSTM"][1]
    with tg.no_grad():
        want = [model(x).data for _ in range(3)][-1]
        model.reset_state()
        model(x)
        model.to_gpu()
        assert model.cell.h.backend.name == "cupy"
        model(tg.cuda.to_gpu(x))
        model.to_cpu()
        np.testing.assert_allclose(model(x).data, want, rtol=1e-5)


def test_moves_that_are_none():
    backend = get_backend("cupy")
    array = backend.from_numpy(np.ones(3))
    v = Variable(array)
    with nothing_waits():
        assert v.to_gpu().data is array
        assert v.to_gpu(0).data is array
        assert tg.cuda.to_gpu([array])[0] is array
        assert tg.cuda.as_cupy(v) is array
    y = F.sum(v * v)
    assert y.to_gpu(0) is y  # it was computed, and is there
    v.to_gpu(0)
    y.backward()
    assert backend.to_numpy(v.grad.data).tolist() == [2.0] * 3  # an earlier graph still leads here
