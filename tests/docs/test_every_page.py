"""Every page: its blocks run, and its links lead somewhere.

Where a file of tests names a PAGE or a FOLDER and runs it, its blocks run there.
"""

import re
from pathlib import Path

import pytest
from markdown_pages import ROOT, Block, anchors, blocks, links, pages, read
from running import run_page

FILES = [path.read_text() for path in Path(__file__).parent.glob("test_*.py")]


def run_elsewhere(name: str, by: str) -> list[str]:
    """What files of tests that run it name as their PAGE or FOLDER."""
    found = [re.search(rf'^{name} = "(.*)"$', text, re.MULTILINE) for text in FILES if by in text]
    return [each[1] for each in found if each]


OWN, FOLDERS = run_elsewhere("PAGE", by="ran: Ran"), run_elsewhere("FOLDER", by="run_page(")
OTHERS = [page for page in pages() if page not in OWN and not page.startswith(tuple(FOLDERS))]


def test_there_are_pages() -> None:
    assert {"README.md", "CONTRIBUTING.md", "benchmarks/README.md", "docs/python.md"} <= set(pages())
    assert set(pages()) >= {*OWN}


@pytest.mark.parametrize("page", OTHERS)
def test_its_blocks_run(page: str, tmp_path: Path) -> None:
    done = run_page(page, tmp_path / "stage").done
    assert len(done) >= len([block for block in blocks(page) if block.language in ("python", "{command-output}")])


@pytest.mark.parametrize("page", pages())
def test_its_blocks_have_languages(page: str) -> None:
    assert [block.place for block in blocks(page) if not block.language] == []
    assert not re.search(r"^:+\{code", read(page), re.MULTILINE), "colons fence no code: write ```"


@pytest.mark.parametrize("page", pages())
def test_its_links_lead_somewhere(page: str) -> None:
    targets = [(link.line, link.target) for link in links(page)]
    assert [f"{page}:{line}: {target}" for line, target in targets if not leads(page, target)] == []


@pytest.mark.parametrize("page", pages())
def test_its_directives_find_what_they_name(page: str) -> None:
    named = [(block, target) for block in blocks(page) for target in files(block)]
    folder = (ROOT / page).parent
    assert [f"{block.place}: {target}" for block, target in named if not (folder / target).exists()] == []


def leads(page: str, target: str) -> bool:
    if re.match(r"(https?|mailto):", target):
        return True
    path, _, anchor = target.partition("#")
    found = ((ROOT / page).parent / path).resolve() if path else ROOT / page
    if not found.exists():
        return False
    return not anchor or anchor in anchors(str(found.relative_to(ROOT)))


def files(block: Block) -> list[str]:
    """What a directive takes in, or leads to."""
    if block.language == "{toctree}":
        lines = [line for line in block.text.splitlines() if line and not line.startswith(":")]
        return [re.sub(r"^.*<(.*)>$", r"\1", line) + ".md" for line in lines]  # a title may stand before it
    return [block.argument] if block.language in ("{include}", "{literalinclude}") else []
