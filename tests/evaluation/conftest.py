"""What the tests of ``lfdeblur evaluate`` share."""

import functools

import pytest


@pytest.fixture
def run(command):
    return functools.partial(command, "evaluate")
