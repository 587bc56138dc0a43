"""Files from the network: into a cache folder, checked by hash, resumed, never half there.

Archives are unpacked into their own folder or not at all.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from typing import IO, TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

# pathlib, hashlib, shutil and what is for the network and archives are imported where they are used:
# together they take longer than the rest of tensorgrad.

FOLDER = "TENSORGRAD_HOME"
"""The environment variable that names the cache folder; ``~/.tensorgrad`` by default."""

_CHUNK = 1 << 18
TIMEOUT = 30.0
"""Seconds that a server may be silent."""


def cache_folder() -> Path:
    """Where downloaded files are kept. It need not exist yet."""
    from pathlib import Path  # noqa: PLC0415

    named = os.environ.get(FOLDER)
    return Path(named).expanduser() if named else Path.home() / ".tensorgrad"


def get_file(
    url: str,
    file_name: str | None = None,
    *,
    checksum: str | None = None,
    folder: str | os.PathLike[str] | None = None,
) -> str:
    """Download a file once; afterwards it is taken from the cache folder.

    A download that was interrupted goes on where it was if the server can do that. The file appears
    under its name only when it is complete and has the right checksum.

    Parameters
    ----------
    url : str
        ``https``, ``http`` or ``file``.
    file_name : str, optional
        Its name in the folder; the last part of `url` by default.
    checksum : str, optional
        ``'sha256:...'`` or ``'md5:...'``. A file that is there and has another is downloaded anew.
    folder : str or path, optional
        By default that which the environment variable ``TENSORGRAD_HOME`` names, or ``~/.tensorgrad``.

    Returns
    -------
    str
        The path of the file.

    Raises
    ------
    ConnectionError
        If the server cannot be reached, refuses, or stops in the middle. The message says where to put
        the file by hand.
    ValueError
        If what came has another checksum, or `file_name` is no plain name.
    """
    from pathlib import Path, PurePosixPath  # noqa: PLC0415

    name = PurePosixPath(url.split("?", 1)[0]).name if file_name is None else file_name
    if not name or name in (".", "..") or Path(name).name != name or "\\" in name:
        raise ValueError(f"get_file: expected a plain file name; got {name!r} for {url}")
    if not url.startswith(("https://", "http://", "file://")):
        raise ValueError(f"get_file: expected a URL with https, http or file; got {url!r}")
    target = Path(cache_folder() if folder is None else folder) / name
    if target.exists() and (checksum is None or matches(target, checksum)):
        return str(target)
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f"{name}.part")
    resumed = _download(url, part, target)
    if checksum is not None and not matches(part, checksum):
        if resumed:  # what was there from the last time may be at fault
            part.unlink()
            _download(url, part, target)
        if not matches(part, checksum):
            got = digest(part, checksum.partition(":")[0])
            part.unlink()
            raise ValueError(
                f"get_file: {url} has another checksum than expected ({checksum}): {got}. "
                "Nothing was kept. Was the file changed, or does a proxy answer in its place?"
            )
    part.replace(target)
    return str(target)


def digest(path: str | os.PathLike[str], kind: str) -> str:
    """The checksum of a file, as ``'sha256:...'``."""
    import hashlib  # noqa: PLC0415
    from pathlib import Path  # noqa: PLC0415

    if kind not in ("sha256", "md5"):
        raise ValueError(f"expected a checksum that begins with sha256: or md5:; got {kind!r}")
    found = hashlib.new(kind, usedforsecurity=False)
    with Path(path).open("rb") as file:
        while block := file.read(_CHUNK):
            found.update(block)
    return f"{kind}:{found.hexdigest()}"


def matches(path: str | os.PathLike[str], checksum: str) -> bool:
    """Whether a file has a checksum."""
    return digest(path, checksum.partition(":")[0]) == checksum.lower()


def _download(url: str, part: Path, target: Path) -> bool:
    """Fetch a file, or the rest of it, into `part`; whether it was resumed."""
    import http.client  # noqa: PLC0415
    import urllib.error  # noqa: PLC0415
    import urllib.request  # noqa: PLC0415

    mark = part.with_name(f"{part.name}.version")  # of what the server had when the download began
    start = part.stat().st_size if part.exists() and mark.exists() else 0
    request = urllib.request.Request(url, headers={"User-Agent": "tensorgrad"})
    if start:
        request.add_header("Range", f"bytes={start}-")
        request.add_header("If-Range", mark.read_text(encoding="utf-8"))
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT) as answer:
            resumed = bool(start) and answer.status == http.HTTPStatus.PARTIAL_CONTENT
            version = answer.headers.get("ETag") or answer.headers.get("Last-Modified")
            if not resumed:
                mark.unlink(missing_ok=True)
                if version is not None and not version.startswith("W/"):
                    mark.write_text(version, encoding="utf-8")
            _receive(answer, part, resumed)
    except urllib.error.HTTPError as error:
        error.close()
        if start and error.code == http.HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
            part.unlink()
            mark.unlink()
            return _download(url, part, target)
        raise ConnectionError(
            f"get_file: the server answers {error.code} ({error.reason}) to {url}. "
            f"If you have the file from elsewhere, put it at {target}"
        ) from error
    except (OSError, http.client.HTTPException) as error:
        reason = getattr(error, "reason", error)
        raise ConnectionError(
            f"get_file: cannot download {url}: {reason}. Is this machine offline? Another attempt goes on "
            f"where this one stopped. If you have the file from elsewhere, put it at {target}"
        ) from error
    mark.unlink(missing_ok=True)
    return resumed


def _receive(answer: Any, part: Path, resumed: bool) -> None:
    announced = answer.headers.get("Content-Length")
    count = 0
    with part.open("ab" if resumed else "wb") as file:
        while block := answer.read(_CHUNK):
            file.write(block)
            count += len(block)
    if announced is not None and count != int(announced):
        raise ConnectionError(f"the server sent {count} of {announced} bytes")


# -- archives ------------------------------------------------------------------------------------


def extract(archive: str | os.PathLike[str], folder: str | os.PathLike[str]) -> Path:
    """Unpack a tar or zip archive into a folder of its own, all of it or nothing.

    Parameters
    ----------
    archive : str or path
    folder : str or path
        Must not exist yet.

    Returns
    -------
    pathlib.Path
        `folder`.

    Raises
    ------
    ValueError
        If a member would land outside, or is neither a file nor a folder; or if it is no archive.
    FileExistsError
        If `folder` exists.
    """
    import shutil  # noqa: PLC0415
    from pathlib import Path  # noqa: PLC0415

    target = Path(folder)
    if target.exists():
        raise FileExistsError(f"extract: {target} exists already")
    unfinished = target.with_name(f".{target.name}.{os.urandom(8).hex()}.tmp")
    unfinished.mkdir(parents=True)
    try:
        _unpack(archive, unfinished)
        unfinished.replace(target)
    except BaseException:
        shutil.rmtree(unfinished, ignore_errors=True)
        raise
    return target


def _unpack(archive: str | os.PathLike[str], folder: Path) -> None:
    import tarfile  # noqa: PLC0415
    import zipfile  # noqa: PLC0415

    if zipfile.is_zipfile(archive):
        with zipfile.ZipFile(archive) as packed:
            for info in packed.infolist():
                _put(folder, info.filename, None if info.is_dir() else partial(packed.open, info))
    elif tarfile.is_tarfile(archive):
        with tarfile.open(archive) as tar:
            for member in tar:
                if not (member.isfile() or member.isdir()):
                    raise ValueError(f"extract: {member.name} in {archive} is a link or a device, not a file")
                _put(folder, member.name, partial(tar.extractfile, member) if member.isfile() else None)
    else:
        raise ValueError(f"extract: expected a tar or zip archive; got {archive}")


def _put(folder: Path, name: str, opened: Callable[[], IO[bytes] | None] | None) -> None:
    """Write a member of an archive, or make a folder; a ValueError if it would lie outside `folder`."""
    import shutil  # noqa: PLC0415
    from pathlib import PurePosixPath  # noqa: PLC0415

    path = PurePosixPath(name.replace("\\", "/"))
    if path.is_absolute() or ".." in path.parts or any(":" in part for part in path.parts):
        raise ValueError(f"extract: {name!r} would be unpacked outside its folder; nothing was")
    place = folder.joinpath(*path.parts)
    content = None if opened is None else opened()
    if content is None:
        place.mkdir(parents=True, exist_ok=True)
        return
    place.parent.mkdir(parents=True, exist_ok=True)
    with content, place.open("wb") as file:
        shutil.copyfileobj(content, file)
