import hashlib
import os
import zipfile

import pytest
from omniglot_zips import members_of, small_omniglot, write_zip

from siamese_tf.data.sources import omniglot_files
from siamese_tf.data.sources.omniglot_files import FILES, content_sha256, read_omniglot_file
from siamese_tf.data.sources.published import DatasetNotFoundError
from siamese_tf.errors import DatasetError


@pytest.fixture
def data_dir(tmp_path, monkeypatch):
    small_omniglot(tmp_path, monkeypatch)
    return tmp_path


def test_members_are_read_in_the_order_of_their_names_without_folders(data_dir):
    members, where = read_omniglot_file("images_background", data_dir)
    assert members == members_of("images_background")
    assert list(members) == sorted(members)
    assert where == data_dir / "omniglot"


def test_the_environment_comes_before_the_cache_of_keras(data_dir, monkeypatch, tmp_path):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    monkeypatch.setenv("SIAMESE_TF_DATA", str(data_dir))
    assert read_omniglot_file("images_background")[1] == data_dir / "omniglot"
    monkeypatch.setenv("SIAMESE_TF_DATA", str(tmp_path / "absent"))
    cached = tmp_path / "keras" / "datasets" / "omniglot" / "images_background.zip"
    write_zip(cached, members_of("images_background"))
    assert read_omniglot_file("images_background")[1] == cached.parent


def test_a_missing_file_is_downloaded_into_the_cache_of_keras(data_dir, monkeypatch, tmp_path):
    calls = []

    def fake(url, path, sha256):
        calls.append((url, sha256))
        write_zip(path, members_of("images_evaluation"))

    monkeypatch.setattr(omniglot_files, "download", fake)
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    monkeypatch.delenv("SIAMESE_TF_DATA", raising=False)
    members, where = read_omniglot_file("images_evaluation")
    assert members == members_of("images_evaluation")
    assert where == tmp_path / "keras" / "datasets" / "omniglot"
    assert calls == [(FILES["images_evaluation"].url, FILES["images_evaluation"].sha256)]


def test_a_file_that_is_nowhere_is_reported_with_the_searched_folders(monkeypatch, tmp_path):
    def unreachable(url, path, sha256):
        raise DatasetError(f"the download of {url} failed: no network")

    monkeypatch.setattr(omniglot_files, "download", unreachable)
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    monkeypatch.setenv("SIAMESE_TF_DATA", str(tmp_path / "data"))
    with pytest.raises(DatasetNotFoundError) as caught:
        read_omniglot_file("all_runs")
    for words in (f"{tmp_path / 'data' / 'omniglot'}", "no network", "Set SIAMESE_TF_DATA to a folder that contains"):
        assert words in str(caught.value)
    with pytest.raises(DatasetNotFoundError, match=r"omniglot must have the file all_runs.zip; got none. Set data_dir"):
        read_omniglot_file("all_runs", tmp_path)


def test_other_contents_are_refused(data_dir):
    path = data_dir / "omniglot" / "images_background.zip"
    changed = {**members_of("images_background")}
    changed.popitem()
    write_zip(path, changed)
    with pytest.raises(DatasetError, match="SHA-256 of its contents must be .*; got .* Remove the file to download"):
        read_omniglot_file("images_background", data_dir)


def test_a_member_that_would_fill_the_memory_is_not_read(data_dir):
    path = data_dir / "omniglot" / "images_background.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("images_background/a/b/1_1.png", bytes(10**6))
    with pytest.raises(DatasetError, match="must have at most 65,536 bytes; got 1,000,000"):
        read_omniglot_file("images_background", data_dir)


@pytest.mark.parametrize("content", [b"", b"no zip file", None])
def test_a_damaged_file_is_refused(data_dir, content):
    path = data_dir / "omniglot" / "images_background.zip"
    path.write_bytes(path.read_bytes()[:-7] if content is None else content)
    with pytest.raises(DatasetError, match="must be a readable zip file; got .* Remove the file to download it again"):
        read_omniglot_file("images_background", data_dir)


def test_the_checksum_covers_names_and_contents_but_not_their_order():
    members = {"b": b"1", "a": b"2"}
    text = f"a\0{hashlib.sha256(b'2').hexdigest()}\nb\0{hashlib.sha256(b'1').hexdigest()}\n"
    assert content_sha256(members) == hashlib.sha256(text.encode()).hexdigest()
    assert content_sha256({"a": b"1", "b": b"2"}) != content_sha256(members)


@pytest.mark.skipif("SIAMESE_TF_DATA" not in os.environ, reason="needs the published files")
def test_the_published_runs_are_read():
    members, _ = read_omniglot_file("all_runs")
    assert sum(name.endswith(".png") for name in members) == 20 * 40
