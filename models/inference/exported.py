"""Networks in files that ``lfdeblur export`` wrote, run by the runtimes of others."""

import importlib
import json
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..io.errors import LfdeblurError
from ..networks import DRBNet
from ..networks.blocks import reflect_to_multiple
from ..networks.configuration import Configuration
from ..networks.weights import KEY

SECTION = "lfdeblur"  # of the metadata of files whose format has sections
EXTRA = "lfdeblur.json"  # of the extra files of a program of torch.export
SUFFIXES = {"onnx": ".onnx", "openvino": ".xml", "torch": ".pt2"}
PACKAGES = {"onnx": "onnxruntime", "openvino": "openvino"}
Run = Callable[[list[Tensor]], Tensor]
Opened = tuple[str, Run, bool]  # the configuration as JSON; the call; whether that takes pictures of any size


class ExportedFileError(LfdeblurError, ValueError):
    """An exported file that cannot be run; the message names it and says why."""


class ExportedNetwork:
    """A network in a file, with the call of ``DRBNet``; what ``open_exported`` returns.

    Attributes:
        configuration, views, multiple, receptive_radius: as those of ``DRBNet``.
        device: the CPU.
        dtype: of the pictures, float32.
    """

    def __init__(self, configuration: Configuration, run: Run, fails: str, tiny: bool = True) -> None:
        """``fails``: begins the error of a call; ``tiny``: ``run`` takes pictures of any size."""
        self.configuration, self._run, self._fails, self._tiny = configuration, run, fails, tiny
        with torch.device("meta"):
            shape = DRBNet(**asdict(configuration))
        self.views, self.multiple, self.receptive_radius = shape.views, shape.multiple, shape.receptive_radius
        self.device, self.dtype = torch.device("cpu"), torch.float32

    def __call__(self, center: Tensor, left: Tensor | None = None, right: Tensor | None = None) -> Tensor:
        """As ``DRBNet.forward``, on float32 pictures on the CPU; the file takes and gives [0, 1].

        Raises: ExportedFileError: the runtime fails, or the result is not of the picture's size.
        """
        pictures = [(picture + 1) / 2 for picture in (center, left, right) if picture is not None]
        height, width = center.shape[2:]
        if not self._tiny and min(height, width) <= self.multiple:
            pictures = [reflect_to_multiple(picture, 2 * self.multiple) for picture in pictures]
        try:
            restored = self._run(pictures)
        except MemoryError:
            raise
        except Exception as error:  # each runtime has errors of its own
            raise ExportedFileError(f"{self._fails} a picture of {height}x{width} pixels ({_reason(error)})") from error
        if restored.shape != pictures[0].shape:
            shapes = f"{list(restored.shape)}, want {list(pictures[0].shape)}"
            raise ExportedFileError(f"{self._fails} a picture of {height}x{width} pixels (the result is {shapes})")
        return restored[..., :height, :width] * 2 - 1


def open_exported(path: str | Path, runtime: str, dtype: torch.dtype = torch.float32) -> ExportedNetwork:
    """Load a file that ``lfdeblur export`` wrote.

    Args:
        path: ``.onnx``, ``.xml`` of OpenVINO with its ``.bin`` beside it, or ``.pt2`` of torch.export or AOTInductor.
        runtime: ``onnx`` (ONNX Runtime), ``openvino`` or ``torch``.
        dtype: that OpenVINO computes in, float32 or bfloat16; others compute as the file says.

    Returns: the network, with the call of ``DRBNet``, on the CPU with as many threads as PyTorch has.

    Raises:
        ExportedFileError: the runtime is not installed, the file is missing, damaged, of another runtime or not written
            by ``lfdeblur export``, it fails on a small picture, or the runtime cannot compute in ``dtype``.
    """
    path = Path(path)
    if runtime not in SUFFIXES:
        raise ExportedFileError(f"runtime: got {runtime!r}, want {', '.join(SUFFIXES)}")
    if path.suffix != SUFFIXES[runtime]:
        raise ExportedFileError(
            f"{path}: got {path.suffix or 'no suffix'}, the runtime {runtime} takes {SUFFIXES[runtime]}"
        )
    if not path.is_file():
        raise ExportedFileError(f"{path}: no such file")
    fitting = (torch.float32, torch.bfloat16) if runtime == "openvino" else (torch.float32,)
    if dtype not in fitting:
        wanted = " or ".join(str(one)[6:] for one in fitting)
        raise ExportedFileError(f"dtype: got {str(dtype)[6:]}, the runtime {runtime} takes {wanted}")
    if runtime in PACKAGES:
        check_package(PACKAGES[runtime], runtime, f"the runtime {runtime}")
    opener = {"onnx": _onnx, "openvino": _openvino, "torch": _torch}[runtime]
    try:
        told, run, tiny = opener(path, dtype)
    except Exception as error:  # each runtime has errors of its own
        raise ExportedFileError(f"{path}: cannot be read by the runtime {runtime} ({_reason(error)})") from error
    try:
        configuration = Configuration(**json.loads(told))
    except (TypeError, ValueError) as error:
        raise ExportedFileError(f"{path}: not written by lfdeblur export: it does not tell its network") from error
    network = ExportedNetwork(configuration, run, f"{path}: the runtime {runtime} fails on", tiny)
    # What a file tells of itself may not be so: before the first picture of a batch it is known.
    network(*[torch.zeros(1, 3, 2 * network.multiple, 2 * network.multiple)] * configuration.pictures)
    return network


def check_package(package: str, extra: str, who: str) -> None:
    """Raise ExportedFileError where a package of an extra is not installed."""
    try:
        importlib.import_module(package)
    except ImportError as error:
        raise ExportedFileError(f"{who} needs {package}: pip install 'lfdeblur[{extra}]'") from error


def _reason(error: Exception) -> str:
    """The first line of an error that says something: OpenVINO's begin with places in its sources."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    telling = [line for line in lines if not line.startswith(("Exception from ", "Check '"))]
    return (telling or lines or [type(error).__name__])[0][:300]


def _onnx(path: Path, dtype: torch.dtype) -> Opened:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    options.enable_cpu_mem_arena = False  # it would hold what the largest tile took, and memory could not be measured
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    names = [one.name for one in session.get_inputs()]
    told = session.get_modelmeta().custom_metadata_map.get(KEY, "")

    def run(pictures: list[Tensor]) -> Tensor:
        if len(names) != len(pictures):
            raise ValueError(f"it takes {len(names)}, its metadata tell {len(pictures)}")
        return _tensor(session.run(None, dict(zip(names, _arrays(pictures), strict=True)))[0])

    return told, run, True


def _openvino(path: Path, dtype: torch.dtype) -> Opened:
    import openvino

    weights = path.with_suffix(".bin")
    if not weights.is_file():
        raise FileNotFoundError(f"its weights, {weights.name}, are not beside it")
    core = openvino.Core()
    model = core.read_model(path)
    told = model.get_rt_info([SECTION, KEY]).astype(str) if model.has_rt_info([SECTION, KEY]) else ""
    hints = {
        "INFERENCE_PRECISION_HINT": "bf16" if dtype == torch.bfloat16 else "f32",
        "INFERENCE_NUM_THREADS": torch.get_num_threads(),
    }
    request = core.compile_model(model, "CPU", hints).create_infer_request()

    def run(pictures: list[Tensor]) -> Tensor:
        request.infer(_arrays(pictures))
        return _tensor(request.get_output_tensor(0).data).clone()  # the runtime writes the next result over it

    return told, run, True


def _torch(path: Path, dtype: torch.dtype) -> Opened:
    import lfdeblur_ops  # noqa: F401 (its operators are in the file)

    with zipfile.ZipFile(path) as archive:
        names = archive.namelist()
    if not any(name.endswith("/archive_format") for name in names):  # PyTorch says so in a page of warnings
        raise ValueError("a zip, but none of torch.export")
    if any("/aotinductor/" in name for name in names):
        from torch._inductor import aoti_load_package

        package: Any = aoti_load_package(str(path))
        told = json.loads(package.get_metadata().get(SECTION, "{}"))
        return told.get(KEY, ""), lambda pictures: package(*pictures), True
    extra = {EXTRA: ""}
    module = torch.export.load(path, extra_files=extra).module()
    # Its guards refuse sides of no more than what the network pools.
    return json.loads(extra[EXTRA] or "{}").get(KEY, ""), lambda pictures: module(*pictures), False


def _arrays(pictures: Sequence[Tensor]) -> list[np.ndarray]:
    return [np.ascontiguousarray(picture.numpy()) for picture in pictures]


def _tensor(array: np.ndarray) -> Tensor:
    return torch.from_numpy(array)
