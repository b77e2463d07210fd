"""The ops in the layout that Hugging Face's kernel-builder compiles: ``python csrc/huggingface/assemble.py OUT``.

Nothing stands twice in the repository: the sources are those of ``csrc/`` and ``lfdeblur_ops/``. What differs there:

- the ops are registered and called under the name that the builder gives to this build, so that several can be loaded;
- the CPU kernels, which setup.py compiles once for each instruction set, are there once for each;
- what ``lfdeblur_ops._load`` reads off the extension, it reads off the builder's module and metadata.
"""

import re
import shutil
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
CSRC, ROOT = HERE.parent, HERE.parent.parent
ISAS = ("baseline", "avx2", "avx512")
PACKAGE = "lfdeblur_ops"
LEFT_OUT = ("module.cpp", "_build_info.py", "distributed.py", "testing.py", "_comparison.py", "_costs.py")
CUDA = "#if defined(CUDA_KERNEL)\n#define LFD_CUDA\n#endif\n"
REGISTRATION = '#include "torch-ext/registration.h"\n'


def assemble(out: Path) -> None:
    """Write the folder ``out``, which must not be there yet."""
    out.mkdir(parents=True)
    for file in (HERE / "CARD.md", HERE / "flake.nix", ROOT / "LICENSE"):
        shutil.copy(file, out)
    for source in sorted(CSRC.rglob("*.*")):
        if source.suffix in (".cpp", ".cu", ".h") and source.name not in LEFT_OUT and HERE not in source.parents:
            _write_source(source, out / "csrc" / source.relative_to(CSRC))
    for module in sorted((ROOT / PACKAGE).rglob("*.py")):
        if module.name not in LEFT_OUT:
            _write(out / "torch-ext" / module.relative_to(ROOT), _module(module))
    shutil.copytree(HERE / "torch-ext", out / "torch-ext", dirs_exist_ok=True)
    (out / "build.toml").write_text(_listed((HERE / "build.toml").read_text(), out))


def _write_source(source: Path, target: Path) -> None:
    text = source.read_text()
    if source.parent == CSRC and source.suffix == ".cpp":
        text = re.sub(r"(STABLE_TORCH_LIBRARY\w*\()lfdeblur,", r"\1TORCH_EXTENSION_NAME,", text)
        text = text.replace('"lfdeblur::', 'STRINGIFY(TORCH_EXTENSION_NAME) "::')
        _write(target, REGISTRATION + CUDA + text)
    elif source.parent == CSRC / "cpu" / "kernels" and source.suffix == ".cpp":
        for isa in ISAS:
            level = f"#define LFD_ISA {isa}\n#define LFD_{isa.upper()}\n{text}"
            if isa != "baseline":
                level = f"#if defined(__x86_64__)\n{level}#endif\n"
            _write(target.parent / isa / target.name, level)
    else:
        _write(target, text)


def _module(module: Path) -> str:
    """A module that finds the operators by the builder's ``_ops``."""
    text = module.read_text()
    named = re.sub(r'(f?)"lfdeblur::', r'_ops.add_op_namespace_prefix("") + \1"', text)
    named = named.replace("torch.ops.lfdeblur", "_ops.ops")
    if module == ROOT / PACKAGE / "__init__.py":
        named = re.sub(r".*build_info.*\n", "", named)
    if "_ops." not in named:
        return named
    dots = "." * len(module.relative_to(ROOT / PACKAGE).parts)
    return re.sub(r"^(?=(import|from) )", f"from {dots} import _ops\n", named, count=1, flags=re.MULTILINE)


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
