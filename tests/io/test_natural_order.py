"""Names in the order of their numbers."""

import random

from lfdeblur_models.io.natural_order import natural_key


def test_names_are_sorted_by_their_numbers():
    names = ["2.png", "02.png", "10.png", "a", "A1", "a2b", "a2c", "a10b", "view", "view_9", "view_10", "view_10_1"]
    want = ["02.png", "2.png", *names[2:]]
    for seed in range(5):
        random.Random(seed).shuffle(names)
        assert sorted(names, key=natural_key) == want
