"""Where the real data for tests lies: ``LFDEBLUR_TEST_DATA``, else ``../shared/data`` beside the checkout."""

import os
from pathlib import Path

import pytest

FOLDER = Path(os.environ.get("LFDEBLUR_TEST_DATA", Path(__file__).resolve().parents[2] / "shared" / "data"))


def data_folder(name: str) -> Path:
    """The folder of one data set; the test is skipped where it is not there."""
    folder = FOLDER / name
    if not folder.is_dir():
        pytest.skip(f"needs the data set {name}: no {folder}; LFDEBLUR_TEST_DATA tells where the data lies")
    return folder
