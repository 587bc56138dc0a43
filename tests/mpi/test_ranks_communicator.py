"""What ranks exchange: arrays of every library, objects, and groups of ranks."""

from __future__ import annotations

import re

import numpy as np
import pytest

from tensorgrad.testing.arrays import to_numpy


def test_allreduce_combines_elementwise(comm, backend, on_rank):
    every = np.stack([on_rank(r, (2, 3)) for r in range(comm.size)])
    x = backend.from_numpy(on_rank(comm.rank, (2, 3)))
    for op, want in (
        ("sum", every.sum(0)),
        ("mean", every.mean(0)),
        ("prod", every.prod(0)),
        ("min", every.min(0)),
        ("max", every.max(0)),
    ):
        y = comm.allreduce(x, op)
        assert type(y) is type(x)
        assert y.dtype == x.dtype
        np.testing.assert_allclose(to_numpy(y), want, rtol=1e-14)
    np.testing.assert_array_equal(to_numpy(x), on_rank(comm.rank, (2, 3)))


def test_allreduce_of_every_dtype(comm):
    for dtype in ("int8", "uint8", "int64", "float16", "float32", "complex64", "complex128"):
        y = comm.allreduce(np.array([1, 2], dtype) * (comm.rank + 1))
        assert y.dtype == dtype
        np.testing.assert_array_equal(y, np.array([1, 2], dtype) * sum(range(1, comm.size + 1)))
    for op, want in (("max", comm.size), ("min", 1)):
        half = comm.allreduce(np.array([comm.rank + 1], np.float16), op)
        assert (half.dtype, half[0]) == (np.float16, want)
    scalar = comm.allreduce(np.array(1.0))
    assert scalar.shape == ()
    assert comm.allreduce(np.empty((0, 3))).shape == (0, 3)


def test_allreduce_while_other_work_is_done(comm):
    requests = [comm.iallreduce(np.full(1000, float(i + comm.rank))) for i in range(5)]
    while not all(request.test() for request in requests):
        pass
    for i, request in enumerate(requests):
        assert request.wait()[0] == sum(i + r for r in range(comm.size))


def test_the_other_collectives(comm, backend, on_rank):
    n, r = comm.size, comm.rank
    rows = [on_rank(i, (n, 2)) for i in range(n)]
    x = backend.from_numpy(rows[r])
    np.testing.assert_array_equal(to_numpy(comm.allgather(x)), np.stack(rows))
    np.testing.assert_allclose(to_numpy(comm.reduce_scatter(x)), np.sum(rows, axis=0)[r], rtol=1e-14)
    np.testing.assert_array_equal(to_numpy(comm.alltoall(x)), np.stack([row[r] for row in rows]))
    for root in range(n):
        np.testing.assert_array_equal(to_numpy(comm.broadcast(x, root)), rows[root])
    flags = comm.allgather(np.array([r % 2 == 0]))  # what is only moved may be of any dtype
    np.testing.assert_array_equal(flags[:, 0], np.arange(n) % 2 == 0)


def test_views_that_are_not_contiguous(comm, on_rank):
    x = on_rank(comm.rank, (4, 3)).T[::2]
    want = sum(on_rank(r, (4, 3)).T[::2] for r in range(comm.size))
    np.testing.assert_allclose(comm.allreduce(x), want, rtol=1e-14)


def test_objects(comm):
    assert comm.allgather_object(("rank", comm.rank)) == [("rank", r) for r in range(comm.size)]
    root = comm.size - 1
    assert comm.bcast_object({"from": comm.rank}, root) == {"from": root}
    big = comm.bcast_object(list(range(100_000)) if comm.is_main else None)
    assert big[-1] == 99_999


def test_from_rank_to_rank(several, backend, on_rank):
    n, r = several.size, several.rank
    x = backend.from_numpy(on_rank(r, (2, 3)))
    if r == 0:
        several.send(x, 1)
        several.send(backend.from_numpy(np.arange(3)), 1, tag=5)
        got = several.recv(n - 1, like=x)
    else:
        got = several.recv(r - 1, like=x)
        if r == 1:
            assert several.recv(0, tag=5).dtype == np.arange(3).dtype
        several.send(x, (r + 1) % n)
    assert type(got) is type(x)
    np.testing.assert_array_equal(to_numpy(got), on_rank((r - 1) % n, (2, 3)))


def test_groups_of_ranks(comm):
    part = comm.split(comm.rank % 2)
    want = [r for r in range(comm.size) if r % 2 == comm.rank % 2]
    assert part.size == len(want)
    assert part.allgather_object(comm.rank) == want
    backwards = comm.split(0, key=-comm.rank)
    assert backwards.allgather_object(comm.rank) == list(reversed(range(comm.size)))


def test_ranks_on_one_machine(comm):
    assert sorted(comm.allgather_object(comm.local_rank)) == list(range(comm.size))
    assert comm.is_main == (comm.rank == 0)
    assert f"rank {comm.rank} of {comm.size}" in repr(comm)


def test_what_is_no_array_or_no_rank(comm):
    n = comm.size
    for call, error, text in (
        (lambda: comm.allreduce(1.0), TypeError, "allreduce: expected an array; got float. Objects have"),
        (lambda: comm.allreduce(np.ones(2), "xor"), ValueError, "expected op to be one of sum, mean, prod"),
        (lambda: comm.allreduce(np.array([True])), TypeError, "expected numbers; got bools"),
        (lambda: comm.allreduce(np.array([1j]), "max"), TypeError, "expected real numbers for max"),
        (lambda: comm.allreduce(np.array([1]), "mean"), TypeError, "expected floating numbers for mean"),
        (lambda: comm.broadcast(np.ones(2), n), ValueError, f"expected root from 0 to {n - 1}; got {n}"),
        (lambda: comm.send(np.ones(2), -1), ValueError, f"expected dest from 0 to {n - 1}; got -1"),
        (lambda: comm.reduce_scatter(np.ones(n + 1)), ValueError, f"expected an array with {n} elements"),
    ):
        with pytest.raises(error, match=re.escape(text)):
            call()


def test_a_collective_out_of_order_is_named(several):
    """In debug mode, which these tests run in. The ranks agree again after it."""
    wanted = r"collective \d+ is not the same on all ranks:\n  rank 0: (.*), at test_ranks_comm.*py:\d+\n"
    different = several.allreduce if several.rank == 0 else several.broadcast
    with pytest.raises(RuntimeError, match=wanted + "  rank 1: broadcast float64 \\(2,\\) root=0") as caught:
        different(np.ones(2))
    assert "rank 0: allreduce float64 (2,) op=sum, at" in str(caught.value)
    with pytest.raises(RuntimeError, match=r"allreduce float64 \(2,\)(.|\n)*allreduce float64 \(3,\)"):
        several.allreduce(np.ones(2 if several.rank == 0 else 3))
    assert several.allreduce(np.ones(1))[0] == several.size
