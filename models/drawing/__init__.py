"""Sheets of pictures and animations."""
