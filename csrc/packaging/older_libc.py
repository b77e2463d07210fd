"""Linker flags for libraries that run on glibc 2.28 and the C++ library of GCC 8, as torch's own wheels do.

The kernels are compiled as always, by the same compiler, to the same code; only the linking differs: against stubs of
glibc 2.28, which say what that release had in which of its libraries, and with older_runtime.c in place of the three
functions and one variable that the newer compiler's headers call. `zig cc` makes the stubs: it knows every glibc.
"""

import os
import shlex
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
LOADER = {"x86_64": "ld-linux-x86-64.so.2", "aarch64": "ld-linux-aarch64.so.1"}


def link_flags(folder: Path, machine: str, compiler: str = "cc") -> str:
    """What LDFLAGS is to be, as setup.py reads it; stubs and object are made in ``folder``, once."""
    folder.mkdir(parents=True, exist_ok=True)
    stubs, runtime = folder / "stubs", folder / "older_runtime.o"
    if not stubs.is_dir():
        make_stubs(folder, machine).rename(stubs)
    source = str(HERE / "older_runtime.c")
    subprocess.run([compiler, "-O2", "-fPIC", "-fexceptions", "-c", source, "-o", str(runtime)], check=True)
    # An object, not an archive: it comes before a libtorch that has such functions of its own.
    return shlex.join([str(runtime), f"-L{stubs}", str(stubs / LOADER[machine])])


def make_stubs(folder: Path, machine: str) -> Path:
    empty, cache, made = folder / "empty.c", folder / "zig", folder / "made"
    empty.write_text("int lfdeblur_empty;\n")
    target = f"{machine}-linux-gnu.2.28"
    command = [
        sys.executable,
        "-m",
        "ziglang",
        "cc",
        "-target",
        target,
        "-shared",
        str(empty),
        "-o",
        str(folder / "empty.so"),
    ]
    caches = {"ZIG_GLOBAL_CACHE_DIR": str(cache), "ZIG_LOCAL_CACHE_DIR": str(cache)}
    subprocess.run(command, env=os.environ | caches, check=True)
    made.mkdir(exist_ok=True)
    (found,) = {path.parent for path in cache.glob("o/*/libc.so.6")}
    for library in found.glob("lib*.so.*"):
        name = LOADER[machine] if library.name.startswith("libld.") else library.name
        (made / name).write_bytes(library.read_bytes())
        (made / name.split(".so")[0]).with_suffix(".so").write_bytes(library.read_bytes())  # what -l looks for
    return made
