"""Names that the command line lists, without the modules that define them: those import PyTorch, which takes seconds.

A test holds each list against the one that is meant.
"""

import re
from importlib import import_module
from pathlib import Path

_ENTRY = re.compile(r'^\w+ = (?:Format|Layout)\(\s*"([\w-]+)".*?\border=(\d+)', re.DOTALL | re.MULTILINE)


def _entries(folder: str, table: str) -> tuple[str, ...]:
    """Those of the files of readers or writers, as text: a new one is one new file."""
    files = (Path(__file__).parents[1] / "data" / folder).glob("*.py")
    found = [(int(order), name) for file in files for name, order in _ENTRY.findall(file.read_text(encoding="utf-8"))]
    if not found:  # a program that is shipped without sources
        return tuple(getattr(import_module(f"..data.{folder}.registry", __package__), table))
    return tuple(name for _, name in sorted(found))


FORMATS = _entries("readers", "FORMATS")
LAYOUTS = _entries("writers", "LAYOUTS")
PICTURES = "PNG, TIFF, JPEG, WebP, BMP, PPM, AVIF, HEIC or OpenEXR"
TRANSFERS = ("srgb", "linear")
FLIPS = ("none", "rows", "columns", "both")
ORDERS = ("rows", "columns", "lawn-mower")
BAYER = ("RGGB", "GRBG", "GBRG", "BGGR")
COLOURS = ("metadata", "camera")

APERTURES = ("disk", "square", "polygon", "annulus", "cateye")
APERTURE_FORMS = "disk:R, square:R, polygon:R:BLADES[:DEGREES], annulus:R:INNER or cateye:R:CUT"
HALVES = ("whole", "left", "right")
INTERPOLATIONS = ("nearest", "bilinear", "bicubic")
PLANES = 9  # of refocus, where nothing tells them
PLACEMENTS = ("even", "content")
TRUTHS = ("center", "refocus", "both")
PAIR_LAYOUTS = ("lfdof", "webdataset")
CAMERAS = ("f01", "illum", "lab")
LENSLETS = ("hexagonal", "square")

DEVICES = ("auto", "cpu", "cuda")
DTYPES = ("float32", "bfloat16", "float16")
WEIGHTS = ("compact",)
RUNTIMES = ("onnx", "openvino", "torch")
TARGETS = ("onnx", "openvino", "torch", "aoti", "dtmodel", "spandrel", "hub")
PRECISIONS = ("fp32", "fp16")
SCENE_KINDS = ("dpdd", "lfdof", "realdof", "cuhk", "pixeldp", "folders", "pixel4", "disk-blur", "stack")
SPLITS = ("train", "val", "test")
RECIPES = tuple(sorted(path.stem for path in (Path(__file__).parents[1] / "assets" / "recipes").glob("*.toml")))
