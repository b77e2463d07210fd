"""Scores of restored pictures against their truth."""
