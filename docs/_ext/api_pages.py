"""Names on the pages of ``docs/reference``, a line each below their module, become what their docstrings say.

```{api} lfdeblur_models.data
read_light_field
LightField
FORMATS: What a name is that has no docstring, a constant.
```
"""

import importlib
import inspect
import re
from collections.abc import Iterator

from sphinx.application import Sphinx

_BLOCK = re.compile(r"^```\{api\} (?P<module>[\w.]+)\n(?P<names>.*?)^```$", re.DOTALL | re.MULTILINE)


def names(text: str) -> Iterator[tuple[str, str]]:
    """Module and name of all that a page documents."""
    for block in _BLOCK.finditer(text):
        for line in block["names"].splitlines():
            yield block["module"], line.partition(":")[0]


def directive(module: str, line: str) -> str:
    name, _, told = line.partition(": ")
    if told:
        return f".. py:data:: {module}.{name}\n\n   {told}\n"
    value = getattr(importlib.import_module(module), name)
    full = f"{module}.{name}"
    if inspect.isclass(value):
        if issubclass(value, Exception):
            return f".. autoexception:: {full}\n   :show-inheritance:\n"
        return f".. autoclass:: {full}\n   :members:\n"
    return f".. autofunction:: {full}\n"


def expanded(app: Sphinx, page: str, source: list[str]) -> None:
    def block(match: re.Match[str]) -> str:
        body = "\n".join(directive(match["module"], name) for name in match["names"].splitlines())
        return f"```{{eval-rst}}\n{body}```"

    source[0] = _BLOCK.sub(block, source[0])


def setup(app: Sphinx) -> dict[str, bool]:
    app.connect("source-read", expanded)
    return {"parallel_read_safe": True}
