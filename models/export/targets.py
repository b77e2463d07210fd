"""``export``: a network as a file for others, and the table of what it can be."""

import os
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from ..inference.exported import check_package
from ..io.atomic import NAMELESS, atomic_folder, atomic_path, check_output_folder, make_output_folder
from ..io.errors import OutputError
from ..networks import DRBNet
from ..networks.state_dicts import check_tensors
from .card import Card, metadata
from .errors import ExportError
from .opset import OPSETS, check_opset
from .precision import PRECISIONS, check_half


@dataclass(frozen=True)
class Job:
    """What is to be exported, checked."""

    network: DRBNet
    precision: str
    opset: int
    card: Card

    @property
    def told(self) -> dict[str, str]:
        return metadata(self.network, self.card, self.precision)


@dataclass(frozen=True)
class Target:
    """A kind of output.

    Attributes:
        write: writes it to a path.
        suffix: of the file; empty: it is a folder.
        packages: that must be installed, and the extra that has each.
        one_picture: the program that takes it, where that has no dual view.
        beside: suffix of a second file that belongs to the first.
        files: of the folder.
    """

    write: Callable[[Job, Path], None]
    suffix: str = ""
    packages: tuple[tuple[str, str], ...] = ()
    one_picture: str = ""
    beside: str = ""
    files: Callable[[Card], Sequence[str]] = lambda card: ()


def _onnx(job: Job, path: Path) -> None:
    from .onnx_file import onnx_model, write_onnx

    write_onnx(onnx_model(job.network, job.precision, job.opset, job.told), path)


def _openvino(job: Job, path: Path) -> None:
    from .onnx_file import onnx_model
    from .openvino_ir import write_ir

    # In float32: the file's own compression stores weights in float16, and the runtime computes as it is told.
    write_ir(onnx_model(job.network, "fp32", job.opset, job.told), job.told, job.precision == "fp16", path)


def _dtmodel(job: Job, path: Path) -> None:
    from .darktable import write_dtmodel
    from .onnx_file import onnx_model

    write_dtmodel(onnx_model(job.network, job.precision, job.opset, job.told), job.network, job.card, path)


def _torch(job: Job, path: Path) -> None:
    from .programs import write_program

    write_program(job.network, job.precision, job.told, path)


def _aoti(job: Job, path: Path) -> None:
    from .programs import write_package

    write_package(job.network, job.precision, job.told, path)


def _spandrel(job: Job, folder: Path) -> None:
    from .spandrel_folder import write_spandrel

    write_spandrel(job.network, job.card, job.precision, folder)


def _hub(job: Job, folder: Path) -> None:
    from .hub_folder import write_hub

    write_hub(job.network, job.card, job.precision, folder)


def _spandrel_files(card: Card) -> Sequence[str]:
    from .spandrel_folder import names

    return names(card)


def _hub_files(card: Card) -> Sequence[str]:
    from .hub_folder import FILES

    return FILES


ONNX, OPENVINO = ("onnx", "onnx"), ("openvino", "openvino")
TARGETS = {
    "onnx": Target(_onnx, ".onnx", (ONNX,)),
    "openvino": Target(_openvino, ".xml", (ONNX, OPENVINO), beside=".bin"),
    "torch": Target(_torch, ".pt2"),
    "aoti": Target(_aoti, ".pt2"),
    "dtmodel": Target(_dtmodel, ".dtmodel", (ONNX,), one_picture="darktable"),
    "spandrel": Target(_spandrel, one_picture="spandrel", files=_spandrel_files),
    "hub": Target(_hub, files=_hub_files),
}


def export(
    network: DRBNet,
    to: str,
    out: str | Path,
    *,
    precision: str = "fp32",
    opset: int = 17,
    card: Card | None = None,
) -> Path:
    """Write a network in a form that other programs take.

    All of them take and give RGB pictures in [0, 1], sRGB-encoded, ``[N, 3, H, W]`` float32, of any size; a dual view's
    are ``input``, ``left`` and ``right``. What is there under the name is replaced, whole or not at all.

    Args:
        network: single or dual view (``dtmodel`` and ``spandrel``: single); it is not changed.
        to: ``onnx`` (a file of standard operators), ``openvino`` (``.xml`` and ``.bin``), ``torch`` (``.pt2`` of
            ``torch.export``), ``aoti`` (``.pt2`` of AOTInductor, for this processor), ``dtmodel`` (darktable),
            ``spandrel`` (folder: weights and one file of plain PyTorch) or ``hub`` (folder that
            ``DRBNet.from_pretrained`` loads).
        out: the file, with the suffix of the target, or the folder; its own folder is made if missing.
        precision: ``fp32``, or ``fp16``: of weights and features; pictures stay in float32.
        opset: of ONNX's operators, 17 to 21, where ``to`` is made from ONNX; others take no other than 17.
        card: what the file says of the weights; default: nothing but the network's shape.

    Returns: ``out``.

    Raises:
        ExportError: a bad argument, weights or features that overflow ``fp16``, or a network of two views for a program
            that has one picture.
        OutputError: ``out`` cannot be written, is a folder with anything else in it, or is an ``.xml`` that is missing
            beside a ``.bin`` of its name.
        ExportedFileError: a package is not installed; the message names the extra.
    """
    out, card = Path(out), card or Card()
    target = _checked(network, to, out, precision)
    check_opset(opset)
    if ONNX not in target.packages and opset != OPSETS[0]:
        raise ExportError(f"opset: got {opset}, but {to} is not made from ONNX")
    for package, extra in target.packages:
        check_package(package, extra, f"export to {to}")
    if precision == "fp16":
        check_half(network)
    job = Job(network, precision, opset, card)
    make_output_folder(out.parent)
    if not target.suffix:
        with atomic_folder(out, target.files(card)) as folder:
            target.write(job, folder)
        return out
    with atomic_path(out) as temporary, ExitStack() as second:
        if (
            target.beside
        ):  # its temporary name differs by the suffix alone; it takes its place a moment before the first
            second.enter_context(atomic_path(out.with_suffix(target.beside)))
        target.write(job, temporary)
    return out


def check_target(to: str, out: Path) -> Target:
    """The target of a name. Raises ExportError or OutputError: there is none, or ``out`` is not for it."""
    if to not in TARGETS:
        raise ExportError(f"to: got {to!r}, want {', '.join(TARGETS)}")
    target = TARGETS[to]
    if target.suffix and out.suffix != target.suffix:
        raise ExportError(f"out: got {out}, want a name that ends in {target.suffix} for {to}")
    suffixes = {other.suffix for other in TARGETS.values() if other.suffix} | {".safetensors", ".zip"}
    if not target.suffix and out.suffix in suffixes:
        raise ExportError(f"out: got {out}, want the name of a folder for {to}")
    beside = out.with_suffix(target.beside) if target.beside else None
    for file in (out if target.suffix else None, beside):
        if file is not None and os.path.isdir(file):  # unlike Path's, no name is an error
            raise OutputError(f"cannot write {file}: is a folder")
    if beside is not None and os.path.exists(beside) and not os.path.exists(out):
        raise OutputError(f"cannot write {beside}: it is there without {out.name}, and so of something else")
    check_output_folder(out.parent)
    if not target.suffix and out.name in NAMELESS:
        raise OutputError(f"cannot replace the folder {out}: want a folder by its name")
    return target


def _checked(network: DRBNet, to: str, out: Path, precision: str) -> Target:
    if not isinstance(network, DRBNet):
        raise ExportError(f"network: got {type(network).__name__}, want a DRBNet")
    target = check_target(to, out)
    try:
        check_tensors(network.state_dict())
    except ValueError as error:
        raise ExportError(f"network: {error}") from error
    if precision not in PRECISIONS:
        raise ExportError(f"precision: got {precision!r}, want {' or '.join(PRECISIONS)}")
    if target.one_picture and network.views != 1:
        raise ExportError(
            f"network: got dual-view weights, {target.one_picture} has one picture to give; want single-view weights"
        )
    return target
