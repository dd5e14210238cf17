"""A page as one file of HTML: plotly.js, styles, data and images are in it; nothing is fetched from anywhere."""

import base64
import json
from functools import cache
from importlib import resources
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from anabranch import __version__
from anabranch.report.look import THEMES
from anabranch.report.page import Chart, Page, Picture, Table, Tags

KINDS: dict[type, str] = {Chart: "chart", Picture: "picture", Tags: "tags", Table: "table"}


def rendered(page: Page) -> str:
    """The page as HTML. Equal pages give equal text."""
    charts = [part for section in page.sections for part in section.parts if isinstance(part, Chart)]
    own = resources.files("anabranch.report")
    return (
        _environment()
        .get_template("page.html.j2")
        .render(
            page=page,
            data=script_json({"themes": THEMES, "charts": [{"id": c.name, "figure": c.figure} for c in charts]}),
            library=plotly_js() if charts else "",
            style=(own / "page.css").read_text(encoding="utf-8"),
            script=(own / "page.js").read_text(encoding="utf-8"),
            version=__version__,
        )
    )


@cache
def plotly_js() -> str:
    """The JavaScript library that comes with the Python package.

    `plotly.offline.get_plotlyjs` gives the same, after importing ten times as much as a page needs.
    """
    return (resources.files("plotly") / "package_data" / "plotly.min.js").read_text(encoding="utf-8")


def script_json(content: Any) -> str:
    """JSON that cannot end the script element in which it stands."""
    text = json.dumps(content, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")


def data_uri(png: bytes) -> str:
    """An image as an address that holds all of it."""
    return f"data:image/png;base64,{base64.b64encode(png).decode()}"


@cache
def _environment() -> Environment:
    found = Environment(
        loader=PackageLoader("anabranch.report", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    found.filters["data_uri"] = data_uri
    found.filters["kind"] = lambda part: KINDS[type(part)]
    return found
