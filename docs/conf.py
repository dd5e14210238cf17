"""How Sphinx makes the site:  sphinx-build -W docs build/site."""

import os
import re
from typing import Any

from sphinx.application import Sphinx

import anabranch

project = "Anabranch"
author = "the Anabranch developers"
release = version = anabranch.__version__

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx_copybutton",
    "sphinx_design",
    "sphinxcontrib.programoutput",
]
default_role = "code"  # `like this`, in docstrings
html_show_copyright = False

myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3

autodoc_member_order = "bysource"
autodoc_inherit_docstrings = False
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
autodoc_preserve_defaults = True
napoleon_use_ivar = True
python_use_unqualified_type_names = True
python_maximum_signature_line_length = 88

copybutton_exclude = ".linenos, .gp, .go"
os.environ["COLUMNS"] = "100"  # of the commands' help
os.environ["NO_COLOR"] = "1"

html_theme = "furo"
html_title = "Anabranch"
html_static_path = ["site"]
html_css_files = ["site.css"]
html_copy_source = False
html_show_sourcelink = False


def keep_underscores(*about: Any) -> None:
    """Let the names of what an estimator has learnt end as they do: `name_` is a reference in reStructuredText."""
    lines = about[-1]
    lines[:] = [re.sub(r"^:ivar (\w+)_:", r":ivar \1\\_:", line) for line in lines]


def setup(app: Sphinx) -> None:
    """Called by Sphinx."""
    app.connect("autodoc-process-docstring", keep_underscores, priority=600)  # after napoleon
