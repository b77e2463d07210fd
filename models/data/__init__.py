"""Light fields in, training pairs out."""

from .aperture import (
    Aperture,
    annulus,
    cats_eye,
    disk,
    left_half,
    parse_aperture,
    polygon,
    right_half,
    square,
)
from .defocus import aperture_diameter, decode_defocus, defocus_map, encode_defocus
from .disparity_map import disparity_of, estimate_disparity_map
from .disparity_range import estimate_disparity_range
from .errors import LightFieldError
from .generate import generate
from .lfp import LytroContainer, read_lytro
from .light_field import LightField
from .light_field_pairs import LightFieldPairs
from .noise import Noise, parse_noise
from .pairs import Pair, center_picture, refocus_light, render_pair, render_pairs
from .pfm import read_pfm
from .planes import parse_disparities
from .reader import FORMATS, read_light_field
from .transfer import linear_light_field, linear_to_srgb, srgb_to_linear
from .truth import all_in_focus_light, center_light, difference_of_truths

__all__ = [
    "FORMATS",
    "Aperture",
    "LightField",
    "LightFieldError",
    "LightFieldPairs",
    "LytroContainer",
    "Noise",
    "Pair",
    "all_in_focus_light",
    "annulus",
    "aperture_diameter",
    "cats_eye",
    "center_light",
    "center_picture",
    "decode_defocus",
    "defocus_map",
    "difference_of_truths",
    "disk",
    "disparity_of",
    "encode_defocus",
    "estimate_disparity_map",
    "estimate_disparity_range",
    "generate",
    "left_half",
    "linear_light_field",
    "linear_to_srgb",
    "parse_aperture",
    "parse_disparities",
    "parse_noise",
    "polygon",
    "read_light_field",
    "read_lytro",
    "read_pfm",
    "refocus_light",
    "render_pair",
    "render_pairs",
    "right_half",
    "square",
    "srgb_to_linear",
]
