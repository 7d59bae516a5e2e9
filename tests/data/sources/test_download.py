import gzip
import hashlib
import socket
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from siamese_tf.data.sources.download import download
from siamese_tf.errors import DatasetError

CONTENT = b"seven bytes and more" * 1000
SHA256 = hashlib.sha256(CONTENT).hexdigest()


UNTIL_CLOSED = threading.Event()


class Handler(BaseHTTPRequestHandler):
    """Answers each path with a different fault."""

    def do_GET(self):
        answers = {"/good": CONTENT, "/good.gz": gzip.compress(CONTENT), "/half.gz": gzip.compress(CONTENT)[:-9]}
        if self.path == "/silent":
            UNTIL_CLOSED.wait(20)
        elif self.path == "/garbled":
            self.wfile.write(b"this is not HTTP\r\n\r\n")
        elif self.path == "/short":
            self.answer(CONTENT[:-1], length=len(CONTENT))
        elif self.path in answers:
            self.answer(answers[self.path])
        else:
            self.send_error(404)

    def answer(self, body, length=None):
        self.send_response(200)
        self.send_header("Content-Length", str(length or len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def site():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    UNTIL_CLOSED.set()
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(autouse=True)
def direct(monkeypatch):
    """Disables proxies between the tests and their server."""
    monkeypatch.setenv("no_proxy", "*")


@contextmanager
def leaves_nothing(tmp_path, *words):
    with pytest.raises(DatasetError) as caught:
        yield
    for word in words:
        assert word in str(caught.value)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["good", "good.gz"])
def test_a_valid_file_is_written(site, tmp_path, name):
    path = tmp_path / "new" / "folders" / name
    download(f"{site}/{name}", path, SHA256)
    content = path.read_bytes()
    assert (gzip.decompress(content) if name.endswith(".gz") else content) == CONTENT
    assert [other.name for other in path.parent.iterdir()] == [name]


@pytest.mark.parametrize("name", ["good", "good.gz"])
def test_content_with_another_sha256_is_refused(site, tmp_path, name):
    with leaves_nothing(tmp_path, f"{site}/{name}", SHA256, "0" * 64):
        download(f"{site}/{name}", tmp_path / "file", "0" * 64)


def test_a_refused_download_leaves_the_old_file(site, tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"old")
    with pytest.raises(DatasetError):
        download(f"{site}/good", path, "0" * 64)
    assert path.read_bytes() == b"old"


def test_broken_gzip(site, tmp_path):
    with leaves_nothing(tmp_path, f"{site}/half.gz", "must be a complete gzip file"):
        download(f"{site}/half.gz", tmp_path / "file", SHA256)


def test_connection_that_ends_early(site, tmp_path):
    with leaves_nothing(tmp_path, f"{site}/short"):
        download(f"{site}/short", tmp_path / "file", SHA256)


def test_size_cap(site, tmp_path):
    download(f"{site}/good", tmp_path / "file", SHA256, max_bytes=len(CONTENT))
    (tmp_path / "file").unlink()
    with leaves_nothing(tmp_path, "at most 19,999 bytes; got more"):
        download(f"{site}/good", tmp_path / "file", SHA256, max_bytes=len(CONTENT) - 1)


def test_status_404(site, tmp_path):
    with leaves_nothing(tmp_path, f"{site}/absent", "404", "Not Found"):
        download(f"{site}/absent", tmp_path / "file", SHA256)


def test_a_response_that_is_not_http(site, tmp_path):
    with leaves_nothing(tmp_path, f"{site}/garbled"):
        download(f"{site}/garbled", tmp_path / "file", SHA256)


def test_timeout(site, tmp_path):
    with leaves_nothing(tmp_path, f"{site}/silent", "timed out"):
        download(f"{site}/silent", tmp_path / "file", SHA256, timeout=0.05)


def test_connection_refused(tmp_path):
    with socket.socket() as bound_but_deaf:
        bound_but_deaf.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{bound_but_deaf.getsockname()[1]}/file"
        with leaves_nothing(tmp_path, url, "refused"):
            download(url, tmp_path / "file", SHA256)


def test_unwritable_destination(site, tmp_path):
    (tmp_path / "a-file").write_bytes(b"")
    with pytest.raises(DatasetError, match="a-file"):
        download(f"{site}/good", tmp_path / "a-file" / "below", SHA256)


def test_disk_full(site, tmp_path, monkeypatch):
    def full(_descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with leaves_nothing(tmp_path, f"{site}/good", "No space left on device"):
        download(f"{site}/good", Path(tmp_path / "file"), SHA256)
