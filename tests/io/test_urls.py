"""What is a URL, and where it leads."""

from pathlib import Path

import pytest

from lfdeblur_models.io.urls import is_url, local_path, open_url


def test_urls_and_paths_are_told_apart():
    assert is_url("s3://bucket/a")
    assert is_url("file:///a")
    assert not any(map(is_url, ("a/b", "lf:a", "C:/a", Path("a"))))
    assert local_path("s3://bucket/a") is None
    assert local_path("file:///a/b") == Path("/a/b")
    assert local_path("a/b") == local_path(Path("a/b")) == Path("a/b")
    files, root = open_url("memory://in/a")
    files.pipe_file(f"{root}/b", b"text")
    assert files.cat_file("/in/a/b") == b"text"


def test_an_unknown_storage_is_one_error():
    with pytest.raises(OSError, match="nowhere"):
        open_url("nowhere://a")
