"""What is asked of photographs."""

from starlette.routing import Route


def routes() -> list[Route]:
    """Below ``/api/photographs``."""
    return []
