"""Modes: what they switch, and for whom."""

from __future__ import annotations

import asyncio
import re
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad import Config, Variable
from tensorgrad.testing import assert_close


def square_records() -> bool:
    return (Variable(np.array(2.0)) ** 2).creator is not None


def test_the_modes_are_on_by_default():
    assert Config.enable_backprop
    assert Config.train
    assert repr(Config) == "Config(enable_backprop=True, train=True, precision=None)"


def test_no_grad_records_nothing():
    x = Variable(np.array(2.0))
    with tg.no_grad():
        y = x * x
    assert y.creator is None
    assert not y.requires_grad
    assert y.generation == 0
    assert_close(y, 4.0)
    assert square_records()


def test_what_was_recorded_before_no_grad_can_be_differentiated_in_it():
    x = Variable(np.array(2.0))
    y = x**3
    with tg.no_grad():
        y.backward(create_graph=True)
        assert x.grad.creator is not None
        assert not Config.enable_backprop
    assert_close(x.grad, 12.0)
    x.cleargrad()


def test_using_config():
    with tg.using_config("enable_backprop", False):
        assert not Config.enable_backprop
        assert not square_records()
        with tg.using_config("enable_backprop", True):
            assert square_records()
        assert not square_records()
    assert square_records()
    with tg.using_config("train", False):
        assert not Config.train
        assert square_records()
    assert Config.train


def test_test_mode():
    with tg.test_mode():
        assert not Config.train
        assert Config.enable_backprop
    assert Config.train


def test_an_error_ends_a_mode():
    with pytest.raises(ZeroDivisionError), tg.no_grad(), tg.test_mode():
        raise ZeroDivisionError
    assert Config.enable_backprop
    assert Config.train


def test_one_object_can_be_entered_again():
    mode = tg.no_grad()
    with mode:
        with mode:
            assert not Config.enable_backprop
        assert not Config.enable_backprop
    assert Config.enable_backprop


def test_as_decorator():
    @tg.no_grad()
    def inner(again=True):
        assert not Config.enable_backprop
        if again:
            inner(False)
        return square_records()

    assert not inner()
    assert not inner()
    assert square_records()


def test_setting_a_mode():
    """As in the book: ``Config.train = False``."""
    Config.train = False
    try:
        assert not Config.train
    finally:
        Config.train = True


def test_names_that_are_unknown():
    expected = "no configuration is named 'enable_backprob'; there are: enable_backprop, train"
    with pytest.raises(LookupError, match=f"^{re.escape(expected)}$"):
        tg.using_config("enable_backprob", False)
    with pytest.raises(LookupError, match=f"^{re.escape(expected)}$"):
        Config.enable_backprob = False
    with pytest.raises(AttributeError, match="enable_backprob"):
        _ = Config.enable_backprob


# -- contexts do not see each other's modes ------------------------------------------------------


def test_a_thread_in_no_grad_switches_nothing_off_elsewhere():
    inside, go_on = threading.Event(), threading.Event()
    seen = {}

    def other():
        with tg.no_grad():
            inside.set()
            go_on.wait(timeout=10)
            seen["in the thread"] = square_records()
        seen["after it"] = square_records()

    thread = threading.Thread(target=other)
    thread.start()
    assert inside.wait(timeout=10)
    seen["here"] = square_records()
    go_on.set()
    thread.join()
    assert seen == {"in the thread": False, "after it": True, "here": True}


def test_a_thread_starts_with_the_modes_on():
    with tg.no_grad(), ThreadPoolExecutor(1) as pool:
        assert pool.submit(square_records).result()
        assert not square_records()


def test_a_mode_set_in_a_thread_stays_there():
    def set_it():
        Config.train = False
        return Config.train

    with ThreadPoolExecutor(1) as pool:
        assert not pool.submit(set_it).result()
    assert Config.train


def test_threads_that_differentiate_at_once():
    """A backward without create_graph records nothing, in its own thread only."""

    def work(n):
        x = Variable(np.array(float(n)))
        for _ in range(50):
            x.cleargrad()
            y = x**3
            y.backward(create_graph=True)
            gx = x.grad
            x.cleargrad()
            gx.backward()
        return x.grad.item()

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(work, range(8))) == [6.0 * n for n in range(8)]


def test_async_tasks_do_not_see_each_other():
    seen = {}

    async def quiet(inside: asyncio.Event, go_on: asyncio.Event):
        with tg.no_grad():
            inside.set()
            await go_on.wait()
            seen["quiet"] = square_records()

    async def main():
        inside, go_on = asyncio.Event(), asyncio.Event()
        task = asyncio.create_task(quiet(inside, go_on))
        await inside.wait()
        seen["loud"] = square_records()
        go_on.set()
        await task
        seen["after"] = square_records()

    asyncio.run(main())
    assert seen == {"quiet": False, "loud": True, "after": True}


def test_an_async_task_inherits_the_modes_of_the_one_that_made_it():
    async def child():
        return square_records()

    async def main():
        with tg.no_grad():
            return await asyncio.create_task(child())

    assert asyncio.run(main()) is False
