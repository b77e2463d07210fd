"""Training of DRBNet in two stages; needs the extra ``train``."""
