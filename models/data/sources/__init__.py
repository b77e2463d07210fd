"""Whatever becomes a light field: found by name, fetched, or made from a picture and its depth."""
