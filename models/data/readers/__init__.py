"""Files of light fields: one file per format, and a registry that asks them in turn."""
