"""`make check-dist`: what an index would refuse, and checksums of all in dist/."""

import hashlib
import subprocess
import sys
from pathlib import Path


def main() -> None:
    out = Path(sys.argv[1])
    files = sorted(path for path in out.iterdir() if path.name != "SHA256SUMS")
    wheels = [path for path in files if path.suffix == ".whl"]
    for command in (["twine", "check", "--strict", *files], ["check_wheel_contents", *wheels]):
        subprocess.run([sys.executable, "-m", *command], check=True)
    for wheel in wheels:
        subprocess.run([sys.executable, "-m", "auditwheel", "show", wheel], check=True)
    lines = [f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n" for path in files]
    (out / "SHA256SUMS").write_text("".join(lines))


if __name__ == "__main__":
    main()
