"""What tests share stands in modules of its own: no test module imports another, which would run with it."""

import re
from pathlib import Path


def test_no_test_module_is_imported():
    files = Path(__file__).parent.rglob("*.py")
    wanted = re.compile(r"^\s*(?:from|import)\s+(?:[.\w]*\btest_\w+|\.+\s+import\s+.*\btest_\w+)", re.MULTILINE)
    assert {str(file): found for file in files if (found := wanted.findall(file.read_text()))} == {}
    for line in (
        "from .test_x import y",
        "from tests.ops.test_x import y",
        "import tests.test_x",
        "from . import test_x",
    ):
        assert wanted.match(line)
