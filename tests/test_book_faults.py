"""The faults of the book's framework, none of them here: a regression test for each, by its number.

TESTS says where those are that lie with the tests of their subject; the others are below.
"""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad import Variable
from tensorgrad import functions as F
from tensorgrad import layers as L
from tensorgrad.testing import assert_close, check_gradients
from tensorgrad.testing.arrays import to_numpy

TESTS = {
    1: """float32 data times a number becomes float64; layers hold float64 weights in spite of dtype
        test_operators.py::test_no_operator_widens_float32
        test_linalg.py::test_linear_keeps_float32
        test_book_faults.py::test_fault_01_every_layer_has_the_dtype_that_it_was_given""",
    2: """BatchNorm: the double backward is wrong; backward in test mode fails
        test_normalization.py::test_double_backward_of_batch_norm_in_both_modes""",
    3: """gradients of two inputs are one object; hooks fail on a broadcast gradient, or write through it
        test_leaves.py::test_leaf_gradients_own_their_memory
        test_leaves.py::test_changing_a_gradient_in_place_changes_nothing_else
        test_hooks.py::test_gradients_of_broadcast_inputs_can_be_changed""",
    4: """backward(retain_grad=True) twice gives 36 for 24
        test_backward.py::test_retain_grad_twice_adds_only_to_leaves""",
    5: """max pooling pads with 0, its third derivative fails; average pooling swaps KH and KW
        test_convolution.py::test_the_border_of_max_pooling_is_never_the_largest
        test_convolution.py::test_third_derivatives_of_pooling
        test_convolution.py::test_average_pooling_does_not_swap_height_and_width""",
    6: """every tied extreme gets the whole gradient; the backward of max(axis=-1) fails
        test_reduction.py::test_ties_share_the_gradient
        test_book_faults.py::test_fault_06_extremes_along_a_negative_axis""",
    7: """mean_squared_error of broadcast inputs gives gradients of the wrong shape
        test_book_faults.py::test_fault_07_mean_squared_error_of_broadcast_inputs""",
    8: """overflow of saturated cross entropies; dropout(1.0) is nan; x ** 0 at 0 has a nan gradient
        test_elementwise_edges.py::test_cross_entropies_where_the_answer_is_certain
        test_elementwise_edges.py::test_sigmoid_and_binary_cross_entropy_cancel_where_saturated
        test_elementwise_edges.py::test_dropout_of_nothing_and_of_everything
        test_book_faults.py::test_fault_08_binary_cross_entropy_of_a_certain_right_answer_is_0
        test_book_faults.py::test_fault_08_the_zeroth_power_at_0""",
    9: """== compares identity; expand_dims(-1); matmul of stacks is dot; matmul of vectors, linear of 3-D
        test_linalg.py::test_linear_of_any_leading_shape
        test_book_faults.py::test_fault_09_equality_goes_element_by_element
        test_book_faults.py::test_fault_09_expand_dims_counts_from_the_end
        test_book_faults.py::test_fault_09_matmul_of_stacks_and_vectors""",
    10: """a shared layer's parameters are updated twice; the order of parameters changes between runs
        test_optimizers.py::test_shared_ones_are_updated_once_and_unused_ones_left_out
        test_layers.py::test_what_is_shared_is_listed_once
        test_layers.py::test_parameters_come_in_order_of_definition""",
    11: """load_weights takes any shape; saving moves a model to the CPU, loading puts CPU arrays into it
        test_weights.py::test_all_that_does_not_fit_is_named_and_nothing_is_loaded
        test_weights.py::test_weights_come_back_on_their_device""",
    12: """gradient_check: the first input only, a cotangent of ones only, changes its input's dtype
        test_utils.py::test_gradient_check_sees_every_input_and_logs_what_differs
        test_utils.py::test_gradient_check_catches_what_a_cotangent_of_ones_does_not
        test_utils.py::test_gradient_check_leaves_its_inputs_as_they_are""",
    13: """the double backward of conv2d through W fails
        test_convolution.py::test_double_backward_of_conv2d_through_the_kernels""",
    14: """RNN(in_size=...) sizes h2h wrongly; recurrent state is not moved with the model
        test_recurrent.py::test_shapes_with_the_input_size_given
        test_recurrent.py::test_state_moves_with_the_layer""",
    15: """crashes: an output that was dropped, a None gradient into what is no leaf, backward on a leaf
        test_engine.py::test_outputs_that_nobody_used
        test_backward.py::test_backward_of_a_leaf_is_ones_and_adds
        test_book_faults.py::test_fault_15_no_gradient_into_what_is_no_leaf""",
    16: """FreezeParam, Adam.lr before an update, a bias set to None, an abandoned epoch of a DataLoader
        test_hooks.py::test_frozen_parameters_stay
        test_optimizers.py::test_the_rate_of_adam
        test_layers.py::test_a_replaced_or_deleted_attribute_is_no_parameter_any_more
        test_dataloaders.py::test_an_abandoned_epoch_starts_anew""",
    17: """powers, @, comparisons, abs, float(), item() and indexing by a Variable are missing
        test_operators.py::test_powers_on_either_side
        test_operators.py::test_comparisons_are_constants_of_bool
        test_operators.py::test_signs
        test_variable.py::test_conversions_to_numbers
        test_indexing.py::test_variables_as_index
        test_book_faults.py::test_fault_09_matmul_of_stacks_and_vectors""",
    18: """imports matplotlib and PIL; no_grad leaks into threads; labels get gradients; sorts for each push
        test_import.py::test_importing_tensorgrad_loads_no_heavy_library
        test_config.py::test_a_thread_in_no_grad_switches_nothing_off_elsewhere
        test_losses.py::test_no_gradient_for_labels
        test_book_faults.py::test_fault_18_all_but_pictures_works_without_matplotlib_and_pil
        test_book_faults.py::test_fault_18_a_backward_takes_as_many_calls_as_there_are_nodes""",
    19: """CuPy's scatter_add is gone; index arrays are built on the host; kernels are rebuilt per call
        test_cuda_names.py::test_the_names_of_cupy_exist
        test_cuda_backend.py::test_scatter_add_on_the_double
        test_cuda_device.py::test_scatter_add_on_the_gpu
        test_cuda_kernels.py::test_embedding_scatter
        test_cuda_kernels.py::test_pooling
        test_book_faults.py::test_fault_19_every_kernel_is_compiled_once""",
}


def test_there_is_a_test_for_every_fault():
    assert list(TESTS) == list(range(1, 20))
    here = Path(__file__).parent
    files: dict[str, set[str]] = {}
    for text in TESTS.values():
        for reference in text.split("\n")[1:]:
            name, _, test = reference.strip().partition("::")
            if name not in files:
                tree = ast.parse((here / name).read_text(encoding="utf-8"))
                files[name] = {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
            assert test in files[name], reference


def test_fault_01_every_layer_has_the_dtype_that_it_was_given():
    for dtype in (np.float32, np.float64):
        layers = [
            L.Linear(3, dtype=dtype, in_size=2),
            L.Conv2d(3, 3, dtype=dtype, in_channels=2),
            L.Deconv2d(3, 3, dtype=dtype, in_channels=2),
        ]
        assert {p.dtype for layer in layers for p in layer.params()} == {np.dtype(dtype)}
    for layer in (L.RNN(3, in_size=2), L.LSTM(3, in_size=2), L.EmbedID(3, 2)):
        assert {p.dtype for p in layer.params()} == {np.dtype(np.float32)}


def test_fault_06_extremes_along_a_negative_axis(var):
    for extreme, want in ((F.max, [[0.0, 1.0], [0.5, 0.5]]), (F.min, [[1.0, 0.0], [0.5, 0.5]])):
        for axis in (-1, (-1,), 1):
            x = var([[1.0, 2.0], [3.0, 3.0]])
            extreme(x, axis=axis).backward()
            assert_close(x.grad, want)


def test_fault_07_mean_squared_error_of_broadcast_inputs(var):
    for shape in ((4, 3), (1, 3), (3,), (4, 1), ()):
        a, b = var(np.full((4, 3), 2.0)), var(np.ones(shape))
        loss = F.mean_squared_error(a, b)
        loss.backward()
        assert loss.item() == 3.0  # twelve ones, divided by the length of the first axis
        assert_close(a.grad, np.full((4, 3), 0.5))
        assert_close(b.grad, np.full(shape, -6.0 / max(b.size, 1)))


def test_fault_08_binary_cross_entropy_of_a_certain_right_answer_is_0(var):
    p, t = var([1.0, 0.0]), var([1, 0], int)
    loss = F.binary_cross_entropy(p, t)
    loss.backward()
    assert loss.item() == 0.0
    assert np.isfinite(to_numpy(p.grad)).all()


def test_fault_08_the_zeroth_power_at_0(var):
    for power in (0, 0.0):
        x = var([0.0, 2.0])
        y = x**power
        y.backward(create_graph=True)
        assert_close(y, [1.0, 1.0])
        assert_close(x.grad, [0.0, 0.0])
        x.cleargrad()


def test_fault_09_equality_goes_element_by_element(var):
    x, y = var([1.0, 2.0]), var([1.0, 3.0])
    assert to_numpy(x == y).tolist() == [True, False]
    assert to_numpy(x != y).tolist() == [False, True]
    assert len({x, y, x}) == 2


def test_fault_09_expand_dims_counts_from_the_end(var):
    x = var(np.ones((2, 3)))
    assert F.expand_dims(x, -1).shape == (2, 3, 1)
    assert F.expand_dims(x, -2).shape == (2, 1, 3)


def test_fault_09_matmul_of_stacks_and_vectors(var):
    rng = np.random.default_rng(0)
    shapes = [((5, 2, 3), (5, 3, 4)), ((5, 2, 3), (3, 4)), ((3,), (3,)), ((2, 3), (3,)), ((3,), (3, 4))]
    for left, right in shapes:
        a, b = rng.normal(size=left), rng.normal(size=right)
        assert_close(F.matmul(var(a), var(b)), np.matmul(a, b), rtol=1e-12)
        check_gradients(lambda a, b: a @ b, [var(a), var(b)])


def test_fault_15_no_gradient_into_what_is_no_leaf(var):
    class Blocks(tg.Function):
        def forward(self, a, b):
            return a + b

        def backward(self, gy):
            return None, gy

    x, y = var(1.0), var(2.0)
    Blocks()(x * 2, y * 3).backward()
    assert x.grad is None
    assert y.grad.item() == 3.0


def test_fault_18_all_but_pictures_works_without_matplotlib_and_pil():
    code = """
import sys
sys.modules.update({"matplotlib": None, "PIL": None})
import numpy as np
import tensorgrad as tg
train = tg.datasets.Spiral(transform=tg.transforms.Normalize(0.0, 2.0))
model = tg.models.MLP((5, 3))
optimizer = tg.optimizers.SGD(1.0).setup(model)
for x, t in tg.DataLoader(train, 100):
    loss = tg.functions.softmax_cross_entropy(model(x), t)
    model.cleargrads()
    loss.backward()
    optimizer.update()
tg.utils.get_dot_graph(loss)
import tensorgrad.dezero
tensorgrad.dezero.modules()
print("done")
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "done\n"), done.stderr


@pytest.mark.parametrize("shape", ["one generation", "a chain"])
def test_fault_18_a_backward_takes_as_many_calls_as_there_are_nodes(shape):
    """With a sort for each function that is pushed, four times the nodes take sixteen times the calls."""

    def calls(n: int) -> int:
        x = Variable(np.array(1.0))
        nodes = [x * 1.0 for _ in range(n)]
        if shape == "one generation":
            y = F.stack(nodes).sum()
        else:
            y = x
            for v in nodes:
                y = y + v
        count = 0

        def profile(frame, event, arg):
            nonlocal count
            count += event in ("call", "c_call")

        sys.setprofile(profile)
        try:
            y.backward()
        finally:
            sys.setprofile(None)
        return count

    few, many = calls(250), calls(1000)
    assert many < 4.5 * few


MAKERS = {"ElementwiseKernel", "RawKernel", "RawModule", "ReductionKernel"}


def compiled_anew(source: str) -> list[str]:
    """The functions of a module that make a CuPy kernel at each call, rather than once for each device."""

    def makes(node: ast.AST) -> bool:
        return getattr(node, "attr", getattr(node, "id", None)) in MAKERS  # cupy.RawModule, or RawModule

    functions = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.FunctionDef)]
    return [
        f.name
        for f in functions
        if any(map(makes, ast.walk(f))) and not any("memoize" in ast.unparse(d) for d in f.decorator_list)
    ]


def test_fault_19_every_kernel_is_compiled_once():
    import tensorgrad_backends

    files = sorted(Path(tensorgrad_backends.__file__).parent.rglob("*.py"))
    sources = [path.read_text(encoding="utf-8") for path in files]
    assert any(name in source for name in MAKERS for source in sources)
    assert [name for source in sources for name in compiled_anew(source)] == []
    assert compiled_anew("def f(x):\n    return cupy.RawKernel(TEXT, 'f')(x)") == ["f"]
    assert compiled_anew("@cupy.memoize()\ndef f():\n    return RawKernel(TEXT, 'f')") == []
