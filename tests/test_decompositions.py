"""Linear algebra where the table of samples does not go: complex numbers, singular matrices, errors."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad import Variable
from tensorgrad import functions as F
from tensorgrad.backend import get_backend
from tensorgrad.core import namespace_of
from tensorgrad.core.sample import Regular, Sample
from tensorgrad.functions import determinants, spectra
from tensorgrad.functions.decompositions import QRResult
from tensorgrad.testing import assert_close, check_gradients
from tensorgrad.testing.arrays import make_arrays, to_numpy


def numbers(*shape: int, seed: int = 0) -> Any:
    return np.random.default_rng(seed).normal(size=shape)


def on(backend: Any, array: Any) -> Variable:
    return Variable(backend.from_numpy(np.asarray(array)))


def regular(*shape: int, seed: int = 0) -> Any:
    """Matrices with a Hermitian part that is positive definite."""
    return numbers(*shape, seed=seed) / 2 + shape[-1] * np.eye(shape[-1])


# -- complex numbers: what does not depend on signs and factors of absolute value 1 ------------------------


def dyads(u: Any, vh: Any) -> list[Any]:
    """The products of each column of u with the same row of vh."""
    return [u[:, i : i + 1] @ vh[i : i + 1, :] for i in range(vh.shape[0])]


def adjoint(x: Any) -> Any:
    return F.conj(F.matrix_transpose(x))


def of_eigh(x: Any) -> list[Any]:
    w, v = F.eigh(x)
    return [w, *dyads(v, adjoint(v))[:2]]


def of_svd(x: Any) -> list[Any]:
    u, s, vh = F.svd(x, full_matrices=False)
    return [s, dyads(u, vh)[0], dyads(u, adjoint(u))[1], dyads(adjoint(vh), vh)[0]]


def of_full_svd(x: Any) -> list[Any]:
    u, _, vh = F.svd(x)
    k = min(x.shape)
    return [u[:, k:] @ adjoint(u[:, k:]), adjoint(vh[k:, :]) @ vh[k:, :], u[:, :k] @ vh[:k, :]]


def of_complete_qr(x: Any) -> list[Any]:
    q, r = F.qr(x, mode="complete")
    k = min(x.shape)
    return [q[:, k:] @ adjoint(q[:, k:]), q[:, :k], r]


B = numbers(3, 2, seed=5) + 1j * numbers(3, 2, seed=6)

SQUARE = {
    "inv": F.inv,
    "solve": lambda x: F.solve(x, B),
    "solve for a vector": lambda x: F.solve(x, B[:, 0]),
    "solve with another right side": lambda x: F.solve(
        B[:2, :].T @ B[:2, :].conj() + 2 * np.eye(2), x[:2, :]
    ),
    "det": F.det,
    "slogdet": F.slogdet,
    "cholesky": F.cholesky,
    "upper cholesky": lambda x: F.cholesky(x, upper=True),
    "eigh": of_eigh,
    "eigvalsh": F.eigvalsh,
    "eig": lambda x: [F.eig(x)[0], dyads(F.eig(x)[1], adjoint(F.eig(x)[1]))[1]],
    "eigvals": F.eigvals,
    "matrix_power": lambda x: F.matrix_power(x, -2),
    "trace": lambda x: F.trace(x, offset=-1),
    "cross": lambda x: F.cross(x, x[:, :1] * B[:, 0]),
    "einsum": lambda x: F.einsum("ij,kj,ii->ik", x, x, x),
}
ANY_SHAPE = {
    "pinv": F.pinv,
    "lstsq": lambda x: F.lstsq(x, x[:, :1] * 2 + 1j),
    "qr": F.qr,
    "complete qr": of_complete_qr,
    "svd": of_svd,
    "full svd": of_full_svd,
    "svdvals": F.svdvals,
    "vector_norm": lambda x: F.vector_norm(x, axis=0),
    **{f"vector_norm {p}": lambda x, p=p: F.vector_norm(x, ord=p) for p in (1, 3, -1, 0.5, math.inf)},
    **{f"matrix_norm {p}": lambda x, p=p: F.matrix_norm(x, ord=p) for p in ("fro", "nuc", 1, -2, math.inf)},
}
COMPLEX = [
    *((name, f, (3, 3)) for name, f in SQUARE.items()),
    *(
        (f"{name} of {s[0]} x {s[1]}", f, s)
        for name, f in ANY_SHAPE.items()
        for s in ((3, 3), (4, 2), (2, 4))
    ),
]


def parts(ys: Any) -> list[Any]:
    found = []
    for y in ys if isinstance(ys, list | tuple) else [ys]:
        found.append(F.real(y))
        if np.asarray(y.data).dtype.kind == "c":
            found.append(F.imag(y))
    return found


@pytest.mark.parametrize(("f", "shape"), [c[1:] for c in COMPLEX], ids=[c[0] for c in COMPLEX])
def test_complex_gradients_to_second_order(f, shape):
    """As functions of the real and the imaginary part, which differences are taken of."""
    re, im = numbers(*shape, seed=1), numbers(*shape, seed=2) / 2
    if shape[0] == shape[1]:
        re = re / 2 + 3 * np.eye(3)
    check_gradients(lambda a, b: parts(f(a + b * 1j)), [re, im])


@pytest.mark.parametrize(
    ("f", "numpys"),
    [
        (F.cholesky, np.linalg.cholesky),
        (lambda x: F.cholesky(x, upper=True), lambda x: np.conj(np.linalg.cholesky(x).T)),
        (F.eigvalsh, np.linalg.eigvalsh),
        (F.det, np.linalg.det),
        (F.inv, np.linalg.inv),
        (F.pinv, np.linalg.pinv),
        (lambda x: F.vector_norm(x, axis=1, ord=3), lambda x: np.linalg.norm(x, 3, axis=1)),
        (lambda x: F.matrix_norm(x, ord="nuc"), lambda x: np.linalg.norm(x, "nuc")),
    ],
)
@pytest.mark.parametrize("dtype", ["complex128", "complex64"])
def test_complex_values(backend, f, numpys, dtype):
    x = numbers(3, 3, seed=1) + 1j * numbers(3, 3, seed=2)
    x = x @ x.conj().T + np.eye(3)
    y = f(on(backend, x.astype(dtype)))
    want = np.asarray(numpys(x))
    name = dtype if want.dtype.kind == "c" else {"complex128": "float64", "complex64": "float32"}[dtype]
    tolerance = 1e-11 if dtype == "complex128" else 3e-5  # the condition number is about 30
    assert_close(y, want.astype(name), rtol=tolerance, atol=tolerance)
    F.sum(F.real(y)).backward()


def test_the_gradient_of_a_complex_eigendecomposition_is_hermitian(backend):
    x = on(backend, numbers(3, 3) + 1j * numbers(3, 3, seed=1))
    F.sum(F.eigvalsh(x) * on(backend, [1.0, 2.0, 4.0])).backward()
    g = to_numpy(x.grad)
    assert_close(g, np.conj(g.T), rtol=0, atol=1e-15)
    assert abs(g[0, 1].imag) > 1e-3


# -- determinants of singular matrices ---------------------------------------------------------------------

U, V = numbers(4, 4, seed=3), numbers(4, 4, seed=4)
OF_RANK = {rank: U[:, :rank] @ V[:rank, :] for rank in range(5)}


@pytest.mark.parametrize("rank", OF_RANK)
def test_det_has_two_derivatives_at_any_rank(backend, rank):
    check_gradients(F.det, [on(backend, OF_RANK[rank])])


def test_det_has_two_derivatives_where_singular_values_are_equal(backend):
    check_gradients(F.det, [on(backend, np.stack([np.eye(3), np.diag([1.0, 1.0, 0.0])]))])


def test_det_has_further_derivatives_where_there_is_an_inverse():
    check_gradients(F.det, [numbers(3, 3)], order=3)
    check_gradients(F.det, [np.eye(2)], order=4)


def test_the_cofactors_of_a_singular_matrix(backend):
    x = on(backend, [[1.0, 2.0], [2.0, 4.0]])
    F.det(x).backward()
    assert_close(x.grad, [[4.0, -2.0], [-2.0, 1.0]])


def test_complex_cofactors():
    u, v = numbers(3, 2) + 1j * numbers(3, 2, seed=1), numbers(2, 3, seed=2)
    re, im = (u @ v).real, (u @ v).imag
    check_gradients(lambda a, b: parts(F.det(a + b * 1j)), [re, im])


def test_slogdet_of_a_singular_matrix(backend):
    y = F.slogdet(on(backend, [[1.0, 2.0], [2.0, 4.0]]))
    assert (float(y.sign), float(y.logabsdet)) == (0.0, -math.inf)


def test_slogdet_where_the_determinant_overflows(backend):
    x = on(backend, 1e3 * np.eye(200))
    y = F.slogdet(x)
    assert_close(y.logabsdet, np.asarray(200 * math.log(1e3)))
    y.logabsdet.backward()
    assert_close(x.grad, np.eye(200) / 1e3)


def test_the_sign_of_a_real_determinant_has_a_gradient_of_zero(backend):
    x = on(backend, numbers(3, 3))
    F.slogdet(x).sign.backward()
    assert_close(x.grad, np.zeros((3, 3)))


# -- equal eigenvalues and singular values -----------------------------------------------------------------


def test_eigenvectors_of_equal_eigenvalues_are_held_fixed_to_each_other(backend):
    q = np.linalg.qr(numbers(3, 3))[0]
    x = on(backend, q @ np.diag([1.0, 1.0, 2.0]) @ q.T)
    (F.eigh(x).eigenvectors[0, 0] ** 2).backward(create_graph=True)
    g = x.grad
    assert np.isfinite(to_numpy(g)).all()
    assert np.abs(to_numpy(g)).max() < 10  # no quotient of rounding errors
    F.sum(g * g).backward()
    assert np.isfinite(to_numpy(x.grad)).all()


def test_the_eigenspace_of_equal_eigenvalues_has_a_gradient(backend):
    q = np.linalg.qr(numbers(3, 3))[0]
    matrix = q @ np.diag([1.0, 1.0, 2.0]) @ q.T
    weights = numbers(3, 3, seed=1)

    def weighted(x):
        v = F.eigh(x).eigenvectors[:, :2]
        return F.sum(v @ v.T * on(backend, weights))

    check_gradients(weighted, [on(backend, matrix)], order=1)


def test_the_sum_of_equal_eigenvalues_is_the_trace(backend):
    x = on(backend, np.eye(3))
    F.sum(F.eigvalsh(x)).backward()
    assert_close(x.grad, np.eye(3), rtol=0, atol=1e-14)


def test_singular_values_that_are_equal_or_zero(backend):
    for matrix in (np.eye(3), np.zeros((3, 3)), OF_RANK[2], np.ones((3, 2))):
        x = on(backend, matrix)
        u, s, vh = F.svd(x, full_matrices=False)
        (F.sum(u * u * u) + F.sum(s) + F.sum(vh * vh * vh)).backward(create_graph=True)
        F.sum(x.grad * x.grad).backward()
        assert np.isfinite(to_numpy(x.grad)).all()


def test_the_nuclear_norm_of_a_matrix_with_equal_singular_values(backend):
    x = on(backend, 2 * np.eye(3))
    F.matrix_norm(x, ord="nuc").backward()
    assert_close(x.grad, np.eye(3), rtol=0, atol=1e-14)


def test_values_alone_keep_no_vectors_without_a_gradient():
    x = np.eye(3)
    assert F.eigvalsh(x).creator is None
    y = F.svdvals(Variable(x))
    assert isinstance(y.creator, spectra.Svdvals)
    assert [a.shape for a in y.creator.saved] == [(3,), (3, 3), (3, 3)]
    with tg.no_grad():
        assert F.svdvals(Variable(x)).creator is None


# -- what is read of a matrix ------------------------------------------------------------------------------


@pytest.mark.parametrize("f", [F.cholesky, F.eigvalsh])
def test_the_hermitian_part_counts(backend, f):
    x = regular(3, 3)
    x, y = on(backend, x), on(backend, (x + x.T) / 2)
    assert_close(f(x), f(y))
    f(x).sum().backward()
    assert_close(x.grad, x.grad.T, rtol=0, atol=1e-15)


def test_cholesky_and_qr_give_back_the_matrix(backend):
    x = regular(2, 3, 3)
    x = x @ np.swapaxes(x, -1, -2)
    lower, upper = F.cholesky(on(backend, x)), F.cholesky(on(backend, x), upper=True)
    assert_close(lower @ lower.mT, x, rtol=1e-13)
    assert_close(upper.mT @ upper, x, rtol=1e-13)
    assert_close(F.triu(lower, 1), np.zeros((2, 3, 3)))
    assert_close(F.tril(upper, -1), np.zeros((2, 3, 3)))
    for shape, mode in (((4, 2), "reduced"), ((4, 2), "complete"), ((2, 4), "reduced")):
        a = numbers(*shape)
        q, r = F.qr(on(backend, a), mode=mode)
        assert_close(q @ r, a, rtol=1e-12, atol=1e-14)
        assert_close(F.tril(r, -1), np.zeros(r.shape))
        assert q.shape == ((4, 4) if mode == "complete" else (shape[0], 2))


def test_several_results_are_named_tuples(backend):
    x = on(backend, regular(3, 3))
    results = (F.eigh(x), F.svd(x), F.qr(x), F.slogdet(x))
    kinds = (spectra.EighResult, spectra.SVDResult, QRResult, determinants.SlogdetResult)
    assert tuple(map(type, results)) == kinds
    names = [("eigenvalues", "eigenvectors"), ("U", "S", "Vh"), ("Q", "R"), ("sign", "logabsdet")]
    assert [kind._fields for kind in kinds] == names
    assert all(isinstance(y, Variable) and y.requires_grad for result in results for y in result)


def test_one_result_may_be_used_alone(backend):
    for f, n in ((F.eigh, 2), (F.qr, 2), (F.svd, 3), (lambda x: F.svd(x, full_matrices=False), 3)):
        for i in range(n):
            for shape in ((3, 3),) if f is F.eigh else ((3, 3), (3, 2), (2, 3)):
                check_gradients(lambda x, f=f, i=i: f(x)[i] ** 2, [on(backend, numbers(*shape))], order=1)


# -- solutions ---------------------------------------------------------------------------------------------


def test_a_right_side_is_a_vector_only_if_it_has_one_axis(backend):
    a, b = regular(2, 2, 2), numbers(2, 2)
    y = F.solve(on(backend, a), on(backend, b))  # one matrix for both, not a vector for each
    assert_close(y, np.stack([np.linalg.solve(m, b) for m in a]), rtol=1e-12)
    y = F.solve(on(backend, a), on(backend, b[0]))
    assert_close(y, np.stack([np.linalg.solve(m, b[0]) for m in a]), rtol=1e-12)


def test_solve_computes_only_the_gradients_that_are_asked_for(backend):
    a, b = on(backend, regular(3, 3)), on(backend, numbers(3))
    for args in ((a, b), (a, b.data), (a.data, b)):
        gxs = F.solve(*args).creator.backward(b.data)
        assert [g is not None for g in gxs] == [isinstance(x, Variable) for x in args]


def test_the_shortest_solution_of_least_squares(backend):
    a, b = numbers(4, 2) @ numbers(2, 3, seed=1), numbers(4, seed=2)
    want = np.linalg.lstsq(a, b, rcond=None)[0]
    assert_close(F.lstsq(on(backend, a), on(backend, b)), want, rtol=1e-10, atol=1e-12)
    residual = on(backend, b) - on(backend, a) @ F.lstsq(on(backend, a), on(backend, b))
    assert_close(on(backend, a).T @ residual, np.zeros(3), atol=1e-12)


def test_pinv_of_integers_is_refused(backend):
    x = backend.from_numpy(np.array([[1, 2], [3, 4]]))
    for f in (F.pinv, lambda x: F.lstsq(x, x)):
        with pytest.raises(TypeError, match=r"^pinv: expected a floating dtype; got .*int64"):
            f(x)


def test_pinv_along_matrices_of_the_same_rank():
    check_gradients(lambda u, v: F.pinv(u @ v, rtol=1e-9), [numbers(4, 2), numbers(2, 3, seed=1)])


def test_powers(backend):
    x = on(backend, regular(2, 2, 2))
    assert F.matrix_power(x, 1) is x
    unit = F.matrix_power(x, 0)
    assert not unit.requires_grad
    assert_close(unit, np.stack([np.eye(2)] * 2))
    assert_close(F.matrix_power(x, np.int64(5)), np.linalg.matrix_power(x_of(x), 5), rtol=1e-12)
    assert_close(F.matrix_power(x, -3) @ F.matrix_power(x, 3), unit, rtol=0, atol=1e-12)


def x_of(x: Variable) -> Any:
    return to_numpy(x)


def test_the_rank_is_a_constant(backend):
    y = F.matrix_rank(on(backend, np.stack([OF_RANK[2], OF_RANK[4]])))
    assert not y.requires_grad
    assert to_numpy(y).tolist() == [2, 4]
    diagonal = backend.from_numpy(np.stack([np.diag([4.0, 2.0, 1.0])] * 2))
    assert to_numpy(F.matrix_rank(diagonal, rtol=backend.from_numpy(np.asarray([0.4, 0.7])))).tolist() == [
        2,
        1,
    ]
    assert to_numpy(F.matrix_rank(backend.from_numpy(np.zeros((2, 3, 0))))).tolist() == [0, 0]


# -- the namespace -----------------------------------------------------------------------------------------

NAMESPACE = {
    "cholesky": lambda la, x: la.cholesky(x, upper=True),
    "cross": lambda la, x: la.cross(x, x + 1, axis=-2),
    "det": lambda la, x: la.det(x),
    "diagonal": lambda la, x: la.diagonal(x, offset=1),
    "eig": lambda la, x: la.eig(x).eigenvalues,
    "eigh": lambda la, x: la.eigh(x).eigenvalues,
    "eigvals": lambda la, x: la.eigvals(x),
    "eigvalsh": lambda la, x: la.eigvalsh(x),
    "inv": lambda la, x: la.inv(x),
    "matmul": lambda la, x: la.matmul(x, x),
    "matrix_norm": lambda la, x: la.matrix_norm(x, keepdims=True, ord=math.inf),
    "matrix_power": lambda la, x: la.matrix_power(x, -2),
    "matrix_transpose": lambda la, x: la.matrix_transpose(x),
    "outer": lambda la, x: la.outer(x[0, :], x[1, :]),
    "pinv": lambda la, x: la.pinv(x[:, :2], rtol=1e-6),
    "qr": lambda la, x: la.qr(x[:, :2], mode="complete").R ** 2,
    "slogdet": lambda la, x: la.slogdet(x).logabsdet,
    "solve": lambda la, x: la.solve(x, x[:, 0]),
    "svd": lambda la, x: la.svd(x, full_matrices=False).S,
    "svdvals": lambda la, x: la.svdvals(x),
    "tensordot": lambda la, x: la.tensordot(x, x, axes=1),
    "trace": lambda la, x: la.trace(x, offset=-1),
    "vecdot": lambda la, x: la.vecdot(x, x, axis=-1),
    "vector_norm": lambda la, x: la.vector_norm(x, axis=(0, 1), keepdims=True, ord=3),
}


def test_every_name_of_the_extension_has_a_derivative(backend):
    linalg = namespace_of(backend).linalg
    assert sorted(NAMESPACE) == [name for name in dir(linalg) if name != "matrix_rank"]
    assert linalg.matrix_rank is F.matrix_rank


@pytest.mark.parametrize("name", NAMESPACE)
def test_calls_of_the_extension(backend, name):
    x = regular(3, 3, seed=1)
    x = x + x.T
    y = NAMESPACE[name](namespace_of(backend).linalg, on(backend, x))
    assert isinstance(y, Variable)
    assert y.requires_grad
    if name != "qr":  # array-api-compat brings NumPy the names of the standard
        import array_api_compat.numpy as plain

        want = np.asarray(NAMESPACE[name](plain.linalg, x))
        if name.startswith("eig") and not name.startswith("eigh") and not name.startswith("eigvalsh"):
            want = want.astype(complex)  # before 1.13 array-api-compat gave real ones where all are real
        assert_close(y, want, rtol=1e-11, atol=1e-13)
    y.sum().backward()


# -- types, sizes and errors -------------------------------------------------------------------------------


@pytest.mark.parametrize("f", [F.inv, F.det, F.cholesky, F.eigvalsh, F.svdvals, F.pinv, F.matrix_norm])
def test_float32_stays_float32(backend, f):
    x = on(backend, regular(3, 3).astype(np.float32))
    y = f(x)
    y.sum().backward(create_graph=True)
    g = x.grad
    (g * g).sum().backward()
    assert {to_numpy(v).dtype for v in (y, g, x.grad)} == {np.dtype(np.float32)}


@pytest.mark.parametrize("f", [F.inv, F.det, F.cholesky, F.eigvalsh, F.svdvals, F.vector_norm, F.trace])
@pytest.mark.parametrize("shape", [(0, 2, 2), (0, 0)])
def test_nothing_at_all(f, shape):
    x = Variable(np.zeros(shape))
    f(x).sum().backward()
    assert x.grad.shape == shape


def test_the_matrices_of_the_samples_are_regular(backend):
    (x,) = make_arrays(Sample(Regular((4, 3, 3))), backend)
    symmetric = to_numpy(x + x.mT) / 2
    assert np.linalg.eigvalsh(symmetric).min() > 0.5
    assert np.abs(symmetric - to_numpy(x)).max() > 0.1


def test_what_is_no_matrix():
    x = np.zeros(3)
    for f in (F.pinv, F.qr, F.svd, F.svdvals, F.matrix_norm, F.matrix_rank, F.diagonal, F.trace):
        with pytest.raises(ValueError, match=r"expected a matrix or a stack of them, shape \(\.\.\., m, n\)"):
            f(x)


def test_what_is_not_square():
    x = np.zeros((2, 3))
    for f in (F.inv, F.det, F.slogdet, F.cholesky, F.eigh, F.eigvalsh, lambda x: F.matrix_power(x, 2)):
        with pytest.raises(
            ValueError, match=r"expected square matrices, shape \(\.\.\., n, n\); got \(2, 3\)"
        ):
            f(x)


def test_wrong_arguments():
    x = np.eye(2)
    with pytest.raises(
        ValueError, match=r"solve: expected b of shape \(2,\) or \(\.\.\., 2, k\) .* got \(3,\)"
    ):
        F.solve(x, np.zeros(3))
    with pytest.raises(
        ValueError, match=r"lstsq: expected b of shape \(2,\) .* needs a last axis of length 1"
    ):
        F.lstsq(x, np.zeros((2, 3)).T)
    with pytest.raises(ValueError, match=r"matrix_norm: expected ord 'fro', .* got 3"):
        F.matrix_norm(x, ord=3)
    with pytest.raises(ValueError, match="qr: expected mode 'reduced' or 'complete'; got 'raw'"):
        F.qr(x, mode="raw")
    with pytest.raises(TypeError, match=r"matrix_power: expected an integer power; got 0\.5"):
        F.matrix_power(x, 0.5)
    with pytest.raises(ValueError, match="cross: expected a negative axis that both have; got 0"):
        F.cross(np.zeros(3), np.zeros(3), axis=0)
    with pytest.raises(ValueError, match=r"cross: expected vectors of length 3 along axis -1; got \(2,\)"):
        F.cross(np.zeros(2), np.zeros(3))
    with pytest.raises(ValueError, match="vectornorm: expected an axis that x has; got axis 2"):
        F.vector_norm(x, axis=2)


def test_a_library_without_eig_is_named(monkeypatch):
    """CuPy before 14 is one."""
    backend = get_backend("numpy")
    for name in ("eig", "eigvals"):
        monkeypatch.delattr(backend.xp.linalg, name)
        with pytest.raises(
            TypeError,
            match=rf"^{name}: numpy \S+ has no linalg\.{name}\. Compute it in another library: v\.to",
        ):
            getattr(F, name)(Variable(np.eye(2), requires_grad=False))
