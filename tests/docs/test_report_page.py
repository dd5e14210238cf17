"""docs/report.md: its pages are made, and its numbers are the code's."""

from markdown_pages import read
from running import Ran

from anabranch.gallery import GIBBS_STEPS, SHOWN
from anabranch.judgement import MOST_CLASSES, MOST_MISTAKES
from anabranch.report.html import plotly_js
from anabranch.report.layers import MOST_FIELDS
from anabranch.report.wanted import PAGES

PAGE = "docs/report.md"


def test_its_pages_are_made(ran: Ran) -> None:
    assert len(ran.of_commands("anabranch", "report")) == 3
    for name in ("runs/first/report.html", "report.html", "page.html"):
        assert (ran.folder / name).exists()
    (pageless,) = [each for each in ran.of_commands("anabranch", "train") if "--out" not in each.command]
    assert "report.html" not in pageless.said


def test_its_numbers_are_the_code_s() -> None:
    page = read(PAGE)
    assert f"up to {MOST_CLASSES} classes" in page
    assert f"the {MOST_MISTAKES} test examples" in page
    assert f"the first {SHOWN} test examples" in page
    assert f"what {GIBBS_STEPS} steps of Gibbs sampling" in page
    assert f"up to {MOST_FIELDS} units" in page
    assert f"`{PAGES}=none`" in page
    assert 4.7e6 < len(plotly_js().encode()) < 4.9e6  # "4.9 MB, nearly all of it plotly.js"
