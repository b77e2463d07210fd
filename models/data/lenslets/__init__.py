"""Sensors behind lenslets: their grid, their pictures made into views, and pictures of theirs that are simulated."""
