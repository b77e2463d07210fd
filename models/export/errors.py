"""What can be wrong with an export."""

from ..io.errors import LfdeblurError


class ExportError(LfdeblurError, ValueError):
    """A network that cannot be exported as asked; the message is one line and says why."""
