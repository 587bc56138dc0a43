"""Downloads from a server on this machine: the cache, hashes, resuming; and archives."""

from __future__ import annotations

import hashlib
import io
import re
import socket
import subprocess
import sys
import tarfile
import threading
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tensorgrad import downloads
from tensorgrad.utils import get_file

CONTENT = bytes(range(256)) * 5000
SHA256 = "sha256:" + hashlib.sha256(CONTENT).hexdigest()
MD5 = "md5:" + hashlib.md5(CONTENT).hexdigest()


def message(text: str) -> str:
    return f"^{re.escape(text)}$"


class Server:
    """What it serves, how, and what it was asked."""

    def __init__(self):
        self.content = CONTENT
        self.tag = '"1"'
        self.cut = None  # send only so many bytes
        self.ranges = True
        self.asked = []
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                server.answer(self)

            def log_message(self, *args):
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.http.server_port}/data.bin"
        self.thread = threading.Thread(target=self.http.serve_forever, kwargs={"poll_interval": 0.01})
        self.thread.start()

    def answer(self, request):
        wanted = request.headers.get("Range")
        self.asked.append(wanted)
        if not request.path.startswith("/data.bin"):
            request.send_error(404)
            return
        start = 0
        if self.ranges and wanted and request.headers.get("If-Range") == self.tag:
            start = int(wanted.removeprefix("bytes=").removesuffix("-"))
            if start >= len(self.content):
                request.send_error(416)
                return
        body = self.content[start:]
        request.send_response(206 if start else 200)
        if self.tag:
            request.send_header("ETag", self.tag)
        request.send_header("Content-Length", str(len(body)))
        request.end_headers()
        request.wfile.write(body[: self.cut])

    def close(self):
        self.http.shutdown()
        self.thread.join()
        self.http.server_close()


@pytest.fixture
def server(tmp_path, monkeypatch):
    monkeypatch.setenv(downloads.FOLDER, str(tmp_path / "cache"))
    running = Server()
    yield running
    running.close()


# -- the file ------------------------------------------------------------------------------------


@pytest.mark.parametrize("checksum", [None, SHA256, MD5, SHA256.upper().replace("SHA256", "sha256")])
def test_a_file_is_downloaded_once(server, tmp_path, checksum):
    path = get_file(server.url, checksum=checksum)
    assert path == str(tmp_path / "cache" / "data.bin")
    assert get_file(server.url, checksum=checksum) == path
    assert Path(path).read_bytes() == CONTENT
    assert server.asked == [None]
    assert [p.name for p in (tmp_path / "cache").iterdir()] == ["data.bin"]


def test_names_and_folders(server, tmp_path):
    assert get_file(server.url, "other.bin", folder=tmp_path) == str(tmp_path / "other.bin")
    assert get_file(server.url + "?token=a/b", folder=tmp_path).endswith("data.bin")
    source = tmp_path / "here.txt"
    source.write_text("text")
    path = get_file(source.as_uri(), "there.txt", folder=tmp_path)
    assert (tmp_path / "there.txt").read_text() == "text"
    assert path.endswith("there.txt")
    for name in ("../x", "a/b", "..", "", "a\\b"):
        with pytest.raises(ValueError, match=r"^get_file: expected a plain file name; got "):
            get_file(server.url, name)
    with pytest.raises(ValueError, match=r"^get_file: expected a URL with https, http or file; got 'ftp:"):
        get_file("ftp://host/file")


def test_the_folder_by_default(monkeypatch, tmp_path):
    monkeypatch.delenv(downloads.FOLDER, raising=False)
    monkeypatch.setattr(Path, "home", lambda: tmp_path)
    assert downloads.cache_folder() == tmp_path / ".tensorgrad"


def test_a_file_that_was_altered_is_downloaded_anew(server):
    path = get_file(server.url, checksum=SHA256)
    Path(path).write_bytes(b"altered")
    assert get_file(server.url) == path
    assert server.asked == [None]
    get_file(server.url, checksum=SHA256)
    assert downloads.matches(path, SHA256)


def test_another_checksum_is_refused_and_leaves_nothing(server, tmp_path):
    server.content = b"something else"
    got = "sha256:" + hashlib.sha256(server.content).hexdigest()
    expected = (
        f"get_file: {server.url} has another checksum than expected ({SHA256}): {got}. "
        "Nothing was kept. Was the file changed, or does a proxy answer in its place?"
    )
    with pytest.raises(ValueError, match=message(expected)):
        get_file(server.url, checksum=SHA256)
    assert list((tmp_path / "cache").iterdir()) == []
    with pytest.raises(ValueError, match=r"^expected a checksum that begins with .*; got 'crc'$"):
        downloads.digest(__file__, "crc")


# -- what is interrupted -------------------------------------------------------------------------


def interrupted(server, after=300_000):
    server.cut = after
    with pytest.raises(ConnectionError, match=r"^get_file: cannot download http.* Another attempt goes on"):
        get_file(server.url)
    server.cut = None


def test_a_download_goes_on_where_it_stopped(server, tmp_path):
    interrupted(server)
    assert not (tmp_path / "cache" / "data.bin").exists()
    path = get_file(server.url, checksum=SHA256)
    assert downloads.matches(path, SHA256)
    assert server.asked == [None, "bytes=300000-"]
    assert [p.name for p in (tmp_path / "cache").iterdir()] == ["data.bin"]


@pytest.mark.parametrize("change", ["changed", "cannot", "unmarked"])
def test_it_starts_anew_where_it_cannot_go_on(server, change):
    if change == "unmarked":
        server.tag = None
    interrupted(server)
    if change == "changed":
        server.tag, server.content = '"2"', CONTENT[::-1]
    server.ranges = change != "cannot"
    assert Path(get_file(server.url)).read_bytes() == server.content


def test_a_part_that_was_altered_is_thrown_away(server, tmp_path):
    interrupted(server)
    (tmp_path / "cache" / "data.bin.part").write_bytes(b"x" * 300_000)
    assert downloads.matches(get_file(server.url, checksum=SHA256), SHA256)
    assert server.asked == [None, "bytes=300000-", None]


def test_a_part_that_is_too_long_is_thrown_away(server, tmp_path):
    interrupted(server)
    (tmp_path / "cache" / "data.bin.part").write_bytes(b"x" * (len(CONTENT) + 1))
    assert downloads.matches(get_file(server.url), SHA256)


# -- no connection -------------------------------------------------------------------------------


def test_offline(tmp_path):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}/x.bin"
    expected = (
        rf"^get_file: cannot download {url}: .*refused.*\. Is this machine offline\? .* "
        rf"If you have the file from elsewhere, put it at {re.escape(str(tmp_path / 'x.bin'))}$"
    )
    with pytest.raises(ConnectionError, match=expected):
        get_file(url, folder=tmp_path)


def test_a_file_that_the_server_does_not_have(server, tmp_path):
    url = server.url.replace("data.bin", "other.bin")
    expected = (
        f"get_file: the server answers 404 (Not Found) to {url}. "
        f"If you have the file from elsewhere, put it at {tmp_path / 'other.bin'}"
    )
    with pytest.raises(ConnectionError, match=message(expected)):
        get_file(url, folder=tmp_path)


def test_importing_loads_nothing_of_the_network():
    heavy = ("urllib.request", "http.client", "hashlib", "zipfile")
    code = f"import sys, tensorgrad; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


# -- archives ------------------------------------------------------------------------------------


def tar_of(path, *members):
    with tarfile.open(path, "w:gz") as tar:
        for info, content in members:
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return path


def member(name, kind=tarfile.REGTYPE, link=""):
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, link
    return info


def test_archives_are_unpacked(tmp_path):
    archive = tar_of(
        tmp_path / "a.tar.gz",
        *((member("d", tarfile.DIRTYPE), b""), (member("d/x.txt"), b"1"), (member("y.txt"), b"2")),
    )
    packed = tmp_path / "a.zip"
    with zipfile.ZipFile(packed, "w") as z:
        z.writestr("d/x.txt", "1")
        z.writestr("y.txt", "2")
    for source in (archive, packed):
        folder = downloads.extract(source, tmp_path / f"out{source.suffix}")
        assert (folder / "d" / "x.txt").read_text() == "1"
        assert (folder / "y.txt").read_text() == "2"
        with pytest.raises(FileExistsError, match=r"^extract: .* exists already$"):
            downloads.extract(source, folder)


@pytest.mark.parametrize(
    "name", ["../out.txt", "/tmp/out.txt", "d/../../out.txt", "C:\\out.txt", "..\\out.txt"]
)
@pytest.mark.parametrize("kind", ["tar", "zip"])
def test_nothing_is_unpacked_outside(tmp_path, kind, name):
    archive = tmp_path / f"bad.{kind}"
    if kind == "tar":
        tar_of(archive, (member("good.txt"), b"1"), (member(name), b"2"))
    else:
        with zipfile.ZipFile(archive, "w") as z:
            z.writestr("good.txt", "1")
            z.writestr(zipfile.ZipInfo(name), "2")
    with pytest.raises(ValueError, match=r"would be unpacked outside its folder; nothing was$"):
        downloads.extract(archive, tmp_path / "in" / "here")
    assert [p for p in tmp_path.rglob("*") if p.is_file()] == [archive]


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE])
def test_links_and_devices_are_refused(tmp_path, kind):
    archive = tar_of(tmp_path / "bad.tar", (member("link", kind, "/etc/passwd"), b""))
    with pytest.raises(ValueError, match=r"^extract: link in .* is a link or a device, not a file$"):
        downloads.extract(archive, tmp_path / "here")
    assert not (tmp_path / "here").exists()


def test_what_is_no_archive(tmp_path):
    path = tmp_path / "text"
    path.write_text("no archive")
    with pytest.raises(ValueError, match=r"^extract: expected a tar or zip archive; got "):
        downloads.extract(path, tmp_path / "here")
