"""``from lfdeblur.data import read_light_field``: all of ``lfdeblur_models.data``."""

from lfdeblur_models.data import *  # noqa: F403
