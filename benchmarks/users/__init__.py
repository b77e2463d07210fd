"""Layers of published models beside ours: one file each, with the formulation of its authors written from its formula.

``python -m benchmarks.users [--only NAME] [--json FILE]`` checks that outputs and gradients are equal, then times both.
"""
