"""``python -m lfdeblur``: the command ``lfdeblur``."""

from lfdeblur_models.cli import main

main()
