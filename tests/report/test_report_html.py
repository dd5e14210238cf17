"""The file: whole in itself, the same for the same records, safe with any text, and fit to be read aloud."""

import itertools
import json
import re
import subprocess
import sys
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import pytest
from plotly.offline import get_plotlyjs
from report_helpers import EVIL, write_reproduction, write_run, write_sweep

from anabranch.report.draw import page_of
from anabranch.report.html import plotly_js, rendered, script_json
from anabranch.report.page import Page, Section, Table, Tile

VOID = {"meta", "link", "img", "br"}
KINDS: dict[str, Callable[[Path], Path]] = {
    "run": write_run,
    "simulation": write_sweep,
    "reproduction": write_reproduction,
}


class Outline(HTMLParser):
    """The elements of a page in order, as (tag, attributes); refuses what is not closed in order."""

    def __init__(self) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.open: list[str] = []
        self.text: dict[str, list[str]] = {}

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open:
            self.text.setdefault(self.open[-1], []).append(data)

    def all(self, tag: str) -> list[dict[str, str]]:
        return [attributes for name, attributes in self.elements if name == tag]


def outline(html: str) -> Outline:
    found = Outline()
    found.feed(html)
    assert found.open == []
    return found


@pytest.fixture(scope="module", params=KINDS)
def page(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Page:
    return page_of(KINDS[request.param](tmp_path_factory.mktemp(request.param) / "x"))


def test_the_same_records_give_the_same_bytes(page: Page, tmp_path: Path) -> None:
    assert rendered(page) == rendered(page)
    one, other = (rendered(page_of(write_run(tmp_path / name / "run", data="d"))) for name in "ab")
    assert one.replace(str(tmp_path / "a"), "") == other.replace(str(tmp_path / "b"), "")


def test_nothing_comes_from_outside(page: Page) -> None:
    found = outline(rendered(page))
    sources = [a[key] for _, a in found.elements for key in ("src", "href", "action", "data") if key in a]
    assert all(source.startswith(("data:", "#")) for source in sources)
    assert "default-src 'none'" in next(a["content"] for a in found.all("meta") if "http-equiv" in a)
    assert not any("src" in a for a in found.all("script"))
    assert "@import" not in "".join(found.text["style"])


def test_it_can_be_read_aloud(page: Page) -> None:
    found = outline(rendered(page))
    assert found.all("html")[0]["lang"] == "en"
    assert len(found.all("h1")) == len(found.all("main")) == len(found.all("nav")) == 1
    assert all(a["alt"] for a in found.all("img"))
    assert {a["scope"] for a in found.all("th")} == {"col", "row"}
    assert len(found.all("caption")) == len(found.all("table"))
    tags = [tag for tag, _ in found.elements]
    charts = [n for n, (_, a) in enumerate(found.elements) if a.get("class") == "chart"]
    assert charts
    for n in charts:
        assert found.elements[n][1]["aria-label"].startswith("Chart: ")
        assert tags[n + 1 : n + 3] == ["details", "summary"]
        assert "table" in tags[n + 3 : n + 7]
    levels = [int(tag[1]) for tag in tags if re.fullmatch("h[1-6]", tag)]
    assert all(after - before <= 1 for before, after in itertools.pairwise(levels))


def test_names_are_used_once_and_links_lead_somewhere(page: Page) -> None:
    found = outline(rendered(page))
    names = [a["id"] for _, a in found.elements if "id" in a]
    assert len(set(names)) == len(names)
    assert {a["href"][1:] for a in found.all("a")} <= set(names)


def test_any_text_is_text(tmp_path: Path) -> None:
    html = rendered(page_of(write_run(tmp_path / "run", data=EVIL)))
    assert EVIL not in html
    assert "&lt;script&gt;alert(1)" in html
    tile, table = Tile(EVIL, EVIL, EVIL), Table(EVIL, (EVIL,), ((EVIL,),))
    html = rendered(Page(EVIL, EVIL, EVIL, EVIL, (tile,), (Section("s", EVIL, (EVIL,), (table,)),)))
    assert EVIL not in html
    assert len(outline(html).all("script")) == 2  # the data and our own: without charts there is no library
    assert html.count("plotly") < 20


def test_data_cannot_end_their_element() -> None:
    text = script_json({"a": "</script><!--\u2028", "n": [1.5, None]})
    assert "<" not in text
    assert json.loads(text) == {"a": "</script><!--\u2028", "n": [1.5, None]}
    with pytest.raises(ValueError, match="JSON"):
        script_json(float("nan"))


def test_the_library_is_plotly_s_own_and_stays_in_its_element() -> None:
    assert plotly_js() == get_plotlyjs()
    assert "</script" not in plotly_js()


def test_pages_are_made_without_torch() -> None:
    code = "import sys, anabranch.cli.report; sys.exit('torch' in sys.modules or 'plotly.graph_objects' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
