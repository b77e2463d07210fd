"""Light fields in, training pairs out."""

from .aperture import Aperture, disk, left_half, parse_aperture, right_half, square
from .disparity_range import estimate_disparity_range
from .generate import generate
from .light_field import LightField, LightFieldError
from .pairs import Pair, center_picture, refocus_light, render_pair, render_pairs
from .pfm import read_pfm
from .planes import parse_disparities
from .reader import FORMATS, read_light_field
from .transfer import linear_light_field, linear_to_srgb, srgb_to_linear

__all__ = [
    "FORMATS",
    "Aperture",
    "LightField",
    "LightFieldError",
    "Pair",
    "center_picture",
    "disk",
    "estimate_disparity_range",
    "generate",
    "left_half",
    "linear_light_field",
    "linear_to_srgb",
    "parse_aperture",
    "parse_disparities",
    "read_light_field",
    "read_pfm",
    "refocus_light",
    "render_pair",
    "render_pairs",
    "right_half",
    "square",
    "srgb_to_linear",
]
