"""The Triton launches that the network makes on a picture, in their order; with a GPU or without."""

import importlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest import mock

import torch
from torch.utils._python_dispatch import TorchDispatchMode

from lfdeblur_models import DRBNet, optimize
from lfdeblur_ops.triton._launch import Launch

SIZE = (720, 1280)
CHOOSING = ("_winograd", "conv_transpose4x4", "drb_head")  # modules of lfdeblur_ops that ask what runs a layer


@contextmanager
def instead_of_running(action: Callable[[Launch], None]) -> Iterator[None]:
    """Do this with each launch."""
    run = Launch.run
    Launch.run = lambda launch: action(launch)  # type: ignore[method-assign,assignment]
    try:
        yield
    finally:
        Launch.run = run  # type: ignore[method-assign]


def network(dtype: torch.dtype = torch.bfloat16, device: str = "cuda") -> Any:
    """The paper's network as ``optimize`` runs it, without graphs: ``network()(picture)``."""
    torch.manual_seed(0)
    return optimize(DRBNet().to(device).eval(), dtype).engine.net  # type: ignore[union-attr]


def picture(height: int, width: int, device: str = "cuda") -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.rand((1, 3, height, width), generator=generator).mul_(2).sub_(1).to(device)


class _ToTriton(TorchDispatchMode):
    """Calls of our ops go to their Triton launchers, whatever the device."""

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        namespace, _, name = function._schema.name.partition("::")
        if namespace != "lfdeblur":
            return function(*args, **(kwargs or {}))
        return getattr(importlib.import_module(f"lfdeblur_ops.triton.{name}"), name)(*args)


def of_network(dtype: torch.dtype = torch.bfloat16, size: tuple[int, int] = SIZE) -> list[Launch]:
    """The launches of one call on a picture; on tensors without data, so none is run."""
    found: list[Launch] = []
    with ExitStack() as stack:
        for name in CHOOSING:
            module = importlib.import_module(f"lfdeblur_ops.{name}")
            stack.enter_context(mock.patch.object(module, "select", return_value="triton"))
        stack.enter_context(instead_of_running(found.append))
        stack.enter_context(torch.no_grad())
        stack.enter_context(_ToTriton())
        network(dtype, "meta")(torch.empty((1, 3, *size), device="meta"))
    return found


def of_running_network(dtype: torch.dtype, size: tuple[int, int]) -> list[Launch]:
    """The launches of one call on the GPU, run, so that their tensors hold what they hold in the network."""
    found: list[Launch] = []
    run = Launch.run

    def note(launch: Launch) -> None:
        run(launch)
        found.append(launch)

    with torch.no_grad(), instead_of_running(note):
        network(dtype)(picture(*size))
    return found


def variant_of(launch: Launch) -> tuple[Any, ...]:
    """Equal for launches that share their machine code."""

    def special(value: Any) -> Any:
        if isinstance(value, torch.Tensor):
            return str(value.dtype), value.data_ptr() % 16 == 0
        return (value == 1, value % 16 == 0, value >= 2**31) if type(value) is int else type(value).__name__

    constants = {p.name for p in launch.kernel.params if p.is_constexpr}
    arguments = (value if name in constants else special(value) for name, value in launch.arguments.items())
    return launch.kernel.__name__, *arguments, launch.num_warps, launch.num_stages


def label(launch: Launch) -> str:
    """What it computes, in words: ``conv3x3 64+64>128 720x1280``."""
    a, name = launch.arguments, launch.kernel.__name__.removesuffix("_kernel").removesuffix("_fwd")
    size = f"{a.get('out_height', a.get('height'))}x{a.get('out_width', a.get('width'))}"
    if name == "conv3x3":
        second = f"+{a['CHANNELS2']}" if a["CHANNELS2"] else ""
        stride = f" stride {a['STRIDE']}" if a["STRIDE"] > 1 else ""
        return f"{name} {a['CHANNELS']}{second}>{a['OUTPUTS']}{stride} {size}"
    if name == "conv_transpose4x4":
        return f"{name} {a['CHANNELS']}>{a['OUTPUTS']} from {size}"
    channels = f" {a['CHANNELS']}" if "CHANNELS" in a else ""
    return f"{name}{channels} {size}"
