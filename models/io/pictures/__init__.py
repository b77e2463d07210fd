"""The kinds of picture files, one file each but for those that libvips reads; ``models/io/images.py`` chooses."""
