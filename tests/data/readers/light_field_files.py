"""Light fields in files, for the tests of the readers."""

import pytest
import torch

from lfdeblur_models.data import LightFieldError, read_light_field
from lfdeblur_models.io.images import write_image

from ...data_paths import data_folder

V, U, H, W = 3, 2, 5, 4


def random_views(v=V, u=U, c=3, h=H, w=W, dtype=torch.uint8, seed=0):
    high = 256 if dtype == torch.uint8 else 65536
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, high, (v, u, c, h, w), generator=generator, dtype=torch.int32).to(dtype)


def write_views(folder, views, name):
    folder.mkdir(parents=True, exist_ok=True)
    for row in range(views.shape[0]):
        for column in range(views.shape[1]):
            write_image(folder / name(row, column), views[row, column])


def antinous(rows=slice(2, 7), columns=slice(2, 7), crop=(120, 200, 96, 112)):
    """A real light field with true disparity, small: five by five views around the centre."""
    return read_light_field(data_folder("lf-hci-antinous"), rows=rows, columns=columns, crop=crop)


def channels_last(views):
    """``[V, U, C, H, W]`` as NumPy ``[V, U, H, W, C]``, the order of most files."""
    return views.permute(0, 1, 3, 4, 2).contiguous().numpy()


def fails(message, *args, **kwargs):
    with pytest.raises(LightFieldError) as caught:
        read_light_field(*args, **kwargs)
    assert message in str(caught.value), str(caught.value)


def fails_on_use(message, *args, **kwargs):
    field = read_light_field(*args, **kwargs)
    with pytest.raises(LightFieldError) as caught:
        _ = field.views
    assert message in str(caught.value), str(caught.value)
