"""Layer: what it finds and moves. Linear: its values, its size and its place."""

# ruff: noqa: NPY002  (weights are drawn from the state that users of the book seed)
from __future__ import annotations

import copy
import pickle
import re

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad import Layer, Parameter, Variable, cuda
from tensorgrad import functions as F
from tensorgrad import layers as L
from tensorgrad.backend import BackendUnavailableError, backend_of
from tensorgrad.testing import assert_close, check_gradients
from tensorgrad.testing.arrays import to_numpy


def message(text: str) -> str:
    return f"^{re.escape(text)}$"


def paths(layer: Layer) -> list[str]:
    return [path for path, _ in layer.namedparams()]


def parameter(*values: float) -> Parameter:
    return Parameter(np.array(values))


class Two(Layer):
    """Two linear layers whose input size is open."""

    def __init__(self) -> None:
        super().__init__()
        self.first = L.Linear(4)
        self.second = L.Linear(2, nobias=True)

    def forward(self, x):
        return self.second(F.tanh(self.first(x)))


def called(model: Layer) -> Layer:
    model(np.ones((1, 3), np.float32))
    return model


def values(layer: Layer) -> dict[str, np.ndarray]:
    return {path: to_numpy(p).copy() for path, p in layer.namedparams()}


# -- which parameters it has ---------------------------------------------------------------------


def test_parameters_come_in_order_of_definition():
    layer = Layer()
    for name in "zyxabc":
        setattr(layer, name, parameter(1))
    layer.other = 3
    layer.plain = Variable(np.ones(2))
    assert paths(layer) == list("zyxabc")
    assert [id(p) for p in layer.params()] == [id(getattr(layer, n)) for n in "zyxabc"]


def test_layers_inside_follow_the_layer_s_own_parameters():
    outer, inner, innermost = Layer(), Layer(), Layer()
    outer.inner = inner
    inner.innermost = innermost
    innermost.w = parameter(1)
    inner.w = parameter(1)
    outer.second = L.Linear(1)
    outer.w = parameter(1)
    assert paths(outer) == ["w", "inner/w", "inner/innermost/w", "second/W", "second/b"]


def test_a_replaced_or_deleted_attribute_is_no_parameter_any_more():
    layer = L.Linear(2, in_size=3)
    layer.b = None
    assert paths(layer) == ["W"]
    layer.W = new = parameter(1)
    assert list(layer.params()) == [new]
    del layer.W
    assert paths(layer) == []
    layer.W = 5
    layer.b = parameter(1)
    assert paths(layer) == ["b"]


def test_what_is_shared_is_listed_once():
    outer = Layer()
    outer.a, outer.b = L.Linear(1), L.Linear(1)
    outer.again = outer.a
    outer.b.W = outer.a.W
    assert paths(outer) == ["a/W", "a/b", "b/b"]


def test_a_layer_that_refers_to_the_one_around_it_is_no_endless_loop():
    outer, inner = Layer(), L.Linear(1)
    outer.inner, inner.outer = inner, outer
    assert paths(outer) == ["inner/W", "inner/b"]
    del inner.outer  # a cycle of the user's own making


def test_lists_are_not_looked_at():
    layer = Layer()
    layer.some = [L.Linear(1)]
    assert paths(layer) == []


def test_cleargrads():
    layer = L.Linear(2)
    F.sum(layer(np.ones((1, 3)))).backward()
    assert all(p.grad is not None for p in layer.params())
    layer.cleargrads()
    assert [p.grad for p in layer.params()] == [None, None]


# -- the call ------------------------------------------------------------------------------------


def test_inputs_and_outputs_are_kept_weakly():
    layer = L.Linear(2)
    assert (layer.inputs, layer.outputs) == ((), ())
    x = Variable(np.ones((1, 3), np.float32))
    y = layer(x)
    assert [r() for r in layer.inputs] == [x]
    assert [r() for r in layer.outputs] == [y]
    del x, y
    assert [r() for r in (*layer.inputs, *layer.outputs)] == [None, None]


@pytest.mark.parametrize("held", [True, False])
@pytest.mark.parametrize("kind", ["Conv2d", "Deconv2d", "Linear"])
def test_an_output_is_made_anew_from_the_graph_that_it_is_in(kind, held):
    """The book's Grad-CAM asks a layer inside for the gradient of its output, and holds no output."""
    inside = {
        "Conv2d": L.Conv2d(3, 3, in_channels=2, dtype=np.float64),
        "Deconv2d": L.Deconv2d(3, 3, in_channels=2, dtype=np.float64),
        "Linear": L.Linear(3, in_size=4, dtype=np.float64),
    }[kind]
    first = L.Linear(4, in_size=4, dtype=np.float64)
    x = np.random.default_rng(0).normal(size=(1, 2, 4, 4))
    hidden = inside(first(x))
    want, scores = hidden.data.copy(), F.sum(F.relu(hidden) ** 2)
    if not held:
        hidden = None
    again = inside.outputs[0]()
    assert again is inside.outputs[0]() is scores.creator.inputs[0].creator.inputs[0].creator.inputs[0]
    assert_close(again, want)
    scores.backward(retain_grad=True)
    assert_close(again.grad, 2 * np.maximum(want, 0))
    hidden = scores = again = None
    assert inside.outputs[0]() is None


def test_an_output_that_cannot_be_computed_again_is_none():
    frozen, loose = L.Linear(3, in_size=2), L.Dropout(0.5)
    frozen.b.requires_grad = frozen.W.requires_grad = False
    y = F.sum(loose(frozen(Variable(np.ones((1, 2), np.float32)))))
    assert frozen.outputs[0]() is None  # its input was not needed
    assert loose.outputs[0]() is None  # another one would be drawn
    y.backward()


def test_inputs_that_allow_no_weak_reference():
    class Power(Layer):
        def forward(self, x, n, *, scale):
            return scale * x**n

    layer = Power()
    assert layer(np.array(3.0), 2, scale=10) == 90.0
    assert layer.inputs[1]() is None


def test_several_outputs_and_a_single_one_in_a_tuple():
    class Parts(Layer):
        def forward(self, *xs):
            return xs

    x, y = Variable(np.ones(1)), Variable(np.ones(2))
    parts = Parts()
    assert parts(x) is x
    assert parts(x, y) == (x, y)
    assert [r() for r in parts.outputs] == [x, y]


def test_a_layer_without_forward_says_so():
    class Empty(Layer):
        pass

    expected = "Empty does not define forward. A Layer needs forward(self, *inputs)."
    with pytest.raises(NotImplementedError, match=message(expected)):
        Empty()(np.ones(1))


@pytest.mark.parametrize("duplicate", [copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))])
def test_copies_and_pickles(duplicate):
    model = called(Two())
    twin = duplicate(model)
    assert paths(twin) == paths(model)
    for mine, other in zip(model.params(), twin.params(), strict=True):
        assert mine is not other
        assert not np.shares_memory(mine.data, other.data)
        np.testing.assert_array_equal(mine.data, other.data)
    assert twin.inputs == ()
    x = np.ones((2, 3), np.float32)
    np.testing.assert_array_equal(twin(x).data, model(x).data)


# -- Linear --------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_linear_draws_the_book_s_weights(dtype):
    np.random.seed(7)
    draws = np.random.randn(5, 3)
    np.random.seed(7)
    layer = L.Linear(3, dtype=dtype, in_size=5)
    assert (layer.W.dtype, layer.b.dtype) == (dtype, dtype)
    np.testing.assert_array_equal(layer.W.data, draws.astype(dtype) * dtype(np.sqrt(1 / 5)))
    np.testing.assert_array_equal(layer.b.data, np.zeros(3))
    assert (layer.W.name, layer.b.name) == ("W", "b")


def test_an_open_input_size_is_that_of_the_first_input():
    layer = L.Linear(3)
    assert layer.W.data is None
    assert (layer.in_size, layer.out_size) == (None, 3)
    assert paths(layer) == ["W", "b"]
    np.random.seed(7)
    layer(np.ones((2, 5), np.float32))
    W = layer.W.data
    np.random.seed(7)
    np.testing.assert_array_equal(W, L.Linear(3, in_size=5).W.data)
    layer(np.ones((2, 5), np.float32))
    assert layer.W.data is W
    assert layer.in_size == 5


@pytest.mark.parametrize("shape", [(2, 5), (4, 2, 5), (1, 5), (0, 5)])
@pytest.mark.parametrize("nobias", [False, True])
def test_linear_computes_its_formula(backend, shape, nobias):
    layer = L.Linear(3, nobias=nobias)
    x = np.random.randn(*shape).astype(np.float32)
    y = layer(backend.from_numpy(x))
    if nobias:
        assert layer.b is None
        b = np.zeros(3, np.float32)
    else:
        b = np.arange(3, dtype=np.float32)
        layer.b.data = backend.from_numpy(b)
        y = layer(backend.from_numpy(x))
    assert to_numpy(y).dtype == np.float32
    assert y.shape == (*shape[:-1], 3)
    np.testing.assert_allclose(to_numpy(y), x @ to_numpy(layer.W) + b, rtol=1e-5, atol=1e-6)


def test_gradients_of_linear():
    layer = L.Linear(3, dtype=np.float64, in_size=2)

    def call(x, W, b):
        layer.W, layer.b = Parameter(None), Parameter(None)
        layer.W, layer.b = W, b
        return F.tanh(layer(x))

    check_gradients(call, [np.random.randn(4, 2), layer.W.data, np.random.randn(3)], order=2)


def test_an_input_size_is_no_nobias():
    with pytest.raises(TypeError, match=r"Linear: expected nobias as a bool; got 4. .*in_size=..."):
        L.Linear(3, 4)  # (in, out), as PyTorch has it


def test_linear_of_a_number_is_refused():
    layer = L.Linear(3)
    expected = "Linear: expected x of shape (..., in_size); got a 0-d array"
    with pytest.raises(ValueError, match=message(expected)):
        layer(np.array(1.0))
    assert layer.W.data is None


# -- where parameters are ------------------------------------------------------------------------


def owners(layer: Layer) -> set[str]:
    return {backend_of(p.data).name for p in layer.params() if p.data is not None}


def test_an_open_layer_goes_where_its_first_input_is(backend):
    model = Two()
    x = backend.from_numpy(np.ones((2, 3), np.float32))
    assert backend_of(model(x).data) is backend
    assert owners(model) == {backend.name}
    assert all(p.dtype == backend.xp.float32 for p in model.params())


def test_weights_are_the_same_on_every_backend(backend):
    x = np.ones((2, 3), np.float32)
    np.random.seed(3)
    here = values(called(Two()))
    np.random.seed(3)
    model = Two()
    model(backend.from_numpy(x))
    for path, there in values(model).items():
        np.testing.assert_array_equal(there, here[path])


def test_to_moves_parameters_and_gradients_in_place(backend):
    model = called(Two())
    F.sum(model(np.ones((1, 3), np.float32))).backward()
    before = list(model.params())
    expected = values(model)
    gradients = [to_numpy(p.grad) for p in before]
    assert model.to(backend.name) is model
    assert owners(model) == {backend.name}
    assert all(a is b for a, b in zip(before, model.params(), strict=True))
    for p, gradient in zip(before, gradients, strict=True):
        assert backend_of(p.grad.data) is backend
        np.testing.assert_array_equal(to_numpy(p.grad), gradient)
    assert model.to_cpu() is model
    assert owners(model) == {"numpy"}
    for path, value in values(model).items():
        np.testing.assert_array_equal(value, expected[path])


def test_an_open_layer_that_was_moved_stays_there(backend):
    model = Two().to(backend)
    assert owners(model) == {backend.name}  # the bias that is there already
    if backend.name != "numpy":
        with pytest.raises(TypeError, match=r"expected inputs of one array library; got .* and .*"):
            called(model)
    model.second(backend.from_numpy(np.ones((1, 4), np.float32)))
    assert owners(model) == {backend.name}


def test_an_unknown_backend_is_refused():
    model = called(Two())
    with pytest.raises(LookupError, match=r"^no backend is named 'nowhere'"):
        model.to("nowhere")
    assert owners(model) == {"numpy"}


@pytest.mark.skipif(cuda.is_available(), reason="there is a GPU")
def test_to_gpu_without_one_says_what_is_missing():
    model = called(Two())
    with pytest.raises(BackendUnavailableError, match=re.escape(cuda.why_unavailable())):
        model.to_gpu()
    assert owners(model) == {"numpy"}


@pytest.mark.gpu
def test_to_gpu_and_back():
    model = called(Two())
    expected = values(model)
    assert owners(model.to_gpu()) == {"cupy"}
    assert owners(model.to_cpu()) == {"numpy"}
    for path, value in values(model).items():
        np.testing.assert_array_equal(value, expected[path])


def test_layers_are_reachable_after_one_import():
    assert tg.layers.Layer is tg.Layer is L.Layer


# -- LayerList -----------------------------------------------------------------------------------


class Stack(Layer):
    def __init__(self, depth: int) -> None:
        super().__init__()
        self.parts = L.LayerList(L.Linear(3) for _ in range(depth))

    def forward(self, x):
        for part in self.parts:
            x = part(x)
        return x


def test_the_layers_of_a_list_are_found_moved_saved_and_loaded(tmp_path, backend):
    stack = Stack(11)
    x = np.ones((2, 3), np.float32)
    y = stack(x)
    names = [path for path, _ in stack.namedparams()]
    assert names == [f"parts/{i}/{p}" for i in range(11) for p in "Wb"]
    stack.save_weights(tmp_path / "w.npz")
    twin = Stack(11).to(backend)
    twin.load_weights(tmp_path / "w.npz")
    np.testing.assert_allclose(to_numpy(twin(backend.from_numpy(x))), y.data, rtol=1e-5, atol=1e-6)


def test_a_layer_list_is_read_and_written_like_a_list():
    a, b, c, d = (L.Linear(1) for _ in range(4))
    layers = L.LayerList([a]).append(b).extend([c])
    assert len(layers) == 3
    assert list(layers) == [a, b, c]
    assert layers[-1] is c
    assert list(layers[1:]) == [b, c]
    assert isinstance(layers[1:], L.LayerList)
    layers[-2] = d
    assert list(layers) == [a, d, c]
    assert len(list(layers.params())) == 6
    assert list(L.LayerList()) == []


def test_what_a_layer_list_refuses():
    layers = L.LayerList([L.Linear(1)])
    for index in (1, -2):
        with pytest.raises(IndexError, match=f"^LayerList: there is no layer {index}; it has 1$"):
            layers[index]
    with pytest.raises(TypeError, match=r"^LayerList: expected a Layer; got function$"):
        layers.append(F.relu)
    with pytest.raises(TypeError, match=r"^LayerList: expected a Layer; got NoneType$"):
        layers[0] = None
    with pytest.raises(NotImplementedError, match=r"LayerList does not define forward"):
        layers(1)
