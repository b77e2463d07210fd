"""Benchmarks: ``python -m benchmarks``; every row is checked for correctness before it is timed."""
