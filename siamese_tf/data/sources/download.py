"""Download of one file, verified before it replaces anything."""

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
    """Downloads a file whose content is known beforehand.

    Args:
        url: where it is.
        path: destination; written completely and verified, or not at all.
        sha256: hexadecimal SHA-256 it must have; for a `.gz`, that of the uncompressed bytes.
        max_bytes: give up when more than this comes.
        timeout: seconds to wait for an answer, and for each next part of the file.

    Raises:
        DatasetError: no network, no such page, too slow, too large, another content, or no place to write; the
            message says which.
    """
    try:
        with urlopen(url, timeout=timeout) as response, atomic_write(path) as file:
            _copy(response, file, url, max_bytes)
            found = _content_sha256(file, packed=url.endswith(".gz"))
            if found != sha256:
                raise _refusal(url, f"what came has the SHA-256 {found}; expected {sha256}")
    except HTTPError as error:
        error.close()
        raise _refusal(url, f"HTTP status {error.code}, {error.reason}") from error
    except URLError as error:
        raise _refusal(url, str(error.reason)) from error
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise _refusal(url, f"what came is no whole gzip file ({error})") from error
    except (OSError, HTTPException) as error:
        raise _refusal(url, str(error) or type(error).__name__) from error


def _copy(response: IO[bytes], file: IO[bytes], url: str, max_bytes: int) -> None:
    size = 0
    while chunk := response.read(_CHUNK):
        size += len(chunk)
        if size > max_bytes:
            raise _refusal(url, f"more than {max_bytes:,} bytes came, the most expected")
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
