"""Tests of depth."""
