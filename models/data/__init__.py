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
from .from_depth import Synthesis, light_field_from_rgbd, light_field_from_stereo
from .from_photo import light_field_from_photo
from .generate import Generated, generate
from .lfp import LytroContainer, read_lytro
from .light_field import LightField, linear_light_field
from .light_field_pairs import LightFieldPairs
from .noise import Noise, parse_noise
from .pairs import Pair, center_picture, refocus_light, render_pair, render_pairs
from .pfm import read_pfm
from .planes import content_planes, even_planes, parse_disparities
from .reader import FORMATS, read_light_field
from .recipe import Recipe
from .sources import Reading, Source, find_sources, open_source
from .transfer import linear_to_srgb, srgb_to_linear
from .truth import all_in_focus_light, center_light, difference_of_truths

__all__ = [
    "FORMATS",
    "Aperture",
    "Generated",
    "LightField",
    "LightFieldError",
    "LightFieldPairs",
    "LytroContainer",
    "Noise",
    "Pair",
    "Reading",
    "Recipe",
    "Source",
    "Synthesis",
    "all_in_focus_light",
    "annulus",
    "aperture_diameter",
    "cats_eye",
    "center_light",
    "center_picture",
    "content_planes",
    "decode_defocus",
    "defocus_map",
    "difference_of_truths",
    "disk",
    "disparity_of",
    "encode_defocus",
    "estimate_disparity_map",
    "estimate_disparity_range",
    "even_planes",
    "find_sources",
    "generate",
    "left_half",
    "light_field_from_photo",
    "light_field_from_rgbd",
    "light_field_from_stereo",
    "linear_light_field",
    "linear_to_srgb",
    "open_source",
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
