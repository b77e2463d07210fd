"""What the GPU kernels use of a multiprocessor, without a GPU: ``python -m benchmarks.gpu.kernel_facts --json FILE``.

Registers, stack, shared memory and 16-byte instructions are read from the machine code: for the CUDA kernels that of
the installed extension if it is newer than the sources, else compiled anew, for some minutes; the Triton kernels are
compiled where Triton is installed. The occupancy follows by arithmetic from these, the threads and the dynamic shared
memory of the launches.
"""

import argparse
import datetime
import importlib.util
import itertools
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
from importlib import metadata
from pathlib import Path
from typing import Any

import lfdeblur_ops

from .._machine import commit
from .machine_code import LIMITS, NoToolError, machine_code, read_facts

RESERVED_SHARED = 1024


def headline_launches(arch: str) -> list[dict[str, Any]]:
    """Kernel, threads per block and bytes of dynamic shared memory of the main cases, as the launchers choose."""

    def tile(width: int, rows: int) -> int:  # csrc/cuda/dynamic_filter_tile.h: three channels of floats, k = 7
        return 3 * (rows + 6) * (width + 8) * 4

    def row(case: str, kernel: str, shared: int) -> dict[str, Any]:
        return {"case": case, "arch": arch, "kernel": kernel, "threads": 128, "dynamic_shared": shared}

    photo = "dynamic_filter 3x720x1280 k=7"
    rows = []
    for dtype, size, height in (("float", 4, 8), ("bf16", 2, 16)):
        planar, last = f"{photo} {dtype}", f"{photo} channels_last {dtype}"
        rows += [
            row(planar, f"dynamic_filter_fwd_kernel<{dtype}, 7, {16 // size}>", tile(64, height)),
            row(last, f"dynamic_filter_fwd_channels_last_kernel<{dtype}>", 128 * 49 * size + tile(32, 4)),
            row(planar, f"dynamic_filter_grad_filters_kernel<{dtype}, 7, {16 // size}>", tile(64, height)),
            row(last, f"dynamic_filter_grad_filters_channels_last_kernel<{dtype}>", 128 * 49 * 4 + tile(32, 4)),
            row(planar, f"dynamic_filter_grad_x_wide_kernel<{dtype}, 7>", 0),
            row(last, f"dynamic_filter_grad_x_channels_last_kernel<{dtype}, 7>", 134 * (16 + 49 * size) + 16),
        ]
    views = "refocus 15x15x3x434x625"
    for dtype, pixels in (("float", 8), ("f16", 8), ("uint8_t", 16)):  # of a thread
        rows.append(row(f"{views} D=1 bilinear {dtype}", f"refocus_fwd_kernel<{dtype}, 2, false>", 128 * pixels * 4))
    for interpolation, taps in (("bilinear", 2), ("bicubic", 4)):
        group = 4 * 8 * (taps + 1)  # weights and offsets of eight planes
        tables = 15 * 4 * group + 30 * 32 * 8 + 30 * 32 + 8  # csrc/cuda/refocus_stack.cu: four groups of planes
        limit = min(LIMITS[arch]["shared"] // 2 - RESERVED_SHARED, LIMITS[arch]["shared_per_block"])
        shared = tables + (limit - tables) // (2 * 96 * 4) // 4 * 4 * 2 * 96 * 4
        for dtype in ("float", "f16", "uint8_t"):
            kernel = f"refocus_stack_kernel<{dtype}, {taps}>"
            rows.append(row(f"{views} D=64 {interpolation} {dtype}", kernel, shared))
    return rows


def occupancy(arch: str, registers: int, threads: int, shared: int) -> dict[str, Any]:
    """Blocks and warps that a multiprocessor holds at once, and what limits them."""
    limits = LIMITS[arch]
    warps = -(-threads // 32)
    per_warp = -(-registers * 32 // 256) * 256  # registers are handed out by 256
    per_block = -(-(shared + RESERVED_SHARED) // 128) * 128
    by = {
        "warps": limits["warps"] // warps,
        "blocks": limits["blocks"],
        "registers": limits["registers"] // per_warp // warps,
        "shared": limits["shared"] // per_block,
    }
    limited_by = min(by, key=lambda name: by[name])
    return {
        "blocks_per_multiprocessor": by[limited_by],
        "warps_per_multiprocessor": by[limited_by] * warps,
        "occupancy": by[limited_by] * warps / limits["warps"],
        "limited_by": limited_by,
    }


def collect(folder: Path) -> dict[str, Any]:
    """The whole content of the file that the command writes."""
    facts = read_facts(machine_code(folder))
    launches = []
    for arch in LIMITS:
        for launch in headline_launches(arch):
            registers = facts[arch, launch["kernel"]]["registers"]
            shared = launch["dynamic_shared"]
            launches.append(launch | occupancy(arch, registers, launch["threads"], shared))
    triton = importlib.util.find_spec("triton")
    kernels = [{"arch": arch, "kernel": kernel, **use} for (arch, kernel), use in sorted(facts.items())]
    return {
        "date": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
        "commit": commit(),
        "versions": {
            "python": platform.python_version(),
            "nvcc": _version_of("nvcc"),
            "triton": triton and metadata.version("triton"),
            "build": _build(),
        },
        "limits": LIMITS,
        "kernels": kernels,
        "launches": launches,
        "triton": triton_launches() if triton else [],
    }


def triton_launches() -> list[dict[str, Any]]:
    """Facts and occupancy of each Triton launch; float32 only for sm_90, to be done within minutes."""
    from .triton_launches import CASES, facts, launches

    rows = []
    for case, arch in itertools.product(CASES, LIMITS):
        for launch in launches(case) if case.startswith("half") or arch == "90" else ():
            used = facts(launch, arch)
            threads = 32 * launch.num_warps
            held = occupancy(arch, used["registers"], threads, used["shared"])
            rows.append(
                {"case": case, "arch": arch, "kernel": launch.kernel.__name__, "threads": threads, **used, **held}
            )
    return rows


def _build() -> dict[str, Any]:
    return {name: str(value) for name, value in lfdeblur_ops.build_info().items()}


def _version_of(tool: str) -> str | None:
    if shutil.which(tool) is None:
        return None
    match = re.search(r"release .*", subprocess.run([tool, "--version"], capture_output=True, text=True).stdout)
    return match[0] if match else None


def main() -> int:
    parser = argparse.ArgumentParser("python -m benchmarks.gpu.kernel_facts", description=__doc__)
    parser.add_argument("--json", type=Path, required=True, metavar="FILE")
    options = parser.parse_args()
    try:
        if not options.json.resolve().parent.is_dir():
            raise NoToolError(f"--json: {options.json.parent} is no folder")
        with tempfile.TemporaryDirectory() as folder:
            content = collect(Path(folder))
    except NoToolError as error:
        print(f"kernel_facts: {error}", file=sys.stderr)
        return 2
    partial = options.json.with_name(options.json.name + ".partial")
    partial.write_text(json.dumps(content, indent=1) + "\n")
    os.replace(partial, options.json)
    return 0


if __name__ == "__main__":
    sys.exit(main())
