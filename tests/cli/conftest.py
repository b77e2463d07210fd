"""What tests of the command share."""

import pytest


@pytest.fixture
def run(command):
    """``command``, as these tests have called it since they had one of their own."""
    return command
