"""Photographs on the page: restored in tiles, compared, saved."""
