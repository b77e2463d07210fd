"""Training runs on the page."""
