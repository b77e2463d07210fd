"""Pairs on disk: recipes, scenes over processes, layouts, the manifest."""
