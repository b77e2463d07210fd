"""What is asked of training runs."""

from starlette.routing import Route


def routes() -> list[Route]:
    """Below ``/api/runs``."""
    return []
