"""Data sets in files: MNIST, CIFAR, ImageNet, text. The files are made here, or lie beside the checkout."""

from __future__ import annotations

import gc
import gzip
import io
import pickle
import re
import struct
import sys
import tarfile
from pathlib import Path

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad import datasets, downloads
from tensorgrad.datasets.mnist import read_idx


def message(text: str) -> str:
    return f"^{re.escape(text)}$"


@pytest.fixture(autouse=True)
def _cache(tmp_path, monkeypatch):
    monkeypatch.setenv(downloads.FOLDER, str(tmp_path / "cache"))


@pytest.fixture
def offline(monkeypatch):
    """Any download is an error of the test's own."""

    def refuse(url, *args, **kwargs):
        raise ConnectionError(url)

    monkeypatch.setattr(downloads, "get_file", refuse)


# -- MNIST ---------------------------------------------------------------------------------------

IMAGES = np.random.default_rng(0).integers(0, 256, (24, 28, 28)).astype(np.uint8)
LABELS = np.arange(24, dtype=np.uint8) % 10


def idx(array: np.ndarray) -> bytes:
    return struct.pack(f">BBBB{array.ndim}I", 0, 0, 8, array.ndim, *array.shape) + array.tobytes()


def write_mnist(folder: Path, prefix: str, part: slice, packed: bool = False) -> None:
    folder.mkdir(exist_ok=True)
    for name, array in (("images-idx3-ubyte", IMAGES[part]), ("labels-idx1-ubyte", LABELS[part])):
        path = folder / f"{prefix}{name}{'.gz' if packed else ''}"
        path.write_bytes(gzip.compress(idx(array)) if packed else idx(array))


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("kind", [datasets.MNIST, datasets.FashionMNIST])
def test_mnist_from_a_folder(tmp_path, offline, kind, packed):
    write_mnist(tmp_path / "m", "train-", slice(0, 20), packed)
    write_mnist(tmp_path / "m", "t10k-", slice(20, 24), packed)
    train, test = kind(root=tmp_path / "m"), kind(train=False, root=str(tmp_path / "m"))
    assert (len(train), len(test)) == (20, 4)
    assert (train.data.shape, train.data.dtype, train.label.dtype) == ((20, 1, 28, 28), np.uint8, np.int64)
    np.testing.assert_array_equal(train.data[:, 0], IMAGES[:20])
    np.testing.assert_array_equal(test.label, LABELS[20:])
    x, t = test[1]
    assert (x.shape, x.dtype, int(t)) == ((784,), np.float32, 1)
    np.testing.assert_allclose(x, IMAGES[21].ravel() / 255, rtol=1e-6)
    raw, _ = kind(transform=None, root=tmp_path / "m")[0]
    assert (raw.shape, raw.dtype) == ((1, 28, 28), np.uint8)
    batch, labels = next(tg.DataLoader(train, 5))
    assert (batch.shape, batch.dtype, labels.shape) == ((5, 784), np.float32, (5,))
    assert len(pickle.loads(pickle.dumps(train))) == 20


def test_a_folder_without_parts_is_split(tmp_path):
    write_mnist(tmp_path / "m", "", slice(None), packed=True)
    train, test = datasets.MNIST(root=tmp_path / "m"), datasets.MNIST(False, root=tmp_path / "m")
    assert (len(train), len(test)) == (21, 3)
    np.testing.assert_array_equal(np.concatenate([train.label, test.label]), LABELS)


REAL = Path(tg.__file__).resolve().parents[2] / "shared" / "data" / "mnist"


@pytest.mark.skipif(not REAL.is_dir(), reason="the real digits are not there")
def test_the_real_digits():
    train, test = datasets.MNIST(root=REAL), datasets.MNIST(train=False, root=REAL)
    assert (len(train), len(test)) == (7000, 1000)
    assert 0.12 < train.data.mean() / 255 < 0.14
    assert (np.bincount(train.label) > 600).all()


@pytest.mark.parametrize("channels", [1, 3])
def test_show_draws_images_at_random(monkeypatch, channels):
    pyplot = pytest.importorskip("matplotlib.pyplot")
    monkeypatch.setattr(pyplot, "show", lambda: None)
    images = np.random.default_rng(0).integers(0, 256, (9, channels, 4, 5)).astype(np.uint8)
    dataset = datasets.MNIST.__new__(datasets.MNIST)
    dataset.data = images
    draw = np.random.RandomState(0).randint  # as each test is seeded
    dataset.show(row=2, col=3)
    drawn = np.asarray(pyplot.gca().images[0].get_array())
    pyplot.close("all")
    rows = [np.concatenate([images[draw(0, 8)] for _ in range(3)], axis=2) for _ in range(2)]
    np.testing.assert_array_equal(drawn, np.concatenate(rows, axis=1).transpose(1, 2, 0).squeeze())


def test_show_without_matplotlib_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    with pytest.raises(
        ImportError, match=message("show needs matplotlib. Install it: pip install 'tensorgrad[plot]'")
    ):
        datasets.MNIST.__new__(datasets.MNIST).show()


def test_mnist_is_downloaded_with_its_checksums(tmp_path, monkeypatch):
    write_mnist(tmp_path / "m", "t10k-", slice(20, 24), packed=True)
    asked = []

    def get_file(url, name, *, checksum):
        asked.append((url, name, checksum))
        return str(tmp_path / "m" / url.rpartition("/")[2])

    monkeypatch.setattr(downloads, "get_file", get_file)
    assert len(datasets.MNIST(train=False)) == 4
    assert [(Path(url).name, name, checksum[:4]) for url, name, checksum in asked] == [
        ("t10k-images-idx3-ubyte.gz", "mnist-t10k-images-idx3-ubyte.gz", "md5:"),
        ("t10k-labels-idx1-ubyte.gz", "mnist-t10k-labels-idx1-ubyte.gz", "md5:"),
    ]
    datasets.FashionMNIST(train=False)
    assert asked[2][1] == "fashion-mnist-t10k-images-idx3-ubyte.gz"
    assert asked[2][2] != asked[0][2]


def test_a_downloaded_file_with_another_checksum_is_refused(tmp_path, monkeypatch):
    write_mnist(tmp_path / "m", "train-", slice(0, 20), packed=True)
    monkeypatch.setattr(datasets.MNIST, "url", (tmp_path / "m").as_uri() + "/")
    with pytest.raises(ValueError, match=r"^get_file: .* has another checksum than expected \(md5:f68b"):
        datasets.MNIST()
    right = {p.name: downloads.digest(p, "sha256") for p in (tmp_path / "m").iterdir()}
    monkeypatch.setattr(datasets.MNIST, "checksums", right)
    assert len(datasets.MNIST()) == 20
    assert sorted(p.name for p in (tmp_path / "cache").iterdir()) == sorted(f"mnist-{name}" for name in right)


def test_faults_of_idx_files(tmp_path):
    path = tmp_path / "x"
    for content, expected in (
        (b"text", f"{path} is not an idx file of bytes"),
        (b"\0\0\x0b\1\0\0\0\1" + b"\0\0", f"{path} is not an idx file of bytes"),
        (idx(LABELS)[:-3], f"{path}: expected 24 bytes for shape (24,); got 21. Was it cut short?"),
    ):
        path.write_bytes(content)
        with pytest.raises(ValueError, match=message(expected)):
            read_idx(path)
    path.write_bytes(gzip.compress(idx(IMAGES))[:-9])
    with pytest.raises(ValueError, match=r"is not a whole gzip file: .* Was it cut short, or altered\?$"):
        read_idx(path)


def test_faults_of_folders(tmp_path):
    expected = f"no file train-images-idx3-ubyte (or .gz), and no images-idx3-ubyte, in {tmp_path}"
    with pytest.raises(FileNotFoundError, match=message(expected)):
        datasets.MNIST(root=tmp_path)
    (tmp_path / "images-idx3-ubyte").write_bytes(idx(IMAGES))
    (tmp_path / "labels-idx1-ubyte").write_bytes(idx(LABELS[:3]))
    expected = "MNIST: expected an image for each label; got shapes (24, 28, 28) and (3,)"
    with pytest.raises(ValueError, match=message(expected)):
        datasets.MNIST(root=tmp_path)


# -- CIFAR ---------------------------------------------------------------------------------------


def records(count: int, label_bytes: int, seed: int) -> np.ndarray:
    made = np.random.default_rng(seed).integers(0, 256, (count, label_bytes + 3072)).astype(np.uint8)
    made[:, :label_bytes] %= 10
    return made


def archive_of(path: Path, files: dict[str, bytes]) -> Path:
    with tarfile.open(path, "w:gz") as tar:
        for name, content in files.items():
            info = tarfile.TarInfo(f"some-folder/{name}")
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return path


def test_cifar10(tmp_path, offline):
    parts = {f"data_batch_{i}.bin": records(4, 1, i) for i in range(1, 6)}
    files = {name: part.tobytes() for name, part in parts.items()} | {
        "test_batch.bin": records(3, 1, 9).tobytes()
    }
    archive = archive_of(tmp_path / "cifar-10-binary.tar.gz", files)
    (tmp_path / "loose").mkdir()
    for name, content in files.items():
        (tmp_path / "loose" / name).write_bytes(content)
    whole = np.concatenate(list(parts.values()))
    for root in (archive, tmp_path, tmp_path / "loose"):
        train = datasets.CIFAR10(root=root)
        assert (train.data.shape, train.data.dtype, len(train)) == ((20, 3, 32, 32), np.uint8, 20)
        np.testing.assert_array_equal(train.data.reshape(20, -1), whole[:, 1:])
        np.testing.assert_array_equal(train.label, whole[:, 0])
    x, _ = train[0]
    assert (x.shape, x.dtype) == ((3, 32, 32), np.float32)
    np.testing.assert_allclose(x.ravel(), whole[0, 1:] / 127.5 - 1, atol=1e-6)
    assert len(datasets.CIFAR10(train=False, root=archive)) == 3
    assert set(datasets.CIFAR10.labels()) == set(range(10))


def test_cifar100(tmp_path, offline):
    made = records(5, 2, 0)
    archive = archive_of(tmp_path / "c.tar.gz", {"train.bin": made.tobytes(), "test.bin": made[:2].tobytes()})
    fine, coarse = (datasets.CIFAR100(label_type=kind, root=archive) for kind in ("fine", "coarse"))
    np.testing.assert_array_equal(fine.label, made[:, 1])
    np.testing.assert_array_equal(coarse.label, made[:, 0])
    np.testing.assert_array_equal(fine.data.reshape(5, -1), made[:, 2:])
    assert len(datasets.CIFAR100(train=False, root=archive)) == 2
    assert [len(datasets.CIFAR100.labels(kind)) for kind in ("fine", "coarse")] == [100, 20]
    with pytest.raises(
        ValueError, match=message("CIFAR100: expected label_type 'fine' or 'coarse'; got 'x'")
    ):
        datasets.CIFAR100(label_type="x", root=archive)


def test_cifar_is_downloaded_with_its_checksum(tmp_path, monkeypatch):
    archive = archive_of(tmp_path / "c.tar.gz", {"test_batch.bin": records(2, 1, 0).tobytes()})
    monkeypatch.setattr(datasets.CIFAR10, "url", archive.as_uri())
    with pytest.raises(ValueError, match="has another checksum than expected"):
        datasets.CIFAR10(train=False)
    monkeypatch.setattr(datasets.CIFAR10, "checksum", downloads.digest(archive, "md5"))
    assert len(datasets.CIFAR10(train=False)) == 2


def test_faults_of_cifar(tmp_path):
    archive = archive_of(tmp_path / "c.tar.gz", {"test_batch.bin": b"x" * 3074})
    expected = "test_batch.bin: expected records of 3073 bytes; got 3074 bytes in all"
    with pytest.raises(ValueError, match=message(expected)):
        datasets.CIFAR10(train=False, root=archive)
    with pytest.raises(FileNotFoundError, match=message(f"no file data_batch_1.bin in {archive}")):
        datasets.CIFAR10(root=archive)
    (tmp_path / "empty").mkdir()
    expected = f"no file test_batch.bin and no cifar-10-binary.tar.gz in {tmp_path / 'empty'}"
    with pytest.raises(FileNotFoundError, match=message(expected)):
        datasets.CIFAR10(train=False, root=tmp_path / "empty")
    archive.write_bytes(archive.read_bytes()[:-20])
    with pytest.raises(ValueError, match=r"is not a whole tar archive"):
        datasets.CIFAR10(root=archive)


# -- ImageNet ------------------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path):
    pil = pytest.importorskip("PIL.Image", reason="images need Pillow")
    gc.freeze()
    for part, count in (("train", 3), ("val", 1)):
        for number, name in enumerate(("n02", "n01")):
            place = tmp_path / part / name
            place.mkdir(parents=True)
            (place / "notes.txt").write_text("no image")
            for i in range(count):
                pil.new("L", (6, 4), 10 * number + i).save(place / f"{i}.PNG")
    return tmp_path


def test_imagenet(folder):
    t = tg.transforms
    train = datasets.ImageNet(transform=t.Compose([t.CenterCrop(2), t.ToArray()]), root=folder)
    assert (train.classes, train.label) == (["n01", "n02"], [0, 0, 0, 1, 1, 1])
    x, label = train[0]
    assert (x.shape, x.dtype, label) == ((3, 2, 2), np.float32, 0)
    np.testing.assert_array_equal(x, 10)
    val = datasets.ImageNet(train=False, target_transform=str, root=folder)
    assert len(val) == 2
    image, label = val[1]
    assert (image.mode, image.size, label) == ("RGB", (6, 4), "1")
    (batch,) = tg.DataLoader(train, 6, shuffle=False, workers=2)
    assert batch[0][:, 0, 0, 0].tolist() == [10, 11, 12, 0, 1, 2]


def test_faults_of_imagenet(folder, monkeypatch):
    with pytest.raises(ValueError, match=r"^ImageNet: expected root, the folder that has train and val\. "):
        datasets.ImageNet()
    expected = "ImageFolder: expected a folder with a folder of images for each class; got "
    with pytest.raises(FileNotFoundError, match=f"^{expected}"):
        datasets.ImageFolder(folder / "nowhere")
    train = datasets.ImageNet(root=folder)
    monkeypatch.setitem(sys.modules, "PIL", None)
    with pytest.raises(
        ImportError, match=r"^ImageNet needs Pillow, which is not installed .* pip install pillow$"
    ):
        train[0]


def test_the_labels_of_imagenet(tmp_path, monkeypatch):
    path = tmp_path / "labels.txt"
    path.write_text("{0: 'tench, Tinca tinca',\n 1: 'goldfish'}")
    assert datasets.ImageNet.labels(path) == {0: "tench, Tinca tinca", 1: "goldfish"}
    monkeypatch.setattr(datasets.imagenet, "LABELS", path.as_uri())
    assert datasets.ImageNet.labels()[1] == "goldfish"
    for content in ("__import__('os')", "[1, 2]", "{1: 2}", "{"):
        path.write_text(content)
        with pytest.raises(ValueError, match="is not a dict of numbers and names"):
            datasets.ImageNet.labels(path)


# -- text and curves -----------------------------------------------------------------------------


def test_shakespear(tmp_path, monkeypatch):
    path = tmp_path / "text.txt"
    path.write_text("to be — or\n", encoding="utf-8")
    data = datasets.Shakespear(root=path)
    assert data.id_to_char == {0: "t", 1: "o", 2: " ", 3: "b", 4: "e", 5: "—", 6: "r", 7: "\n"}
    assert [data.id_to_char[i] for i in data.data] == list("to be — or")
    assert [data.id_to_char[i] for i in data.label] == list("o be — or\n")
    assert [int(i) for i in data[0]] == [0, 1]
    monkeypatch.setattr(datasets.text, "URL", path.as_uri())
    with pytest.raises(ValueError, match="has another checksum than expected"):
        datasets.Shakespear()
    monkeypatch.setattr(datasets.text, "CHECKSUM", downloads.digest(path, "sha256"))
    assert len(datasets.Shakespear()) == 10
    assert (tmp_path / "cache" / "shakespear.txt").exists()


@pytest.mark.parametrize("train", [True, False])
def test_the_sine_curve_is_the_book_s(train):
    state = np.random.RandomState(3)
    np.random.seed(3)  # noqa: NPY002  # the state that users of the book seed
    curve = datasets.SinCurve(train)
    x = np.linspace(0, 2 * np.pi, 1000)
    noise = state.uniform(-0.05, 0.05, size=1000)
    want = np.sin(x) + noise if train else np.cos(x)
    np.testing.assert_array_equal(curve.data, want[:-1, None])
    np.testing.assert_array_equal(curve.label, want[1:, None])
    assert np.random.rand() == state.rand()  # noqa: NPY002


def test_labels_of_the_mnists():
    assert datasets.MNIST.labels() == {i: str(i) for i in range(10)}
    assert datasets.FashionMNIST.labels()[0] == "T-shirt/top"
