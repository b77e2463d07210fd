"""PNG files that are written without a picture library, and headers that are read without one."""

import numpy as np
import pytest
import torch

from lfdeblur_models.io.errors import ImageError
from lfdeblur_models.io.images import open_image, picture_header, read_image
from lfdeblur_models.io.png import png


@pytest.mark.parametrize("compression", [0, 1, 9])
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_pixels_come_back(tmp_path, dtype, channels, compression):
    for size in ((1, 1), (7, 13), (40, 3)):
        pixels = np.random.default_rng(0).integers(np.iinfo(dtype).max + 1, size=(*size, channels), dtype=dtype)
        file = tmp_path / "a.png"
        file.write_bytes(png(pixels, compression))
        assert torch.equal(read_image(file)[0], torch.from_numpy(pixels).permute(2, 0, 1))
        assert picture_header(file) == open_image(file)[1]


@pytest.mark.parametrize("bands", [1, 2, 3, 4])
@pytest.mark.parametrize("palette", [False, True])
def test_headers_are_those_of_the_decoder(tmp_path, bands, palette):
    import pyvips

    pixels = np.random.default_rng(0).integers(4, size=(9, 5, bands), dtype=np.uint8) * 60
    image = pyvips.Image.new_from_array(pixels).copy(interpretation="b-w" if bands < 3 else "srgb")
    for interlace in (False, True):
        image.pngsave(str(tmp_path / "a.png"), palette=palette, interlace=interlace)
        assert picture_header(tmp_path / "a.png") == open_image(tmp_path / "a.png")[1]


def test_a_cut_file_is_told(tmp_path):
    data = png(np.zeros((9, 5, 3), np.uint8), 1)
    file = tmp_path / "a.png"
    for length in (0, 8, 20, len(data) - 1):
        file.write_bytes(data[:length])
        with pytest.raises(ImageError, match=r"a\.png"):
            picture_header(file)
