"""Data loaders with threads: order, seeds, errors, threads that die, epochs that are left."""

# ruff: noqa: NPY002  (orders are drawn from the state that users of the book seed)
from __future__ import annotations

import copy
import gc
import os
import pickle
import random
import re
import signal
import sys
import threading
import time
import traceback
import weakref

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad import DataLoader, Dataset, SeqDataLoader, randomness, transforms
from tensorgrad.dataloaders.threads import ThreadJob
from tensorgrad.distributed import LocalCommunicator
from tensorgrad_backends.numpy import NumpyBackend


def message(text: str) -> str:
    return f"^{re.escape(text)}$"


class Count(Dataset):
    def prepare(self):
        self.data = np.arange(10.0)
        self.label = np.arange(10)


def seen(loader):
    return [x.tolist() for x, _ in loader]


def loader_threads():
    return [t for t in threading.enumerate() if t.name.startswith("tensorgrad-loader")]


@pytest.fixture(autouse=True)
def _threads_end():
    yield
    gc.collect()
    deadline = time.monotonic() + 5
    while loader_threads() and time.monotonic() < deadline:
        time.sleep(0.01)
    assert loader_threads() == []


class Ahead(NumpyBackend):
    """A backend that copies ahead, and counts."""

    name = "ahead"
    sends_ahead = True

    def __init__(self):
        super().__init__()
        self.log = []

    def send(self, arrays, device=None):
        copies = [np.array(a) for a in arrays]
        self.log.append("sent")
        return lambda: self.log.append("arrived") or copies


def once_read(loader, number):
    """Wait until a batch of a loader with threads has been read."""
    deadline = time.monotonic() + 5
    while not loader._ahead[number].ready():
        assert time.monotonic() < deadline
        time.sleep(0.001)


# -- options -------------------------------------------------------------------------------------


def test_drop_last():
    loader = DataLoader(Count(), 4, shuffle=False, drop_last=True)
    assert len(loader) == loader.max_iter == 2
    assert seen(loader) == [[0, 1, 2, 3], [4, 5, 6, 7]]
    assert seen(DataLoader(Count(), 11, drop_last=True)) == []
    assert len(DataLoader(Count(), 5, drop_last=True)) == 2


def test_a_seed_of_its_own():
    def epochs(**options):
        loader = DataLoader(Count(), 3, seed=5, **options)
        return [seen(loader) for _ in range(3)]

    np.random.seed(0)
    first = epochs()
    state = np.random.get_state()[1].copy()
    np.random.seed(1)
    assert epochs() == first
    assert first[0] != first[1]
    np.random.seed(0)
    np.testing.assert_array_equal(np.random.get_state()[1], state)  # the global state is left alone


def test_the_library_s_seed():
    try:
        tg.seed(3)
        first = seen(DataLoader(Count(), 3))
        np.random.seed(8)
        tg.seed(3)
        assert seen(DataLoader(Count(), 3)) == first
    finally:
        tg.seed(None)


def test_bad_options():
    expected = "DataLoader: expected workers >= 0 and prefetch >= 1; got -1 and 2"
    with pytest.raises(ValueError, match=message(expected)):
        DataLoader(Count(), 2, workers=-1)
    expected = "SeqDataLoader: expected workers >= 0 and prefetch >= 1; got 1 and 0"
    with pytest.raises(ValueError, match=message(expected)):
        SeqDataLoader(Count(), 2, workers=1, prefetch=0)


ALONE = LocalCommunicator()


@pytest.mark.parametrize(
    "options", [{}, {"seed": 5}, {"workers": 2}, {"workers": 2, "seed": 5}, {"comm": ALONE}]
)
def test_an_epoch_goes_on_from_a_state(options):
    loader = DataLoader(Count(), 3, **options)
    seen(loader)
    first = [next(loader)[0].tolist() for _ in range(2)]
    state = pickle.loads(pickle.dumps(loader.state_dict()))
    drawn = np.random.get_state()
    rest, after = seen_from_here(loader), seen(loader)
    np.random.seed(9)
    again = DataLoader(Count(), 3, **options)
    next(again)
    again.load_state_dict(state)
    np.random.set_state(drawn)
    assert seen(iter(again)) == rest
    assert seen(again) == after
    assert sorted(i for batch in first + rest for i in batch) == list(range(10))
    for _ in again:
        break
    again.load_state_dict(state)
    next(again)
    assert len(seen(again)) == 4  # one that was left half-way is not resumed: it was begun


def seen_from_here(loader):
    return [next(loader)[0].tolist() for _ in range(loader.max_iter - loader.iteration)]


def test_a_state_that_does_not_fit():
    state = DataLoader(Count(), 3).state_dict()
    loader = DataLoader([(0, 0)] * 9, 3)
    expected = (
        "DataLoader: the state does not fit. Expected one of 9 examples in 3 batches with no seed; "
        "got 10 examples, batch 0, with no seed"
    )
    with pytest.raises(ValueError, match=message(expected)):
        loader.load_state_dict(state)
    with pytest.raises(ValueError, match="in 4 batches with a seed; got 10 examples, batch 0, with no seed"):
        DataLoader(Count(), 3, seed=1).load_state_dict(state)


# -- threads -------------------------------------------------------------------------------------


@pytest.mark.parametrize("workers", [1, 2, 5])
@pytest.mark.parametrize("prefetch", [1, 3])
def test_threads_keep_the_order(workers, prefetch):
    class Uneven(Count):
        def __getitem__(self, index):
            time.sleep(0.002 * (index % 3))
            return super().__getitem__(index)

    loader = DataLoader(Uneven(), 3, shuffle=False, workers=workers, prefetch=prefetch)
    for _ in range(2):
        assert seen(loader) == [[0, 1, 2], [3, 4, 5], [6, 7, 8], [9]]
    sequences = SeqDataLoader(Uneven(), 3, workers=workers)
    assert seen(sequences) == seen(SeqDataLoader(Count(), 3))


def test_threads_shuffle_like_none():
    np.random.seed(4)
    plain = seen(DataLoader(Count(), 3))
    np.random.seed(4)
    assert seen(DataLoader(Count(), 3, workers=2)) == plain


@pytest.mark.parametrize("seed", ["loader", "numpy"])
def test_random_transforms_repeat_whatever_the_threads(seed):
    images = [(np.arange(64.0).reshape(1, 8, 8) + i, i) for i in range(12)]
    crop = transforms.Compose([transforms.RandomCrop(3), transforms.RandomHorizontalFlip()])

    class Crops(Dataset):
        def prepare(self):
            self.data = [crop] * len(images)

        def __getitem__(self, index):
            x, t = images[index]
            time.sleep(0.001 * (index % 2))
            return crop(x), t

        def __len__(self):
            return len(images)

    def epochs(workers):
        np.random.seed(7)
        options = {"seed": 3} if seed == "loader" else {}
        loader = DataLoader(Crops(), 4, workers=workers, **options)
        return [seen(loader) for _ in range(2)]

    first = epochs(1)
    assert epochs(3) == epochs(2) == first
    assert first[0] != first[1]


def test_threads_read_ahead_and_no_further():
    started = []

    class Noted(Count):
        def __getitem__(self, index):
            started.append(index)
            return super().__getitem__(index)

    loader = DataLoader(Noted(), 1, shuffle=False, workers=2, prefetch=2)
    next(loader)
    deadline = time.monotonic() + 5
    while len(started) < 4 and time.monotonic() < deadline:
        time.sleep(0.005)
    time.sleep(0.05)
    assert sorted(started) == [0, 1, 2, 3]


def test_the_next_batch_is_copied_ahead():
    backend = Ahead()
    loader = DataLoader(Count(), 4, shuffle=False, workers=1).to(backend)
    loader._have_read(0)
    once_read(loader, 1)
    x, _ = next(loader)
    assert backend.log == ["sent"]  # the second: the first had to be there at once
    loader._have_read(1)
    once_read(loader, 1)
    np.testing.assert_array_equal([*x, *next(loader)[0]], np.arange(8.0))
    assert backend.log == ["sent", "arrived", "sent"]
    loader.to_cpu()  # the third was sent in vain
    assert next(loader)[0].tolist() == [8.0, 9.0]
    assert backend.log == ["sent", "arrived", "sent"]


def test_what_is_copied_ahead_is_what_is_read():
    workers = DataLoader(Count(), 3, workers=2, seed=1)
    unlabelled = DataLoader([(i, None) for i in range(5)], 2, shuffle=False, workers=1).to(Ahead())
    assert seen(workers.to(Ahead())) == seen(DataLoader(Count(), 3, workers=2, seed=1))
    assert [(x.tolist(), t) for x, t in unlabelled] == [([0, 1], None), ([2, 3], None), ([4], None)]
    next(workers)
    state = workers.state_dict()
    rest = [next(workers)[0].tolist() for _ in range(3)]
    workers.load_state_dict(state)
    assert [x.tolist() for x, _ in workers] == rest


def test_an_error_is_raised_in_its_turn_though_batches_are_copied_ahead():
    class Fails(Count):
        def __getitem__(self, i):
            if i == 4:
                raise KeyError("torn file")
            return super().__getitem__(i)

    loader = DataLoader(Fails(), 4, shuffle=False, workers=1).to(Ahead())
    loader._have_read(0)
    loader._ahead[1].done.wait(5)
    assert next(loader)[0].tolist() == [0.0, 1.0, 2.0, 3.0]
    with pytest.raises(KeyError, match="torn file"):
        next(loader)


def test_an_abandoned_epoch_starts_anew():
    loader = DataLoader(Count(), 2, shuffle=False, workers=2)
    for _ in loader:
        break
    assert seen(loader) == [[0, 1], [2, 3], [4, 5], [6, 7], [8, 9]]
    shuffled = DataLoader(Count(), 2, workers=2)
    next(shuffled)
    shuffled.reset()
    assert sorted(i for batch in seen(shuffled) for i in batch) == list(range(10))


def test_threads_are_few_and_go_with_the_loader():
    loader = DataLoader(Count(), 2, workers=3)
    for _ in range(4):
        seen(loader)
    assert len(loader_threads()) == 3
    gone = weakref.ref(loader)
    del loader
    assert gone() is None


def test_a_copy_has_threads_of_its_own():
    loader = DataLoader(Count(), 2, shuffle=False, workers=2)
    next(loader)
    for twin in (copy.deepcopy(loader), pickle.loads(pickle.dumps(loader))):
        assert next(twin)[0].tolist() == [2, 3]
    assert next(loader)[0].tolist() == [2, 3]


# -- errors --------------------------------------------------------------------------------------


class Faulty(Count):
    def __getitem__(self, index):
        if index == 5:
            raise LookupError(f"example {index} is damaged")
        return super().__getitem__(index)


@pytest.mark.parametrize("workers", [0, 2])
def test_an_error_reaches_the_caller_with_its_traceback(workers):
    loader = DataLoader(Faulty(), 2, shuffle=False, workers=workers)
    got = []

    def epoch():
        for x, _ in loader:
            got.append(x.tolist())

    with pytest.raises(LookupError, match=r"^example 5 is damaged$") as caught:
        epoch()
    assert got == [[0, 1], [2, 3]]
    frames = traceback.extract_tb(caught.value.__traceback__)
    assert frames[-1].line == 'raise LookupError(f"example {index} is damaged")'
    assert next(iter(loader))[0].tolist() == [0, 1]  # the next epoch begins anew


class Listed(list):
    """Examples, some of which raise an error."""

    def __getitem__(self, i):
        example = super().__getitem__(i)
        if isinstance(example, Exception):
            raise example
        return example


@pytest.mark.parametrize("workers", [0, 2])
def test_an_example_cannot_end_the_epoch(workers):
    data = Listed([(0.0, 0), StopIteration(), (2.0, 2)])
    with pytest.raises(RuntimeError, match="example 1 of Listed raised StopIteration, as if the epoch ended"):
        list(DataLoader(data, 1, shuffle=False, workers=workers))


@pytest.mark.parametrize(
    ("examples", "error", "expected"),
    [
        ([np.zeros(3)] * 2, TypeError, r"a pair \(x, t\), .* example 0 is ndarray of shape \(3,\)"),
        ([(0, 1, 2)], TypeError, "a pair .* example 0 is a tuple of 3"),
        ([5], TypeError, "a pair .* example 0 is int"),
        (
            [(np.zeros(2), 0), (np.zeros(3), 0)],
            ValueError,
            r"examples of one shape .* shape \(2,\), ndarray of",
        ),
        ([({"a": 1}, 0)], TypeError, "examples that are numbers or arrays; got dict"),
        ([(0.0, 1), (0.0, None)], TypeError, "labels that are numbers or arrays; got NoneType"),
    ],
)
def test_what_is_no_batch(examples, error, expected):
    with pytest.raises(error, match=f"DataLoader: expected .*{expected}"):
        list(DataLoader(examples, 2, shuffle=False))


def test_an_exit_in_a_thread_reaches_the_caller():
    class Exits(Count):
        def __getitem__(self, index):
            raise SystemExit(3)

    with pytest.raises(SystemExit):
        next(DataLoader(Exits(), 2, workers=1))


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_nothing_hangs_when_the_threads_die(monkeypatch):
    def die(self, thread):
        self.thread = thread
        raise SystemExit  # ends the thread, and nothing else

    loader = DataLoader(Count(), 2, shuffle=False, workers=2)
    expected = "DataLoader: the threads that read examples ahead have died"
    with monkeypatch.context() as patched:
        patched.setattr(ThreadJob, "run", die)
        with pytest.raises(RuntimeError, match=message(expected)):
            next(loader)
    assert seen(loader) == [[0, 1], [2, 3], [4, 5], [6, 7], [8, 9]]  # with new threads


def test_threads_see_the_context_of_the_caller():
    found = []

    class Looks(Count):
        def __getitem__(self, index):
            found.append(tg.Config.train)
            return super().__getitem__(index)

    with tg.test_mode():
        next(DataLoader(Looks(), 10, workers=1))
    assert found == [False] * 10


# -- processes -----------------------------------------------------------------------------------


class Reads(Dataset):
    """What a process reads: the example, who read it, in which mode, and random numbers of three kinds."""

    def prepare(self):
        self.data = np.arange(12)

    def __getitem__(self, index):
        if index == 100:
            raise LookupError("example 100 is damaged")
        drawn = [randomness.host().random_sample(), np.random.random_sample(), random.random()]
        return np.array([index, os.getpid(), tg.Config.train, *drawn]), index


@pytest.fixture(scope="module")
def by_processes():
    """One loader for several tests: processes take a second to start."""
    return DataLoader(Reads(), 3, shuffle=False, workers=2, processes=True, seed=4)


def test_processes_read_in_order_and_repeat_their_numbers(by_processes):
    by_processes.load_state_dict(DataLoader(Reads(), 3, shuffle=False, workers=1, seed=4).state_dict())
    batches = [x for x, _ in by_processes]
    whole = np.concatenate(batches)
    assert whole[:, 0].tolist() == list(range(12))
    assert os.getpid() not in whole[:, 1]
    assert whole[:, 2].all()
    assert len(np.unique(whole[:, 3:])) == 36
    by_threads = np.concatenate([x for x, _ in DataLoader(Reads(), 3, shuffle=False, workers=2, seed=4)])
    np.testing.assert_array_equal(whole[:, 3], by_threads[:, 3])
    with tg.test_mode():
        again = DataLoader(Reads(), 3, shuffle=False, workers=1, seed=4, processes=True)
        again._pool = by_processes._pool  # the same processes
        repeated = np.concatenate([x for x, _ in again])
    assert not repeated[:, 2].any()
    np.testing.assert_array_equal(repeated[:, 3:], whole[:, 3:])


def test_an_error_in_a_process_reaches_the_caller_with_its_traceback(by_processes):
    by_processes.index[7] = 100
    got = []

    def epoch():
        for _, t in by_processes:
            got.append(t.tolist())

    with pytest.raises(LookupError, match=r"^.example 100 is damaged.$|^example 100 is damaged$") as caught:
        epoch()
    assert got == [[0, 1, 2], [3, 4, 5]]
    assert 'raise LookupError("example 100 is damaged")' in str(caught.value.__cause__)
    for _, t in by_processes:
        assert t.tolist() == [0, 1, 2]  # the next epoch begins anew
        break


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL")
def test_nothing_hangs_when_a_process_is_killed(by_processes):
    x, _ = next(iter(by_processes))
    os.kill(int(x[0, 1]), signal.SIGKILL)

    def epochs():
        for _ in range(20):
            for _ in by_processes:
                pass

    start = time.monotonic()
    with pytest.raises(
        RuntimeError, match=r"^DataLoader: a process that reads examples ahead has died\. Was"
    ):
        epochs()
    assert time.monotonic() - start < 20
    assert [t.tolist() for _, t in by_processes] == [[0, 1, 2], [3, 4, 5], [6, 7, 8], [9, 10, 11]]


def test_a_data_set_that_cannot_be_sent():
    class Local(Count):
        pass

    with pytest.raises(
        TypeError, match=r"^DataLoader: processes get the data set by pickle, and Local cannot"
    ):
        next(DataLoader(Local(), 2, workers=1, processes=True))
