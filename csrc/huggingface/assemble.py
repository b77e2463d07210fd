"""The ops in the layout that Hugging Face's kernel-builder compiles: ``python csrc/huggingface/assemble.py OUT``.

Nothing stands twice in the repository: the sources are those of ``csrc/`` and ``lfdeblur_ops/``. What differs there:

- the ops are registered under the name that the builder gives to this build, so that several can be loaded at once;
- the CPU kernels, which setup.py compiles once for each instruction set, are there once for each;
- what ``lfdeblur_ops._load`` reads off the extension, it reads off the builder's module and metadata.
"""

import re
import shutil
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
CSRC, PYTHON = HERE.parent, HERE.parent.parent / "lfdeblur_ops"
ISAS = ("baseline", "avx2", "avx512")
LEFT_OUT = ("module.cpp", "_C.pyi", "_build_info.py", "testing.py", "distributed.py", "py.typed")
NAMED = """#include "torch-ext/registration.h"
#define LFD_LIBRARY TORCH_EXTENSION_NAME
#if defined(CUDA_KERNEL)
#define LFD_CUDA
#endif
"""


def assemble(out: Path) -> None:
    """Write the folder ``out``, which must not be there yet."""
    out.mkdir(parents=True)
    for name in ("CARD.md", "flake.nix"):
        shutil.copy(HERE / name, out)
    shutil.copy(HERE.parent.parent / "LICENSE", out)
    _sources(out / "csrc")
    _modules(out / "torch-ext")
    (out / "build.toml").write_text(_listed((HERE / "build.toml").read_text(), out))


def _sources(to: Path) -> None:
    for source in sorted(CSRC.rglob("*.*")):
        name = source.relative_to(CSRC)
        if HERE in source.parents or source.is_dir() or source.name in LEFT_OUT:
            continue
        text = source.read_text()
        if source.parent == CSRC:
            _write(to / name, NAMED + text)
        elif source.parent == CSRC / "cpu" / "kernels" and source.suffix == ".cpp":
            for isa in ISAS:
                level = f"#define LFD_ISA {isa}\n#define LFD_{isa.upper()}\n{text}"
                if isa != "baseline":
                    level = f"#if defined(__x86_64__)\n{level}#endif\n"
                _write(to / name.parent / isa / source.name, level)
        else:
            _write(to / name, text)


def _modules(to: Path) -> None:
    for module in sorted(PYTHON.rglob("*.py")):
        if module.name not in LEFT_OUT:
            _write(to / "lfdeblur_ops" / module.relative_to(PYTHON), module.read_text())
    shutil.copytree(HERE / "torch-ext", to, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__"))


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def _listed(toml: str, root: Path) -> str:
    """build.toml with the files that its patterns stand for."""

    def files(pattern: re.Match[str]) -> str:
        found = sorted(str(path.relative_to(root)) for path in root.glob(pattern[1]))
        if not found:
            raise SystemExit(f"build.toml: no file is called {pattern[1]}")
        return "".join(f'\n  "{name}",' for name in found)

    return re.sub(r'"([^"\n]*\*[^"\n]*)",? ?', files, toml)


if __name__ == "__main__":
    if len(sys.argv) != 2 or Path(sys.argv[1]).exists():
        raise SystemExit("usage: python csrc/huggingface/assemble.py OUT, a folder that is not there yet")
    assemble(Path(sys.argv[1]))
