"""Networks on pictures of any size: tiles, memory, files in and out, faster engines."""
