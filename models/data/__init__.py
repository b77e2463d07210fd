"""Light fields in, training pairs out."""

from typing import TYPE_CHECKING

from ..system.lazy import import_when_asked

if TYPE_CHECKING:
    from ..io.errors import ImageError, LfdeblurError, OutputError
    from ..io.pfm import read_pfm
    from .conversion import Converted, convert
    from .datasets.light_field_pairs import LightFieldPairs
    from .depth.camera import Camera, camera_of
    from .depth.disparity import Disparity, disparity_of, estimate_disparity, estimate_disparity_map
    from .depth.disparity_range import estimate_disparity_range
    from .depth.focus import disparity_at
    from .depth.points import write_points
    from .depth.scores import disparity_scores
    from .errors import DataError, LightFieldError
    from .generation.executors import Processes
    from .generation.generate import Generated, generate
    from .generation.on_ray import OnRay
    from .generation.recipe import Recipe
    from .lenslets.camera import CAMERAS, LensletCamera
    from .lenslets.capture_files import write_capture
    from .lenslets.container import LytroContainer, read_lytro
    from .lenslets.grid import GridError
    from .lenslets.simulate import Capture, simulate_capture
    from .light_field import LightField, linear_light_field
    from .readers.options import ReadOptions
    from .readers.registry import FORMATS, read_light_field
    from .rendering.aperture import (
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
    from .rendering.defocus import aperture_diameter, decode_defocus, defocus_map, encode_defocus
    from .rendering.exposure import refocus_light
    from .rendering.noise import Noise, parse_noise
    from .rendering.pairs import Pair, center_picture, render_pair, render_pairs
    from .rendering.planes import content_planes, even_planes, parse_disparities
    from .rendering.regular_grid import on_regular_grid
    from .rendering.shot import Shot
    from .rendering.truth import all_in_focus_light, center_light, difference_of_truths
    from .sources.find import Reading, Source, find_sources, open_source
    from .sources.from_depth import Synthesis, light_field_from_rgbd, light_field_from_stereo
    from .sources.from_photo import light_field_from_photo
    from .transfer import linear_to_srgb, srgb_to_linear
    from .writers.registry import LAYOUTS, Written, write_light_field

__all__ = [
    "CAMERAS",
    "FORMATS",
    "LAYOUTS",
    "Aperture",
    "Camera",
    "Capture",
    "Converted",
    "DataError",
    "Disparity",
    "Generated",
    "GridError",
    "ImageError",
    "LensletCamera",
    "LfdeblurError",
    "LightField",
    "LightFieldError",
    "LightFieldPairs",
    "LytroContainer",
    "Noise",
    "OnRay",
    "OutputError",
    "Pair",
    "Processes",
    "ReadOptions",
    "Reading",
    "Recipe",
    "Shot",
    "Source",
    "Synthesis",
    "Written",
    "all_in_focus_light",
    "annulus",
    "aperture_diameter",
    "camera_of",
    "cats_eye",
    "center_light",
    "center_picture",
    "content_planes",
    "convert",
    "decode_defocus",
    "defocus_map",
    "difference_of_truths",
    "disk",
    "disparity_at",
    "disparity_of",
    "disparity_scores",
    "encode_defocus",
    "estimate_disparity",
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
    "on_regular_grid",
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
    "simulate_capture",
    "square",
    "srgb_to_linear",
    "write_capture",
    "write_light_field",
    "write_points",
]

import_when_asked(__name__)
