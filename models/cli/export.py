"""``lfdeblur export``."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ..export import ExportError, card_of, check_target
from ..export import export as write
from ..networks.weights import load_network
from ..system.interrupts import terminable
from .options import CommandError
from .output import say


def export(
    *,
    to: str,
    out: Path,
    weights: str,
    precision: str,
    opset: int,
    dry_run: bool,
) -> None:
    """Do what ``commands/export.py`` declares."""
    with _told_of_options(), terminable():
        check_target(to, out)
        network = load_network(weights)
        if dry_run:
            say(f"would write {out}: {to}, {precision}, {weights}")
            return
        write(network, to, out, precision=precision, opset=opset, card=card_of(weights))
    say(str(out))


@contextmanager
def _told_of_options() -> Iterator[None]:
    """Messages about arguments become ones about the options; the network is what --weights names."""
    try:
        yield
    except ExportError as error:
        raise CommandError("--" + str(error).replace("network:", "weights:", 1)) from error
