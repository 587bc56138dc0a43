"""The names of the book's framework, with their parameters and defaults.

The tables say what the framework has, read from version 0.0.13 of it. A name here must take every call that
is right there: parameters of the same names in the same order, with the same defaults; it may have more
that are optional, and may leave out what must be given there.
"""

from __future__ import annotations

import inspect
from types import ModuleType

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad import dezero, downloads

TOP = """
Variable(data, name=None)
Parameter(data, name=None)
Function()
Layer()
Model()
Dataset(train=True, transform=None, target_transform=None)
DataLoader(dataset, batch_size, shuffle=True, gpu=False)
SeqDataLoader(dataset, batch_size, gpu=False)
using_config(name, value)
no_grad()
test_mode()
as_array(x, array_module=np)
as_variable(obj)

Variable.backward(retain_grad=False, create_graph=False)
Variable.cleargrad()
Variable.dot(W)
Variable.matmul(W)
Variable.max(axis=None, keepdims=False)
Variable.min(axis=None, keepdims=False)
Variable.reshape(*shape)
Variable.sum(axis=None, keepdims=False)
Variable.to_cpu()
Variable.to_gpu()
Variable.transpose(*axes)
Variable.unchain()
Variable.unchain_backward()
Layer.params()
Layer.cleargrads()
Layer.to_cpu()
Layer.to_gpu()
Layer.save_weights(path)
Layer.load_weights(path)
Model.plot(*inputs, to_file='model.png')
Dataset.prepare()
DataLoader.reset()
DataLoader.next()
DataLoader.to_cpu()
DataLoader.to_gpu()
"""

FUNCTIONS = """
sin(x)
cos(x)
tanh(x)
exp(x)
log(x)
reshape(x, shape)
transpose(x, axes=None)
get_item(x, slices)
expand_dims(x, axis)
flatten(x)
sum(x, axis=None, keepdims=False)
sum_to(x, shape)
broadcast_to(x, shape)
average(x, axis=None, keepdims=False)
mean(x, axis=None, keepdims=False)
matmul(x, W)
linear(x, W, b=None)
linear_simple(x, W, b=None)
add(x0, x1)
sub(x0, x1)
rsub(x0, x1)
mul(x0, x1)
div(x0, x1)
rdiv(x0, x1)
neg(x)
pow(x, c)
sigmoid(x)
sigmoid_simple(x)
relu(x)
leaky_relu(x, slope=0.2)
softmax(x, axis=1)
softmax_simple(x, axis=1)
log_softmax(x, axis=1)
max(x, axis=None, keepdims=False)
min(x, axis=None, keepdims=False)
clip(x, x_min, x_max)
mean_squared_error(x0, x1)
mean_squared_error_simple(x0, x1)
softmax_cross_entropy(x, t)
softmax_cross_entropy_simple(x, t)
sigmoid_cross_entropy(x, t)
binary_cross_entropy(p, t)
accuracy(y, t)
dropout(x, dropout_ratio=0.5)
batch_norm(x, gamma, beta, mean, var, decay=0.9, eps=2e-5)
embed_id(x, W)
conv2d(x, W, b=None, stride=1, pad=0)
conv2d_simple(x, W, b=None, stride=1, pad=0)
deconv2d(x, W, b=None, stride=1, pad=0, outsize=None)
pooling(x, kernel_size, stride=1, pad=0)
pooling_simple(x, kernel_size, stride=1, pad=0)
average_pooling(x, kernel_size, stride=1, pad=0)
im2col(x, kernel_size, stride=1, pad=0, to_matrix=True)
col2im(x, input_shape, kernel_size, stride=1, pad=0, to_matrix=True)
"""

LAYERS = """
Layer()
Linear(out_size, nobias=False, dtype=np.float32, in_size=None)
Conv2d(out_channels, kernel_size, stride=1, pad=0, nobias=False, dtype=np.float32, in_channels=None)
Deconv2d(out_channels, kernel_size, stride=1, pad=0, nobias=False, dtype=np.float32, in_channels=None)
RNN(hidden_size, in_size=None)
RNN.reset_state()
LSTM(hidden_size, in_size=None)
LSTM.reset_state()
EmbedID(in_size, out_size)
BatchNorm()
"""

MODELS = """
Model()
Sequential(*layers)
MLP(fc_output_sizes, activation=F.sigmoid)
VGG16(pretrained=False)
VGG16.preprocess(image, size=(224, 224), dtype=np.float32)
ResNet(n_layers=152, pretrained=False)
ResNet50(pretrained=False)
ResNet101(pretrained=False)
ResNet152(pretrained=False)
SqueezeNet(pretrained=False)
"""

OPTIMIZERS = """
Optimizer()
Optimizer.setup(target)
Optimizer.update()
Optimizer.update_one(param)
Optimizer.add_hook(f)
SGD(lr=0.01)
MomentumSGD(lr=0.01, momentum=0.9)
AdaGrad(lr=0.001, eps=1e-8)
AdaDelta(rho=0.95, eps=1e-6)
Adam(alpha=0.001, beta1=0.9, beta2=0.999, eps=1e-8)
WeightDecay(rate)
ClipGrad(max_norm)
FreezeParam(*layers)
"""

DATASETS = """
Dataset(train=True, transform=None, target_transform=None)
get_spiral(train=True)
Spiral(train=True, transform=None, target_transform=None)
MNIST(train=True, transform=flat, target_transform=None)
MNIST.labels()
MNIST.show(row=10, col=10)
CIFAR10(train=True, transform=centred, target_transform=None)
CIFAR10.labels()
CIFAR10.show(row=10, col=10)
CIFAR100(train=True, transform=centred, target_transform=None, label_type='fine')
CIFAR100.labels(label_type='fine')
ImageNet()
ImageNet.labels()
SinCurve(train=True, transform=None, target_transform=None)
Shakespear(train=True, transform=None, target_transform=None)
"""

DATALOADERS = """
DataLoader(dataset, batch_size, shuffle=True, gpu=False)
SeqDataLoader(dataset, batch_size, gpu=False)
"""

TRANSFORMS = """
Compose(transforms=None)
Convert(mode='RGB')
Resize(size, mode=2)
CenterCrop(size)
ToArray(dtype=np.float32)
ToPIL()
Normalize(mean=0, std=1)
Flatten()
AsType(dtype=np.float32)
ToFloat(dtype=np.float32)
ToInt(dtype=int)
RandomHorizontalFlip()
"""

UTILS = """
plot_dot_graph(output, verbose=True, to_file='graph.png')
get_dot_graph(output, verbose=True)
gradient_check(f, x, *args, rtol=1e-4, atol=1e-5, **kwargs)
numerical_grad(f, x, *args, **kwargs)
array_equal(a, b)
array_allclose(a, b, rtol=1e-4, atol=1e-5)
get_file(url, file_name=None)
pair(x)
get_conv_outsize(input_size, kernel_size, stride, pad)
get_deconv_outsize(size, k, s, p)
logsumexp(x, axis=1)
"""

CUDA = """
get_array_module(x)
as_numpy(x)
as_cupy(x)
"""

TABLES = {
    "": TOP,
    "functions": FUNCTIONS,
    "layers": LAYERS,
    "models": MODELS,
    "optimizers": OPTIMIZERS,
    "datasets": DATASETS,
    "dataloaders": DATALOADERS,
    "transforms": TRANSFORMS,
    "utils": UTILS,
    "cuda": CUDA,
}


def parameters(function) -> list[inspect.Parameter]:
    return list(inspect.signature(function).parameters.values())


def of_the_book(line: str) -> list[inspect.Parameter]:
    """The parameters on a line of a table."""
    names = {
        "F": tg.functions,
        "np": np,
        "flat": tg.datasets.mnist.FLAT,
        "centred": tg.datasets.cifar.CENTRED,
    }
    exec(f"def f{line[line.index('(') :]}: ...", names)
    return parameters(names["f"])


def ours(module: ModuleType, path: str) -> list[inspect.Parameter]:
    owner, _, method = path.rpartition(".")
    if not owner:
        return parameters(getattr(module, path))
    cls = getattr(module, owner)
    found = parameters(getattr(cls, method))
    bound = not isinstance(inspect.getattr_static(cls, method), classmethod | staticmethod)
    return found[1:] if bound else found


def difference(want: list[inspect.Parameter], got: list[inspect.Parameter]) -> str | None:
    """Why a call that is right there is not here, or None."""
    for w, g in zip(want, got, strict=False):
        if w.kind is not g.kind or (w.name != g.name and w.kind is not w.VAR_POSITIONAL):
            return f"{w} there, {g} here"
        if w.default is not w.empty and w.default != g.default:
            return f"the default of {w.name} is {g.default!r} here"
    more = got[len(want) :]
    if len(got) < len(want):
        return f"{want[len(got)]} is missing"
    optional = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    for g in more:
        if g.default is g.empty and g.kind not in optional:
            return f"{g} is needed here"
    return None


@pytest.mark.parametrize("module", TABLES)
def test_names_parameters_and_defaults(module):
    book = dezero.modules()[f"dezero.{module}" if module else "dezero"]
    real = getattr(tg, module) if module else tg
    wrong = []
    for line in filter(None, TABLES[module].splitlines()):
        path = line.partition("(")[0]
        first = path.partition(".")[0]
        assert getattr(book, first) is getattr(real, first)
        found = difference(of_the_book(line), ours(real, path))
        if found:
            wrong.append(f"{line}: {found}")
    assert wrong == []


def test_a_difference_is_seen():
    def same(x, axis=None, *, more=1): ...
    def other_default(x, axis=0): ...
    def other_name(y, axis=None): ...
    def needs_more(x, axis, more): ...

    want = of_the_book("f(x, axis=None)")
    assert difference(want, parameters(same)) is None
    assert difference(want, parameters(other_default)) == "the default of axis is 0 here"
    assert difference(want, parameters(other_name)) == "x there, y here"
    assert difference(want, parameters(needs_more)) == "the default of axis is <class 'inspect._empty'> here"
    assert difference(of_the_book("f(x, axis)"), parameters(needs_more)) == "more is needed here"
    assert difference(want, parameters(len)[:0]) == "x is missing"


def test_what_is_no_callable():
    for name in ["data", "name", "grad", "creator", "generation", "shape", "ndim", "size", "dtype", "T"]:
        assert hasattr(tg.Variable(np.ones((2, 3))), name)
    assert isinstance(tg.cuda.gpu_enable, bool)
    assert hasattr(tg.cuda, "cupy")
    assert (tg.Config.enable_backprop, tg.Config.train) == (True, True)
    assert tg.transforms.ToFloat is tg.transforms.AsType
    assert tg.functions.mean is tg.functions.average


def test_historical_names_are_in_the_one_module_for_old_scripts():
    book = dezero.modules()
    assert book["dezero"].is_simple_core is False
    for name in ("core", "core_simple"):
        module = book[f"dezero.{name}"]
        assert module.Variable is tg.Variable
        for function in ["as_array", "as_variable", "using_config", "no_grad"]:
            assert getattr(module, function) is getattr(tg, function)
        for function in ["add", "mul", "neg", "sub", "rsub", "div", "rdiv", "pow"]:
            assert getattr(module, function) is getattr(tg.functions, function)
        module.setup_variable()
    assert book["dezero.functions"].batch_nrom is tg.functions.batch_norm
    assert book["dezero.functions_conv"].conv2d is tg.functions.conv2d
    assert book["dezero.functions_conv"].pair is tg.utils.pair
    assert book["dezero.utils"].cache_dir == str(downloads.cache_folder())
    for name in ["functions_conv", "core_simple", "is_simple_core", "setup_variable"]:
        assert not hasattr(tg, name)
    assert not hasattr(tg.functions, "batch_nrom")
