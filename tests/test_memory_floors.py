"""The peak of a training step against its floor: parameters, gradients, and what backward must keep.

Counted by tracemalloc in the second step and later, while the loss of the step before is still alive.
"""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest

import tensorgrad as tg
import tensorgrad.functions as F
import tensorgrad.layers as L

FLOAT = 4  # bytes


def numbers(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).standard_normal(shape, dtype=np.float32)


def size(*shape: int) -> int:
    return FLOAT * int(np.prod(shape))


def peak_of_a_step(model, loss_of) -> tuple[int, int]:
    """Bytes at the peak of the third step, from the weights on, and those of the weights."""
    loss_of()  # layers make their weights
    params = [p for p in model.params() if p.requires_grad]
    weights = sum(FLOAT * p.data.size for p in params)
    last: list[tg.Variable] = []

    def step() -> None:
        loss = loss_of()
        for p in params:
            p.cleargrad()
        loss.backward()
        for p in params:
            p.data -= np.float32(1e-4) * p.grad.data
        last[:] = [loss]

    tracemalloc.start()
    try:
        for p in params:
            p.data = p.data.copy()  # counted from here on
            p.cleargrad()
        step()
        step()
        tracemalloc.reset_peak()
        step()
        return tracemalloc.get_traced_memory()[1], weights
    finally:
        tracemalloc.stop()


def test_fifty_layers_of_linear_and_tanh():
    """Kept is one activation for each layer."""
    width, batch, depth = 128, 512, 50

    class Net(tg.Model):
        def __init__(self):
            super().__init__()
            for i in range(depth):
                setattr(self, f"l{i}", L.Linear(width, nobias=True))

        def forward(self, x):
            for i in range(depth):
                x = F.tanh(getattr(self, f"l{i}")(x))
            return x

    model, x = Net(), numbers(batch, width)
    peak, weights = peak_of_a_step(model, lambda: F.sum(model(x) ** 2))
    floor = 2 * weights + depth * size(batch, width)
    assert peak <= 1.05 * floor, f"{peak / floor:.3f} x the floor"


def test_a_stack_of_residual_blocks():
    """Kept is the input of each convolution and of each normalisation; ReLU keeps what the next one keeps."""
    channels, length, batch, depth = 8, 24, 8, 6

    class Block(L.Layer):
        def __init__(self):
            super().__init__()
            self.conv1, self.conv2 = (L.Conv2d(channels, 3, pad=1, nobias=True) for _ in range(2))
            self.norm1, self.norm2 = L.BatchNorm(), L.BatchNorm()

        def forward(self, x):
            h = F.relu(self.norm1(self.conv1(x)))
            return F.relu(self.norm2(self.conv2(h)) + x)

    model = tg.models.Sequential(*[Block() for _ in range(depth)])
    x = numbers(batch, channels, length, length)
    peak, weights = peak_of_a_step(model, lambda: F.sum(model(x) ** 2))
    image = size(batch, channels, length, length)
    # conv1's input, norm1's, conv2's, norm2's; a block's output is the next one's input
    floor = 2 * weights + (4 * depth + 1) * image
    # while a convolution runs: its patches, the padded image, and a gradient on either side
    running = (9 + 3) * image
    assert peak <= 1.05 * (floor + running), f"{peak / floor:.3f} x the floor"


def test_an_lstm():
    """Kept are the gates, c and h of each step, and the input."""
    steps, batch, units = 50, 32, 64
    model = L.NStepLSTM(units)
    x = numbers(steps, batch, units)
    peak, weights = peak_of_a_step(model, lambda: F.sum(model(x)[0] ** 2))
    floor = 2 * weights + size(steps, batch, (4 + 1 + 1) * units)
    # in backward: the gradients of h and of the gates, and all h in one array for the gradient of U
    passing = size(steps, batch, (1 + 4 + 1) * units)
    assert peak <= 1.05 * (floor + passing), f"{peak / floor:.3f} x the floor"


def test_transformer_blocks():
    """Kept for each block: what its two norms, six products, attention and gelu need."""
    batch, length, width, heads, depth = 8, 32, 64, 4, 8
    blocks = [L.TransformerEncoderBlock(width, heads) for _ in range(depth)]
    model = tg.models.Sequential(*blocks)
    x = numbers(batch, length, width)
    peak, weights = peak_of_a_step(model, lambda: F.sum(model(x) ** 2))
    # norm1's input and result; q, k, v; attention's result; norm2's input and result; gelu's, l2's; P
    block = size(batch, length, width) * (2 + 3 + 1 + 2 + 4 + 4) + size(batch, heads, length, length)
    floor = 2 * weights + depth * block
    assert peak <= 1.05 * floor, f"{peak / floor:.3f} x the floor"


def test_inference_holds_two_activations_at_most():
    width, batch, depth = 128, 2048, 20
    model = tg.models.MLP((width,) * depth, activation=F.tanh)
    x = numbers(batch, width)
    with tg.no_grad():
        model(x)
        tracemalloc.start()
        model(x)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert peak <= 2.05 * size(batch, width)


@pytest.mark.parametrize("retain_grad", [False, True])
def test_the_curve_of_live_bytes(retain_grad):
    """Going forward it rises by an activation a layer; going back it falls by one, unless gradients stay."""
    batch, width, depth = 256, 64, 20
    activation = size(batch, width)
    curve = []

    class Probe(tg.Function):
        """Passes on what it is given, and notes what is alive."""

        saves = ()

        def forward(self, x):
            curve.append(tracemalloc.get_traced_memory()[0] / activation)
            return x

        def backward(self, gy):
            curve.append(tracemalloc.get_traced_memory()[0] / activation)
            return gy

    tracemalloc.start()
    h = tg.Variable(numbers(batch, width))
    held = []
    for _ in range(depth):
        h = Probe()(F.tanh(h))
        held.append(h)
    loss = F.sum(h)
    held = held if retain_grad else []
    del h
    loss.backward(retain_grad=retain_grad)
    tracemalloc.stop()
    up, down = np.diff(curve[:depth]), np.diff(curve[depth:])
    np.testing.assert_allclose(up[1:], 1, atol=0.1)  # the first one is there beside its input
    # an activation less; but where handles are held, it stays and a gradient comes to it
    np.testing.assert_allclose(down[1:], 1 if retain_grad else -1, atol=0.1)
