"""How the pages in this folder become the site in ``build/docs/html``: ``make docs``."""

import os
import sys
from pathlib import Path

import lfdeblur_ops

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE / "_ext"))

project = "lfdeblur"
author = "lfdeblur contributors"
copyright = "lfdeblur contributors, Apache-2.0"
version = release = lfdeblur_ops.__version__

extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx_copybutton",
    "sphinx_design",
    "api_pages",
    "commands",
    "docstrings",
    "drawings",
    "formulas",
    "pictures",
    "repository_links",
    "streams",
]
exclude_patterns = ["_ext", "figures", "examples"]

html_theme = "furo"
html_math_renderer = "mathml"
html_title = "lfdeblur"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_copy_source = False
html_show_sourcelink = False

# The pages are read on a repository's host too: their anchors are made as such hosts make them.
myst_heading_anchors = 4
myst_enable_extensions = [
    "attrs_block",
    "attrs_inline",
    "colon_fence",
    "deflist",
    "dollarmath",
    "html_image",
    "substitution",
]
myst_fence_as_directive = ["mermaid"]

# Tutorials are notebooks in MyST's Markdown. What ran is kept: a build runs only what has changed.
nb_execution_mode = "cache"
nb_execution_cache_path = str(HERE.parent / "build" / "docs" / "executed")
nb_execution_raise_on_error = True
nb_execution_show_tb = True
nb_execution_timeout = 120
nb_merge_streams = True
os.environ["TTY_COMPATIBLE"] = "0"  # else commands in notebooks draw moving bars, which a page cannot show
os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"  # of ``lfdeblur``, for the same
os.environ.setdefault("OMP_WAIT_POLICY", "passive")  # threads that spin would take the cores of a busy machine
os.environ["KINETO_LOG_LEVEL"] = "99"  # else torch's profiler, which ``compare`` asks for memory, tells of itself

copybutton_prompt_text = "$ "

autodoc_member_order = "bysource"
autodoc_typehints_format = "short"
autodoc_preserve_defaults = True
python_use_unqualified_type_names = True
python_maximum_signature_line_length = 80
napoleon_numpy_docstring = False
napoleon_use_ivar = True
napoleon_use_rtype = False
default_role = "code"
smartquotes = False  # options are written with two hyphens
