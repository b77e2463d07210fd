"""Compile what the network launches, in as many processes as there are cores: ``python -m benchmarks.gpu.warm``.

Triton keeps the results on disk, where every later process finds them.
"""

import argparse
import multiprocessing
import os
import sys
import time

import torch

from .launches import of_network, variant_of
from .variants import all_variants


def compile_share(index: int, count: int, variants: bool) -> int:
    launches = of_network(torch.bfloat16) + (all_variants() if variants else [])
    distinct = {variant_of(launch): launch for launch in launches}
    mine = [launch for place, launch in enumerate(distinct.values()) if place % count == index]
    for launch in mine:
        try:
            launch.kernel.warmup(**launch.arguments, **launch.options(), grid=launch.grid)
        except Exception as error:  # a variant that does not fit; the others are worth having
            print(f"{launch.kernel.__name__}: {type(error).__name__}: {str(error)[:200]}", flush=True)
    return len(mine)


def main() -> int:
    parser = argparse.ArgumentParser("python -m benchmarks.gpu.warm", description=__doc__)
    parser.add_argument("--processes", type=int, default=min(12, os.cpu_count() or 1))
    parser.add_argument(
        "--for", dest="visit", choices=("first", "second"), default="second", help="first: variants too"
    )
    options = parser.parse_args()
    count = options.processes
    start = time.perf_counter()
    with multiprocessing.get_context("spawn").Pool(count) as pool:
        work = [(index, count, options.visit == "first") for index in range(count)]
        compiled = sum(pool.starmap(compile_share, work, chunksize=1))
    print(f"{compiled} kernels by {count} processes in {time.perf_counter() - start:.0f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
