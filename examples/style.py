"""Style transfer: what one picture shows, in the manner of another (Gatys, Ecker, Bethge 2016).

A CNN finds features at every place of a picture. What a picture shows is which features are where. Its style
is which features come together, wherever that is: for each layer the matrix of the products of any two
features, averaged over all places (Gram matrix). The new picture is changed by gradient descent until it has
the features of the one and the Gram matrices of the other.

Such networks are usually trained on a million photographs. A small one is trained here in seconds, on patches
of the two pictures themselves and without labels: it has to say by which of four angles a patch was turned
(Gidaris, Singh, Komodakis 2018, "Unsupervised representation learning by predicting image rotations").

    python examples/style.py                                      two pictures that the script draws
    python examples/style.py --content china --style flower       photographs that come with scikit-learn
    python examples/style.py --content me.jpg --style waves       files, read by Pillow
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import common
import numpy as np

import tensorgrad as tg
from tensorgrad import functions as F
from tensorgrad import layers as L
from tensorgrad.backend import Backend
from tensorgrad.cuda import as_numpy
from tensorgrad.optimizers import Adam, CosineAnnealingLR

PATCH = 24
BATCH = 32
STYLE = 10.0  # how much the style counts, against what is shown

Picture = np.ndarray  # (3, H, W), float32, 0 to 1


# -- pictures ------------------------------------------------------------------------------------


def hills(height: int, width: int) -> Picture:
    """A landscape: sky, sun, two ranges of hills and a house."""
    y, x = np.mgrid[0 : 1 : height * 1j, 0 : width / height : width * 1j]
    picture = np.stack([0.45 + 0.4 * y, 0.65 + 0.2 * y, 0.95 - 0.1 * y])

    def paint(where: np.ndarray, *color: float) -> None:
        shade = 1 - 0.25 * (y - 0.5)
        picture[:, where] = (np.reshape(color, (3, 1, 1)) * shade)[:, where]

    paint((x - 1.02) ** 2 + (y - 0.22) ** 2 < 0.012, 1.0, 0.85, 0.3)
    paint(y > 0.55 - 0.13 * np.sin(5 * x + 0.6), 0.35, 0.5, 0.55)
    paint(y > 0.72 - 0.08 * np.sin(7 * x + 2.5), 0.3, 0.6, 0.25)
    paint((abs(x - 0.45) < 0.13) & (abs(y - 0.7) < 0.1), 0.9, 0.85, 0.75)
    paint((y < 0.6) & (y > 0.44 + abs(x - 0.45)), 0.75, 0.25, 0.2)
    paint((abs(x - 0.45) < 0.03) & (abs(y - 0.74) < 0.06), 0.35, 0.2, 0.15)
    return np.clip(picture, 0, 1).astype(np.float32)


def waves(height: int, width: int) -> Picture:
    """A painting of swirls: strokes in blue and yellow that turn about three centres."""
    y, x = np.mgrid[0 : 1 : height * 1j, 0 : width / height : width * 1j]
    phase = 9 * x + 4 * np.sin(4 * y)
    for cy, cx, turns in ((0.3, 0.3, 34), (0.65, 0.95, 30), (0.2, 1.1, 26)):
        r = np.hypot(y - cy, x - cx)
        near = np.exp(-((r / 0.28) ** 4))
        phase = phase * (1 - near) + near * (turns * r + 2 * np.arctan2(y - cy, x - cx))
    stroke = 0.5 + 0.5 * np.sin(2.2 * phase)
    dark, light = np.array([0.08, 0.15, 0.45]), np.array([0.95, 0.80, 0.30])
    mixed = dark[:, None, None] * (1 - stroke) + light[:, None, None] * stroke
    grain = 0.06 * np.sin(140 * y + 3 * phase)
    return np.clip(mixed + grain, 0, 1).astype(np.float32)


def load(name: str, height: int, width: int) -> Picture:
    """A picture by name, or from a file, cut to the size."""
    if name in ("hills", "waves"):
        return {"hills": hills, "waves": waves}[name](height, width)
    from PIL import Image, ImageOps  # noqa: PLC0415  (optional)

    if name in ("china", "flower"):
        from sklearn.datasets import load_sample_image  # noqa: PLC0415  (optional)

        image = Image.fromarray(load_sample_image(f"{name}.jpg"))
    else:
        image = Image.open(name).convert("RGB")
    image = ImageOps.fit(image, (width, height))
    return (np.asarray(image, dtype=np.float32) / 255).transpose(2, 0, 1)


# -- the network ---------------------------------------------------------------------------------


class Turned(tg.Dataset):
    """Patches of pictures, each turned by 0 to 3 quarters; the label says by how many."""

    def __init__(self, pictures: Sequence[Picture], count: int) -> None:
        self.pictures = pictures
        self.count = count
        super().__init__()

    def prepare(self) -> None:
        rng = np.random.default_rng(0)
        self.label = rng.integers(4, size=self.count)
        patches = []
        for i, quarters in enumerate(self.label):
            picture = self.pictures[i % len(self.pictures)]
            top, left = (rng.integers(n - PATCH + 1) for n in picture.shape[1:])
            patch = picture[:, top : top + PATCH, left : left + PATCH]
            patches.append(np.rot90(patch, quarters, axes=(1, 2)))
        self.data = np.stack(patches)


class Network(tg.Model):
    """Pictures (N, 3, H, W) to the scores (N, 4) of the angles they were turned by."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = L.Conv2d(16, 3, pad=1)
        self.conv2 = L.Conv2d(24, 3, pad=1)
        self.conv3 = L.Conv2d(32, 3, pad=1)
        self.out = L.Linear(4)

    def features(self, x: Any) -> list[tg.Variable]:
        """What each layer finds, beginning with the colours."""
        h1 = F.relu(self.conv1(x - 0.5))
        h2 = F.relu(self.conv2(F.average_pooling(h1, 2, 2)))
        h3 = F.relu(self.conv3(F.average_pooling(h2, 2, 2)))
        return [x, h1, h2, h3]

    def forward(self, x: Any) -> tg.Variable:
        return self.out(F.mean(self.features(x)[-1], axis=(2, 3)))


def train(model: Network, loader: tg.DataLoader, epochs: int) -> float:
    """Train on turned patches; the accuracy on the last epoch's batches."""
    optimizer = Adam(0.003).setup(model)
    right: list[float] = []
    for _ in range(epochs):
        right = []
        for x, t in loader:
            y = model(x)
            loss = F.softmax_cross_entropy(y, t)
            model.cleargrads()
            loss.backward()
            optimizer.update()
            right.append(float(F.accuracy(y, t)))
    return float(np.mean(right))


# -- the new picture -----------------------------------------------------------------------------


def manner(features: list[tg.Variable]) -> list[tg.Variable]:
    """The style: for the features (1, C, H, W) of each layer their means (C, 1) and Gram matrix (C, C).

    The Gram matrix is that of the differences from the means, which otherwise would outweigh the texture.
    """
    found = []
    for h in features:
        flat = h.reshape(h.shape[1], -1)
        mean = F.mean(flat, axis=1, keepdims=True)
        flat = flat - mean
        found += [mean, flat @ flat.T / flat.shape[1]]
    return found


class Targets(NamedTuple):
    """What the new picture should have: the features of the last layer, and a style."""

    content: Any
    style: list[Any]

    def losses(self, features: list[tg.Variable]) -> tuple[tg.Variable, tg.Variable]:
        """How far from it features are, of the content and of the style."""
        parts = [relative(x, goal) for x, goal in zip(manner(features), self.style, strict=True)]
        return relative(features[-1], self.content), F.mean(F.stack(parts))


def relative(x: tg.Variable, goal: Any) -> tg.Variable:
    """The squared distance, as a part of the goal's square."""
    return F.sum((x - goal) ** 2) / float((goal**2).sum())


class Result(NamedTuple):
    """How well the network tells angles, the new picture, and the losses at each step."""

    accuracy: float
    picture: Picture
    content: list[float]
    style: list[float]


def transfer(
    model: Network, content: Picture, style: Picture, steps: int, backend: Backend
) -> tuple[Picture, list[float], list[float]]:
    """Change the content picture until it has the style of the other; it, and the losses of both."""
    goals = [tg.Variable(backend.from_numpy(p[np.newaxis]), requires_grad=False) for p in (content, style)]
    for p in model.params():
        p.requires_grad = False  # it is the picture that is trained
    with tg.no_grad():
        shown, styled = (model.features(goal) for goal in goals)
        targets = Targets(shown[-1].data, [x.data for x in manner(styled)])
    start = goals[0].data
    picture = tg.Parameter(start + 0.05 * backend.normal(start.shape, start.dtype))
    optimizer = Adam(0.05).setup([picture])
    schedule = CosineAnnealingLR(optimizer, steps, eta_min=0.003)
    content_losses, style_losses = [], []
    for _ in range(steps):
        content_loss, style_loss = targets.losses(model.features(picture))
        rough = F.mean(F.diff(picture, axis=2) ** 2) + F.mean(F.diff(picture, axis=3) ** 2)
        loss = content_loss + STYLE * style_loss + 5 * rough
        picture.cleargrad()
        loss.backward()
        optimizer.update()
        schedule.step()
        picture.data = backend.xp.clip(picture.data, 0.0, 1.0)
        content_losses.append(content_loss.item())
        style_losses.append(style_loss.item())
    return as_numpy(picture.data)[0], content_losses, style_losses


def main(argv: Sequence[str] | None = None) -> Result:
    """Train the network, change the picture, and draw the three side by side."""
    parser = common.options(__doc__, out="style-out", steps=100)
    parser.add_argument(
        "--content", default="hills", help="hills, waves, china, flower or a file (%(default)s)"
    )
    parser.add_argument("--style", default="waves", help="the same (%(default)s)")
    chosen = parser.parse_args(argv)
    backend = common.prepare(chosen)
    size, epochs, steps = ((48, 64), 4, 40) if chosen.quick else ((120, 160), 12, chosen.steps)

    content, style = load(chosen.content, *size), load(chosen.style, *size)
    model = Network().to(backend)
    loader = tg.DataLoader(Turned([content, style], 24 * BATCH), BATCH).to(backend)
    accuracy = train(model, loader, epochs)
    print(f"the network tells by which angle a patch was turned: {accuracy:.0%} of the last epoch")

    result = Result(accuracy, *transfer(model, content, style, steps, backend))
    print(f"style loss {result.style[0]:.3f} at the start, {result.style[-1]:.4f} at the end")
    print(f"content loss {result.content[-1]:.3f}: the squared distance as a part of the features' square")
    three = [p.transpose(1, 2, 0) for p in (content, style, result.picture)]
    common.sheet(chosen.out / "style.png", three, 3, ["content", "style", "content in that style"])
    losses = {"content": result.content[1:], "style": result.style[1:]}
    common.curves(chosen.out / "curves.png", ("Losses", "relative squared distance", losses), unit="step")
    return result


if __name__ == "__main__":
    main()
