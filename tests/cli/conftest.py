"""What tests of the command share."""

import pytest

from lfdeblur_models import cli


@pytest.fixture
def run(capsys):
    """Call the command; gives exit code, stdout and stderr."""

    def call(*arguments):
        with pytest.raises(SystemExit) as stop:
            cli.main([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        return stop.value.code, captured.out, captured.err

    return call
