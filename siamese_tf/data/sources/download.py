"""Download of a file, verified before it replaces an existing one."""

import gzip
import hashlib
import zlib
from http.client import HTTPException
from pathlib import Path
from typing import IO
from urllib.error import HTTPError, URLError
from urllib.request import urlopen

from siamese_tf.errors import DatasetError
from siamese_tf.files import atomic_write

_CHUNK = 1 << 18


def download(url: str, path: str | Path, sha256: str, *, max_bytes: int = 64 * 2**20, timeout: float = 10.0) -> None:
    """Downloads a file whose SHA-256 is known.

    Args:
        url: URL of the file.
        path: destination; not written unless the download is complete and verified.
        sha256: expected SHA-256 (hexadecimal); for a `.gz` file, that of the uncompressed bytes.
        max_bytes: maximum size of the file in bytes.
        timeout: timeout in seconds for the connection and for each read.

    Raises:
        DatasetError: if the server cannot be reached, the file does not exist, the download times out, is larger than
            `max_bytes` or has another SHA-256, or `path` cannot be written.
    """
    try:
        with urlopen(url, timeout=timeout) as response, atomic_write(path) as file:
            _copy(response, file, url, max_bytes)
            found = _content_sha256(file, packed=url.endswith(".gz"))
            if found != sha256:
                raise _refusal(url, f"SHA-256 must be {sha256}; got {found}")
    except HTTPError as error:
        error.close()
        raise _refusal(url, f"HTTP status {error.code}, {error.reason}") from error
    except URLError as error:
        raise _refusal(url, str(error.reason)) from error
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise _refusal(url, f"content must be a complete gzip file; got {error}") from error
    except (OSError, HTTPException) as error:
        raise _refusal(url, str(error) or type(error).__name__) from error


def _copy(response: IO[bytes], file: IO[bytes], url: str, max_bytes: int) -> None:
    size = 0
    while chunk := response.read(_CHUNK):
        size += len(chunk)
        if size > max_bytes:
            raise _refusal(url, f"size must be at most {max_bytes:,} bytes; got more")
        file.write(chunk)


def _content_sha256(file: IO[bytes], packed: bool) -> str:
    digest = hashlib.sha256()
    file.seek(0)
    stream = gzip.GzipFile(fileobj=file) if packed else file
    while chunk := stream.read(_CHUNK):
        digest.update(chunk)
    return digest.hexdigest()


def _refusal(url: str, reason: str) -> DatasetError:
    return DatasetError(f"the download of {url} failed: {reason}")
