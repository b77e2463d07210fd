"""Torch data sets of pairs: rendered from light fields, in folders of pictures, in shards."""
