"""Training pairs written to disk, in the layout of the LFDOF data set."""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import torch

from ..images import write_image
from ..output import make_output_folder
from .aperture import Aperture
from .disparity_range import estimate_disparity_range
from .light_field import LightField, LightFieldError
from .pairs import center_picture, render_pairs

DEFAULT_APERTURES = (Aperture("disk", 1.5), Aperture("disk", 2.5), Aperture("disk", 4.0))
DEFAULT_PLANES = 5


def planes_of(light_field: LightField, disparities: Sequence[float] | None = None) -> list[float]:
    """The focus planes to render: those given, else five evenly over the scene's disparity range.

    Raises:
        LightFieldError: none are given, the files do not tell the range, and it cannot be seen in the views either.
    """
    if disparities is not None:
        return [float(disparity) for disparity in disparities]
    low, high = light_field.disparity_range or estimate_disparity_range(light_field)
    return torch.linspace(low, high, DEFAULT_PLANES, dtype=torch.float64).tolist()


def output_names(
    scene: str, apertures: int, planes: int, *, dual_pixel: bool = False
) -> tuple[str, list[list[dict[str, str]]]]:
    """Relative names of a scene's files: the truth's, and by aperture and plane those of ``defocused`` (and halves)."""
    kinds = {"defocused": "input"} | ({"left": "left", "right": "right"} if dual_pixel else {})
    names = [
        [
            {kind: f"{folder}/{scene}/{scene}_ap{a + 1}_{p:02d}.png" for kind, folder in kinds.items()}
            for p in range(planes)
        ]
        for a in range(apertures)
    ]
    return f"ground_truth/{scene}.png", names


def generate(
    light_fields: Iterable[LightField],
    out: str | Path,
    *,
    apertures: Sequence[Aperture] = DEFAULT_APERTURES,
    disparities: Sequence[float] | None = None,
    bits: int = 8,
    dual_pixel: bool = False,
    interpolation: str = "bilinear",
    backend: str = "auto",
    progress: Callable[[int], None] = lambda written: None,
) -> list[Path]:
    """Write ``input/SCENE/SCENE_apA_PP.png`` and ``ground_truth/SCENE.png`` below ``out``.

    A counts the apertures from 1, PP the focus planes from 00, as in LFDOF (Ruan et al., IEEE TCI 2021). Each file
    appears whole or not at all and replaces an older one of that name; other files are left alone.

    Args:
        light_fields: one per scene, with different ``scene`` names. Of an even number of rows or columns of views the
            first is left out, so that there is a centre view.
        out: made if missing.
        apertures: shapes and radii in view steps.
        disparities: planes in focus, pixels per view step; None: five evenly over the scene's range, which is estimated
            where the files do not tell it.
        bits: 8 or 16 per channel.
        dual_pixel: also write ``left/SCENE/...`` and ``right/SCENE/...`` with the names of ``input``.
        interpolation, backend: as ``lfdeblur_ops.refocus`` takes them.
        progress: called with the number of files written since the last call.

    Returns: the files written.

    Raises:
        LightFieldError: two scenes of one name, or no focus planes.
        OutputError: ``out`` cannot be written.
        ValueError: bad ``bits``, no aperture, or one that covers no view.
    """
    if bits not in (8, 16):
        raise ValueError(f"bits: got {bits}, want 8 or 16")
    if not apertures:
        raise ValueError("apertures: got none, want at least one")
    if disparities is not None and not len(disparities):
        raise ValueError("disparities: got none, want at least one focus plane")
    out = make_output_folder(out)
    written: list[Path] = []
    seen: set[str] = set()
    for light_field in light_fields:
        if light_field.scene in seen:
            raise LightFieldError(f"{light_field.scene}: two light fields have this name; their files would be mixed")
        seen.add(light_field.scene)
        light_field = light_field.with_center()
        planes = planes_of(light_field, disparities)
        weights = [aperture.weights(light_field.grid) for aperture in apertures]
        truth_name, names = output_names(light_field.scene, len(apertures), len(planes), dual_pixel=dual_pixel)
        for a, aperture in enumerate(weights):
            pairs = render_pairs(light_field, planes, [aperture], interpolation=interpolation, backend=backend)[0]
            for pair, files in zip(pairs, names[a], strict=True):
                for kind, name in files.items():
                    make_output_folder((out / name).parent)
                    write_image(out / name, getattr(pair, kind), bits=bits)
                    written.append(out / name)
                    progress(1)
        make_output_folder((out / truth_name).parent)
        write_image(out / truth_name, center_picture(light_field), bits=bits)
        written.append(out / truth_name)
        progress(1)
    return written
