"""How far a run is, for people: a bar where tqdm is installed, else a line for each epoch."""

from __future__ import annotations

import time
import warnings
from importlib import import_module
from typing import Any, Self

INSTALL = "python -m pip install 'tensorgrad[training]'"


class Silence:
    """No progress is shown.

    Parameters
    ----------
    epochs : int
        How many there are in all.
    examples : int or None
        How many examples all of them have together, where that is known.
    unit : str, default 'examples'
    begun : int, default 0
        How many epochs were done before.
    install : str
        The command that installs what is missing.
    """

    def __init__(
        self,
        epochs: int,
        examples: int | None,
        *,
        unit: str = "examples",
        begun: int = 0,
        install: str = INSTALL,
    ) -> None:
        self.epochs = epochs
        self.examples = examples
        self.unit = unit
        self.begun = self.done = begun
        self.install = install

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        """Nothing is left open."""

    def step(self, examples: int) -> None:
        """Note that so many examples more were trained on."""

    def show(self, text: str) -> None:
        """Show how the present epoch goes."""

    def epoch(self, text: str) -> None:
        """Note that an epoch is done, and what came of it."""
        self.done += 1


class Lines(Silence):
    """Progress as a line for each epoch."""

    def __enter__(self) -> Self:
        self.seen = 0
        self.start = time.perf_counter()
        print(f"(no progress bar: tqdm is not installed; {self.install})")
        return self

    def step(self, examples: int) -> None:
        self.seen += examples

    def epoch(self, text: str) -> None:
        super().epoch(text)
        seconds = time.perf_counter() - self.start
        line = f"epoch {self.done}/{self.epochs}: {text}, {self.seen / seconds:,.0f} {self.unit}/s"
        if self.done < self.epochs:
            left = seconds / (self.done - self.begun) * (self.epochs - self.done)
            line += f", {left:,.0f} s left"
        print(line, flush=True)


class Bar(Lines):
    """Progress as a bar, with the rate and the time left; in a notebook one of its own kind."""

    bar: Any

    def __enter__(self) -> Self:
        with warnings.catch_warnings():  # in a notebook without ipywidgets the bar is one of text
            warnings.filterwarnings("ignore", message="IProgress not found")
            tqdm = import_module("tqdm.auto").tqdm
        begun = None if self.examples is None else self.examples * self.done // max(self.epochs, 1)
        self.bar = tqdm(total=self.examples, initial=begun or 0, unit=f" {self.unit}", unit_scale=True)
        self._describe(refresh=True)
        return self

    def __exit__(self, *exception: object) -> None:
        self.bar.close()

    def step(self, examples: int) -> None:
        self.bar.update(examples)

    def show(self, text: str) -> None:
        self.bar.set_postfix_str(text)

    def epoch(self, text: str) -> None:
        self.done += 1
        self._describe(refresh=False)
        self.bar.set_postfix_str(text)

    def _describe(self, *, refresh: bool) -> None:
        self.bar.set_description(f"epoch {min(self.done + 1, self.epochs)}/{self.epochs}", refresh=refresh)


def best() -> type[Silence]:
    """`Bar` where tqdm is installed, `Lines` otherwise."""
    try:
        import_module("tqdm")
    except ImportError:
        return Lines
    return Bar
