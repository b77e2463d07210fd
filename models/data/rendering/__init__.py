"""A lens and a sensor: from a light field to defocused pictures and their truth."""
