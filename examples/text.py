"""A network learns to write like a text, character by character; an LSTM or a small GPT.

Each is shown pieces of the text and says at every place which character comes next. The LSTM carries what it
has read in its state, and one call runs over a whole piece (`NStepLSTM`). The GPT looks back at the places
before by causal attention, and when it writes, keeps their keys and values in a cache (`models.GPT`).

The texts are those that come with Python: its licence (14,000 characters, mostly law) or the Zen of Python,
or any file of yours. So small a text is learned by heart; the point is that spelling, lines and phrases are
learned from nothing but characters, and the sample shows how far.

    python examples/text.py --model gpt
    python examples/text.py --model lstm --text zen
    python examples/text.py --text my_novel.txt --epochs 50
"""

from __future__ import annotations

import contextlib
import io
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import common
import numpy as np

import tensorgrad as tg
from tensorgrad import functions as F
from tensorgrad import layers as L
from tensorgrad.cuda import as_numpy
from tensorgrad.models import GPT
from tensorgrad.optimizers import AdamW, ClipGrad, OneCycleLR

LENGTH = 64  # of a piece
BATCH = 16
EPOCHS = {"lstm": 15, "gpt": 30}
GOAL = 0.5
"""For the licence, at the end: nats per character."""


def licence() -> str:
    """The licence of Python, from its library folder."""
    folders = [Path(os.__file__).parent, Path(sys.base_prefix)]
    for path in (folder / name for folder in folders for name in ("LICENSE.txt", "LICENSE")):
        if path.is_file():
            return path.read_text(encoding="utf-8")
    raise FileNotFoundError(
        f"no LICENSE.txt in {' or '.join(map(str, folders))}. Name another text: --text FILE"
    )


def zen() -> str:
    """The Zen of Python, which its module prints when it is first imported."""
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        sys.modules.pop("this", None)
        import this  # noqa: F401, PLC0415
    return printed.getvalue()


class Pieces(tg.Dataset):
    """Pieces of a text as numbers of characters; the label of each character is the next.

    A piece begins at a random place, drawn anew each time: the GPT, which learns a vector for each place in
    it, must see each character at all of them.

    Attributes
    ----------
    characters : list of str
        By number.
    """

    def __init__(self, text: str, length: int = LENGTH) -> None:
        self.text = text
        self.length = length
        if len(text) <= length:
            raise ValueError(f"expected a text of more than {length} characters; got {len(text)}")
        super().__init__()

    def prepare(self) -> None:
        self.characters = sorted(set(self.text))
        self.data = self.numbers(self.text)
        self.rng = np.random.default_rng(0)

    def numbers(self, text: str) -> np.ndarray:
        """Characters as numbers."""
        return np.array([self.characters.index(c) for c in text])

    def __len__(self) -> int:
        return len(self.data) // (self.length // 4)  # in an epoch each character is seen four times

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        start = self.rng.integers(len(self.data) - self.length)
        piece = self.data[start : start + self.length + 1]
        return piece[:-1], piece[1:]


class CharLSTM(tg.Model):
    """Characters as numbers (N, L) to the logits of those that follow (N, L, V)."""

    def __init__(self, vocabulary_size: int, hidden_size: int = 192) -> None:
        super().__init__()
        self.embed = L.EmbedID(vocabulary_size, 32)
        self.lstm = L.NStepLSTM(hidden_size)
        self.out = L.Linear(vocabulary_size)

    def forward(self, x: Any) -> tg.Variable:
        return self.read(x)[0]

    def read(self, x: Any, *state: tg.Variable) -> tuple[tg.Variable, ...]:
        """The logits, and the state after the last character: h and c."""
        steps = F.permute_dims(self.embed(x), (1, 0, 2))  # recurrent layers take the steps first
        y, *state = self.lstm(steps, *state)
        return self.out(F.permute_dims(y, (1, 0, 2))), *state

    def generate(self, start: np.ndarray, length: int, *, temperature: float = 1.0) -> np.ndarray:
        """Continue a text by `length` characters, each drawn from what the model expects."""
        backend = self.out.W.backend
        text, x = list(start), start
        state: list[tg.Variable] = []
        with tg.no_grad(), tg.test_mode():
            for _ in range(length):
                y, *state = self.read(backend.from_numpy(np.reshape(x, (1, -1))), *state)
                y = y[0, -1]
                below = np.cumsum(as_numpy(F.softmax(y / temperature, axis=0)))
                x = np.searchsorted(below, below[-1] * float(backend.uniform((), y.dtype)))
                text.append(int(x))
        return np.array(text)


def build(kind: str, vocabulary_size: int) -> CharLSTM | GPT:
    """The network of that kind."""
    if kind == "lstm":
        return CharLSTM(vocabulary_size)
    return GPT(vocabulary_size, context=LENGTH, size=64, n_layers=2, n_heads=4)


def entropy(text: str) -> float:
    """The loss of one who knows how often each character occurs and nothing else, in nats."""
    p = np.unique(list(text), return_counts=True)[1] / len(text)
    return float(-np.sum(p * np.log(p)))


def train(model: CharLSTM | GPT, loader: tg.DataLoader, epochs: int, rate: float = 0.004) -> list[float]:
    """Train to say what comes next; the mean loss of each epoch in nats per character."""
    optimizer = AdamW(weight_decay=0.01).setup(model)
    optimizer.add_hook(ClipGrad(1.0))
    schedule = OneCycleLR(optimizer, max_lr=rate, total_steps=max(2, epochs * len(loader)))
    history = []
    for epoch in range(1, epochs + 1):
        losses = []
        for x, t in loader:
            logits = model(x)
            loss = F.softmax_cross_entropy(logits.reshape(-1, logits.shape[-1]), t.reshape(-1))
            model.cleargrads()
            loss.backward()
            optimizer.update()
            schedule.step()
            losses.append(loss.item())
        history.append(float(np.mean(losses)))
        print(f"epoch {epoch}: {history[-1]:.3f} nats per character")
    return history


class Written(NamedTuple):
    """What came of it."""

    losses: list[float]
    sample: str


def main(argv: Sequence[str] | None = None) -> Written:
    """Train on a text, draw the loss, and print what the network writes."""
    parser = common.options(__doc__, out="text-out")
    parser.add_argument("--model", choices=["lstm", "gpt"], default="gpt", help="(%(default)s)")
    parser.add_argument("--text", default="licence", help="licence, zen, or a file (%(default)s)")
    parser.add_argument(
        "--epochs", type=int, metavar="N", help=f"by default {EPOCHS['lstm']} (lstm) or {EPOCHS['gpt']} (gpt)"
    )
    parser.add_argument("--start", help="what the sample begins with; by default the first word of the text")
    chosen = parser.parse_args(argv)
    backend = common.prepare(chosen)

    name = "zen" if chosen.quick else chosen.text
    known = {"licence": licence, "zen": zen}
    text = known[name]() if name in known else Path(name).read_text(encoding="utf-8")
    pieces = Pieces(text)
    print(f"{len(text):,} characters, {len(pieces.characters)} different ones, {len(pieces)} pieces")
    model = build(chosen.model, len(pieces.characters)).to(backend)
    epochs = 15 if chosen.quick else chosen.epochs or EPOCHS[chosen.model]
    losses = train(model, tg.DataLoader(pieces, BATCH).to(backend), epochs)
    print(f"{losses[-1]:.3f} nats per character at the end (the goal for the licence: {GOAL})")
    print(f"{entropy(text):.3f} is what one has who knows how often each character occurs, and nothing else")

    start = chosen.start or text[: text.find(" ") + 1] or text[0]
    written = model.generate(pieces.numbers(start), 400, temperature=0.7)
    sample = "".join(pieces.characters[i] for i in written)
    print(f"\n{'-' * 30} written by the {chosen.model} {'-' * 30}\n{sample}\n{'-' * 80}")
    common.curves(
        chosen.out / f"{chosen.model}.png",
        (f"{chosen.model.upper()} on {len(text):,} characters", "nats per character", {"loss": losses}),
    )
    return Written(losses, sample)


if __name__ == "__main__":
    main()
