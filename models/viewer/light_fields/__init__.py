"""Light fields on the page: pictures that follow a pointer, depth, epipolar images."""
