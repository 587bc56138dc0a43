"""Layers against PyTorch's with the same weights: outputs, and the gradients of inputs and parameters.

Whole sequences (stacked, in both directions, of several lengths) are in test_recurrent.py, losses in
test_losses.py, and the functions below the layers in the tests of their subjects.
"""

from __future__ import annotations

import gc
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad import Variable
from tensorgrad import functions as F
from tensorgrad import layers as L
from tensorgrad.testing import assert_close

RNG = np.random.default_rng(5)
D = np.float64


@pytest.fixture(scope="module")
def torch():
    module = pytest.importorskip("torch", reason="compared with torch where it is installed")
    gc.freeze()
    return module


class Pair(NamedTuple):
    """A parameter of ours, the tensor of theirs, where in it, and whether it is the transpose."""

    ours: Any
    theirs: Any
    rows: slice = slice(None)
    transposed: bool = False

    def copy(self, torch: Any) -> None:
        values = self.ours.data.T if self.transposed else self.ours.data
        with torch.no_grad():
            self.theirs[self.rows] = torch.tensor(values.copy())

    def check(self) -> None:
        got = self.ours.grad.data.T if self.transposed else self.ours.grad.data
        assert_close(got, self.theirs.grad.numpy()[self.rows], rtol=1e-8, atol=1e-9)


def normal(*shape: int) -> Any:
    return RNG.normal(size=shape)


def linear(ours: Any, theirs: Any) -> list[Pair]:
    pairs = [Pair(ours.W, theirs.weight, transposed=True)]
    return pairs if ours.b is None else [*pairs, Pair(ours.b, theirs.bias)]


def kernels(ours: Any, theirs: Any) -> list[Pair]:
    return [Pair(ours.W, theirs.weight), Pair(ours.b, theirs.bias)]


def scales(ours: Any, theirs: Any) -> list[Pair]:
    beta = getattr(ours, "beta", None)
    return [Pair(ours.gamma, theirs.weight), *([] if beta is None else [Pair(beta, theirs.bias)])]


def nothing(_: Any, __: Any) -> list[Pair]:
    return []


def heads(ours: Any, theirs: Any) -> list[Pair]:
    pairs = linear(ours.out, theirs.out_proj)
    for i, part in enumerate((ours.query, ours.key, ours.value)):
        rows = slice(i * ours.size, (i + 1) * ours.size)
        pairs += [Pair(part.W, theirs.in_proj_weight, rows, True), Pair(part.b, theirs.in_proj_bias, rows)]
    return pairs


def encoder(ours: Any, theirs: Any) -> list[Pair]:
    return [
        *heads(ours.attention, theirs.self_attn),
        *linear(ours.l1, theirs.linear1),
        *linear(ours.l2, theirs.linear2),
        *scales(ours.norm1, theirs.norm1),
        *scales(ours.norm2, theirs.norm2),
    ]


def decoder(ours: Any, theirs: Any) -> list[Pair]:
    return [
        *heads(ours.attention, theirs.self_attn),
        *heads(ours.memory_attention, theirs.multihead_attn),
        *linear(ours.l1, theirs.linear1),
        *linear(ours.l2, theirs.linear2),
        *scales(ours.norm1, theirs.norm1),
        *scales(ours.norm_memory, theirs.norm2),
        *scales(ours.norm2, theirs.norm3),
    ]


def plain(layer: Any, *xs: Any) -> Any:
    return layer(*xs)


def agree(
    torch: Any,
    ours: Any,
    theirs: Any,
    pairs: list[Pair],
    xs: list[Any],
    *,
    call: Callable[..., Any] = plain,
    other: Callable[..., Any] = plain,
) -> None:
    """Compare both for the same inputs: ``call(ours, *xs)`` and ``other(theirs, *xs)``."""
    for path, p in ours.namedparams():
        if p.requires_grad:
            p.data = RNG.uniform(0.5, 1.5, p.shape) if path.endswith("gamma") else normal(*p.shape) / 2
    for pair in pairs:
        pair.copy(torch)
    mine = [Variable(x) for x in xs]
    tensors = [torch.tensor(x, requires_grad=True) for x in xs]
    y, z = call(ours, *mine), other(theirs, *tensors)
    assert y.dtype == D
    assert_close(y, z.detach().numpy(), rtol=1e-9, atol=1e-10)
    weight = normal(*y.shape)
    (y * weight).sum().backward()
    (z * torch.tensor(weight)).sum().backward()
    for v, t in zip(mine, tensors, strict=True):
        assert_close(v.grad, t.grad.numpy(), rtol=1e-8, atol=1e-9)
    for pair in pairs:
        pair.check()
    compared = {id(pair.ours) for pair in pairs}
    assert compared == {id(p) for p in ours.params() if p.requires_grad}


class Case(NamedTuple):
    ours: Any  # a layer
    theirs: Callable[[Any], Any]  # of torch.nn, their layer
    pairs: Callable[[Any, Any], list[Pair]]
    shape: tuple[int, ...]


CASES = {
    "Linear": Case(L.Linear(3, dtype=D), lambda nn: nn.Linear(4, 3), linear, (2, 5, 4)),
    "Linear, no bias": Case(
        L.Linear(3, nobias=True, dtype=D), lambda nn: nn.Linear(4, 3, bias=False), linear, (5, 4)
    ),
    "Conv1d": Case(
        L.Conv1d(6, 3, 2, 1, dtype=D, groups=2),
        lambda nn: nn.Conv1d(4, 6, 3, 2, 1, groups=2),
        kernels,
        (2, 4, 9),
    ),
    "Conv2d": Case(
        L.Conv2d(3, (3, 2), 2, 1, dtype=D), lambda nn: nn.Conv2d(4, 3, (3, 2), 2, 1), kernels, (2, 4, 5, 6)
    ),
    "Conv2d, dilated": Case(
        L.Conv2d(3, 3, pad=2, dtype=D, dilation=2),
        lambda nn: nn.Conv2d(4, 3, 3, padding=2, dilation=2),
        kernels,
        (2, 4, 5, 6),
    ),
    "Conv2d, depthwise": Case(
        L.Conv2d(8, 3, dtype=D, groups=4), lambda nn: nn.Conv2d(4, 8, 3, groups=4), kernels, (2, 4, 5, 6)
    ),
    "Conv3d": Case(L.Conv3d(3, 2, dtype=D), lambda nn: nn.Conv3d(2, 3, 2), kernels, (2, 2, 3, 4, 3)),
    "ConvTranspose1d": Case(
        L.ConvTranspose1d(3, 3, 2, 1, dtype=D),
        lambda nn: nn.ConvTranspose1d(4, 3, 3, 2, 1),
        kernels,
        (2, 4, 5),
    ),
    "ConvTranspose2d": Case(
        L.ConvTranspose2d(6, 3, 2, 1, dtype=D, groups=2),
        lambda nn: nn.ConvTranspose2d(4, 6, 3, 2, 1, groups=2),
        kernels,
        (2, 4, 3, 4),
    ),
    "ConvTranspose3d": Case(
        L.ConvTranspose3d(3, 2, 2, dtype=D),
        lambda nn: nn.ConvTranspose3d(2, 3, 2, 2),
        kernels,
        (2, 2, 2, 3, 2),
    ),
    "BatchNorm": Case(L.BatchNorm(eps=1e-3, dtype=D), lambda nn: nn.BatchNorm1d(4, 1e-3), scales, (6, 4)),
    "BatchNorm of images": Case(
        L.BatchNorm(eps=1e-3, dtype=D), lambda nn: nn.BatchNorm2d(4, 1e-3), scales, (3, 4, 2, 3)
    ),
    "LayerNorm": Case(L.LayerNorm(dtype=D), lambda nn: nn.LayerNorm(4), scales, (2, 5, 4)),
    "LayerNorm, two axes": Case(
        L.LayerNorm((-2, -1), dtype=D), lambda nn: nn.LayerNorm((5, 4)), scales, (2, 5, 4)
    ),
    "GroupNorm": Case(L.GroupNorm(2, dtype=D), lambda nn: nn.GroupNorm(2, 4), scales, (3, 4, 2, 3)),
    "RMSNorm": Case(L.RMSNorm(dtype=D), lambda nn: nn.RMSNorm(4, 1e-6), scales, (2, 5, 4)),
    "MaxPool2d": Case(L.MaxPool2d(3, 2, 1), lambda nn: nn.MaxPool2d(3, 2, 1), nothing, (2, 3, 7, 6)),
    "AveragePool2d": Case(
        L.AveragePool2d((3, 2), 2), lambda nn: nn.AvgPool2d((3, 2), 2), nothing, (2, 3, 7, 6)
    ),
    "AdaptiveMaxPool2d": Case(
        L.AdaptiveMaxPool2d((3, 2)), lambda nn: nn.AdaptiveMaxPool2d((3, 2)), nothing, (2, 3, 7, 5)
    ),
    "AdaptiveAveragePool2d": Case(
        L.AdaptiveAveragePool2d((3, 2)), lambda nn: nn.AdaptiveAvgPool2d((3, 2)), nothing, (2, 3, 7, 5)
    ),
    "Flatten": Case(L.Flatten(), lambda nn: nn.Flatten(), nothing, (2, 3, 4)),
    "TransformerEncoderBlock": Case(
        L.TransformerEncoderBlock(8, 2, 16, dtype=D),
        lambda nn: nn.TransformerEncoderLayer(8, 2, 16, 0.0, "gelu", batch_first=True, norm_first=True),
        encoder,
        (2, 5, 8),
    ),
    "TransformerEncoderBlock, norm last": Case(
        L.TransformerEncoderBlock(8, 2, 16, activation=F.relu, norm_first=False, dtype=D),
        lambda nn: nn.TransformerEncoderLayer(8, 2, 16, 0.0, batch_first=True),
        encoder,
        (2, 5, 8),
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_a_layer_of_one_input(torch, name):
    case = CASES[name]
    x = normal(*case.shape)
    theirs = case.theirs(torch.nn).double()
    case.ours(x)
    case.ours.cleargrads()
    theirs(torch.tensor(x))  # the statistics of both move twice
    agree(torch, case.ours, theirs, case.pairs(case.ours, theirs), [x])
    if name.startswith("BatchNorm"):
        assert_close(case.ours.avg_mean, theirs.running_mean.numpy(), rtol=1e-10)
        assert_close(case.ours.avg_var, theirs.running_var.numpy(), rtol=1e-10)
        case.ours.cleargrads()
        theirs.zero_grad()
        with tg.test_mode():
            agree(torch, case.ours, theirs.eval(), case.pairs(case.ours, theirs), [x])


def test_embedding(torch):
    ours, theirs = L.Embedding(7, 3, dtype=D), torch.nn.Embedding(7, 3).double()
    rows = np.array([[1, 2, 1], [6, 0, 2]])
    pairs = [Pair(ours.W, theirs.weight)]
    agree(torch, ours, theirs, pairs, [], call=lambda f: f(rows), other=lambda f: f(torch.tensor(rows)))


@pytest.mark.parametrize("mask", ["none", "padding", "causal", "bias"])
@pytest.mark.parametrize("memory", [False, True], ids=["self", "memory"])
def test_multi_head_attention(torch, memory, mask):
    ours = L.MultiHeadAttention(8, 2, dtype=D, in_size=8)
    theirs = torch.nn.MultiheadAttention(8, 2, batch_first=True).double()
    xs = [normal(2, 5, 8), normal(2, 5, 8)] if memory else [normal(2, 5, 8)]
    hidden = np.array([[False] * 5, [False, False, True, True, True]])
    bias = normal(5, 5)
    mine, other = {
        "none": ({}, {}),
        "padding": ({"mask": ~hidden[:, None, :]}, {"key_padding_mask": torch.tensor(hidden)}),
        "causal": ({"causal": True}, {"attn_mask": torch.tensor(~np.tri(5, dtype=bool))}),
        "bias": ({"mask": bias}, {"attn_mask": torch.tensor(bias)}),
    }[mask]
    agree(
        torch,
        ours,
        theirs,
        heads(ours, theirs),
        xs,
        call=lambda f, *xs: f(*xs, **mine),
        other=lambda f, *xs: f(xs[0], *[xs[-1]] * 2, **other, need_weights=False)[0],
    )


@pytest.mark.parametrize("norm_first", [False, True])
def test_decoder_block(torch, norm_first):
    ours = L.TransformerDecoderBlock(8, 2, 16, activation=F.relu, norm_first=norm_first, dtype=D)
    theirs = torch.nn.TransformerDecoderLayer(8, 2, 16, 0.0, batch_first=True, norm_first=norm_first).double()
    x, memory = normal(2, 4, 8), normal(2, 5, 8)
    hidden = np.array([[False] * 5, [False, False, True, True, True]])
    later = torch.tensor(~np.tri(4, dtype=bool))
    ours(x, memory)
    agree(
        torch,
        ours,
        theirs,
        decoder(ours, theirs),
        [x, memory],
        call=lambda f, x, m: f(x, m, memory_mask=~hidden[:, None, :]),
        other=lambda f, x, m: f(x, m, tgt_mask=later, memory_key_padding_mask=torch.tensor(hidden)),
    )


def test_gradients_flow_through_a_cache(torch):
    """Token by token with a cache, a causal block has the gradients of torch's on the whole sequence."""
    ours = L.TransformerEncoderBlock(8, 2, 16, dtype=D)
    theirs = torch.nn.TransformerEncoderLayer(
        8, 2, 16, 0.0, "gelu", batch_first=True, norm_first=True
    ).double()
    x = normal(2, 4, 8)
    ours(x)
    later = torch.tensor(~np.tri(4, dtype=bool))

    def token_by_token(block, x):
        cache = L.KeyValueCache()
        steps = [block(x[:, t : t + 1], causal=True, cache=cache) for t in range(4)]
        return F.concat(steps, axis=1)

    agree(
        torch,
        ours,
        theirs,
        encoder(ours, theirs),
        [x],
        call=token_by_token,
        other=lambda f, x: f(x, src_mask=later),
    )


CELLS = {"RNN": (L.RNN, "h"), "LSTM": (L.LSTM, "ifuo"), "GRU": (L.GRU, "rzn")}  # the order of torch's gates


@pytest.mark.parametrize("kind", CELLS)
def test_cells_step_by_step(torch, kind):
    layer, gates = CELLS[kind]
    ours = layer(3, in_size=2)
    theirs = getattr(torch.nn, f"{kind}Cell")(2, 3).double()
    with torch.no_grad():
        theirs.bias_hh.zero_()
    pairs = []
    for i, gate in enumerate(gates):
        rows = slice(3 * i, 3 * i + 3)
        x2, h2 = getattr(ours, f"x2{gate}"), getattr(ours, f"h2{gate}")
        pairs += [Pair(x2.W, theirs.weight_ih, rows, True), Pair(x2.b, theirs.bias_ih, rows)]
        pairs += [Pair(h2.W, theirs.weight_hh, rows, True)]
        if h2.b is not None:
            pairs += [Pair(h2.b, theirs.bias_hh, rows)]

    def steps(cell, xs):
        cell.reset_state()
        return F.stack([cell(x) for x in xs])

    def their_steps(cell, xs):
        state, found = None, []
        for x in xs:
            state = cell(x, state)
            found.append(state[0] if kind == "LSTM" else state)
        return torch.stack(found)

    agree(torch, ours, theirs, pairs, [normal(4, 5, 2)], call=steps, other=their_steps)
