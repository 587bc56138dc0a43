"""Programs under ``mpiexec`` in which a rank fails, dies or leaves: all ranks end, and it is said why."""

from __future__ import annotations

import time

import numpy as np
import pytest

import tensorgrad as tg
from launching import launch
from tensorgrad import functions as F
from tensorgrad import layers as L

pytest.importorskip("mpi4py", reason="mpi4py is not installed: nox -s tests-mpi runs these tests")

BEGIN = """
import os, signal, sys, time
import numpy as np
from tensorgrad.distributed import create_communicator
comm = create_communicator()
for _ in range(3):
    comm.allreduce(np.ones(10))
print("begun", time.time(), flush=True)
"""


def run(program: str, ranks: int = 3, **env: str) -> tuple[int, str, str, float]:
    """Status, output, errors, and how long it took from the word "begun" on."""
    done = launch(ranks, "-c", BEGIN + program, **env)
    begun = [float(line.split()[1]) for line in done.stdout.splitlines() if line.startswith("begun")]
    assert len(begun) == ranks, done.stderr
    return done.returncode, done.stdout, done.stderr, time.time() - max(begun)


def test_a_rank_that_raises_ends_all_and_its_traceback_comes_first():
    status, _, errors, seconds = run(
        """
if comm.rank == 1:
    raise ValueError("this rank fails")
comm.allreduce(np.ones(10))
"""
    )
    assert status != 0
    assert errors.startswith("[rank 1] Traceback (most recent call last):\n"), errors
    assert "[rank 1] ValueError: this rank fails\n" in errors
    assert seconds < 10


def test_a_rank_that_is_killed_ends_all():
    status, output, errors, seconds = run(
        """
if comm.rank == 1:
    os.kill(os.getpid(), signal.SIGKILL)
comm.allreduce(np.ones(10))
"""
    )
    assert status != 0
    assert "rank 1" in errors or "PID" in output  # Open MPI's launcher says which rank, MPICH's which process
    assert "signal 9" in output + errors
    assert seconds < 10


@pytest.mark.parametrize("leave", ["sys.exit(3)", "pass"])
def test_a_rank_that_leaves_while_others_wait_ends_all(leave):
    status, _, errors, seconds = run(
        f"""
if comm.rank == 1:
    {leave}
else:
    comm.allreduce(np.ones(10))
"""
    )
    assert status != 0
    assert "rank 1 has left the program after 3 collectives; rank" in errors
    assert "waits for it in collective 4, allreduce, at <string>:" in errors
    assert "Do all ranks make the same number of steps?" in errors
    assert seconds < 10


def test_a_rank_that_leaves_without_sending_ends_the_one_that_receives():
    status, _, errors, seconds = run("comm.recv(1) if comm.rank == 0 else None", ranks=2)
    assert status != 0
    assert "rank 1 has left the program; rank 0 waits for it in recv at <string>:" in errors
    assert seconds < 10


def test_a_rank_that_comes_too_late_is_an_error_where_one_asked_for_it():
    status, _, errors, seconds = run(
        """
late = create_communicator(timeout=1.5)
if comm.rank == 1:
    time.sleep(30)
late.allreduce(np.ones(10))
"""
    )
    assert status != 0
    assert "TimeoutError: rank" in errors
    assert "in allreduce, collective 1, at <string>:" in errors
    assert seconds < 10


def test_ranks_may_end_at_different_times():
    status, output, errors, _ = run(
        """
comm.send(np.ones(3), (comm.rank + 1) % comm.size)
comm.recv((comm.rank - 1) % comm.size)
if comm.is_main:
    time.sleep(2.5)
print("end", flush=True)
"""
    )
    assert (status, errors) == (0, "")
    assert output.count("end") == 3


def test_a_debug_mode_that_the_environment_asks_for():
    status, _, errors, _ = run(
        """
if comm.rank == 1:
    comm.barrier()
else:
    comm.allreduce(np.ones(10))
""",
        TENSORGRAD_DEBUG_COLLECTIVES="1",
    )
    assert status != 0
    assert "RuntimeError: collective 4 is not the same on all ranks:" in errors
    assert "rank 0: allreduce float64 (10,) op=sum, at <string>:" in errors
    assert "rank 1: barrier, at <string>:" in errors


TRAINING = """
import tensorgrad as tg
from tensorgrad import distributed as D, functions as F, layers as L
tg.seed(comm.rank)
model = tg.models.Sequential(L.Linear(8, dtype=np.float64), F.tanh, L.Linear(3, dtype=np.float64))
optimizer = D.DistributedOptimizer(tg.optimizers.Adam(0.05), comm).setup(model, np.zeros((1, 4)))
if os.environ["START"]:
    model.load_weights(os.environ["START"])
draw = np.random.RandomState(0)
data = [(draw.normal(size=4), i % 3) for i in range(22)]
loader = tg.DataLoader(data, 8 // comm.size, comm=comm, seed=1)
state = {"model": model, "optimizer": optimizer, "loader": loader}
path = os.environ["CHECKPOINT"]
first = D.load_checkpoint(path, comm, state)["epoch"] if os.path.exists(path) else 0
for epoch in range(first, 4):
    for i, (x, t) in enumerate(loader):
        loss = D.mean_loss(F.cross_entropy(model(x), t, reduction="sum"), len(t), comm)
        model.cleargrads()
        loss.backward()
        if epoch == 2 and i == 1 and comm.rank == 1 and os.environ["KILL"]:
            os.kill(os.getpid(), signal.SIGKILL)
        optimizer.update()
    D.save_checkpoint(path, comm, {**state, "epoch": epoch + 1})
if comm.is_main:
    model.save_weights(os.environ["RESULT"])
"""


def test_a_run_whose_rank_was_killed_ends_as_an_undisturbed_one(tmp_path):
    """It goes on from its checkpoint, with twice as many ranks."""
    start = tmp_path / "start.npz"
    tg.seed(5)
    model = tg.models.Sequential(L.Linear(8, dtype=np.float64), F.tanh, L.Linear(3, dtype=np.float64))
    model(np.zeros((1, 4)))
    model.save_weights(start)

    def train(name, ranks, kill=""):
        env = {"CHECKPOINT": str(tmp_path / f"{name}.npz"), "RESULT": str(tmp_path / f"{name}.weights.npz")}
        return run(TRAINING, ranks, START=str(start), KILL=kill, **env)[0]

    assert train("undisturbed", 1) == 0
    assert train("killed", 2, kill="yes") != 0
    assert not (tmp_path / "killed.weights.npz").exists()
    assert train("killed", 4) == 0
    want = np.load(tmp_path / "undisturbed.weights.npz")
    got = np.load(tmp_path / "killed.weights.npz")
    with want, got:
        assert want.keys() == got.keys()
        for name in want:
            np.testing.assert_allclose(got[name], want[name], rtol=0, atol=1e-9)
