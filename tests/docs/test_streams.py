"""Pieces that a command printed are one text on the page, lines whole."""

import sys

import pytest

from .fences import ROOT

pytest.importorskip("myst_nb")
sys.path.insert(0, str(ROOT / "docs" / "_ext"))
from streams import joined  # type: ignore[import-not-found]


def piece(name, text):
    return {"output_type": "stream", "name": name, "text": text}


def test_pieces_that_follow_each_other_are_joined():
    picture = {"output_type": "display_data"}
    pieces = [piece("stdout", "PS"), piece("stdout", "NR\n"), piece("stderr", "!"), picture, piece("stderr", "?")]
    assert joined(pieces) == [piece("stdout", "PSNR\n"), piece("stderr", "!"), picture, piece("stderr", "?")]
