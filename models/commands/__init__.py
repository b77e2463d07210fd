"""The commands of ``lfdeblur``, one file each; ``lfdeblur_models.cli`` puts them together."""
