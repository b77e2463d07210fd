"""``python -m lfdeblur_models.cli``."""

from . import main

main()
