"""Light fields into files: one file per layout, and a registry of them."""
