"""``python -m lfdeblur_models``: the command ``lfdeblur``."""

from .cli import main

main()
