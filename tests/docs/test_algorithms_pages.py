"""docs/algorithms: every strategy has a page and its rows, and what pages quote and name exists."""

import ast
import re
from pathlib import Path

import pytest
from markdown_pages import ROOT, blocks, pages, texts
from markdown_pages import read as read_page
from running import run_page

import anabranch
from anabranch.optim import DEFAULT_RULE
from anabranch.strategies import CATALOGUE, DiLoCo, Elastic, ElasticSync, PostLocal, SampledAveraging

FOLDER = "docs/algorithms"
README, INDEX = read_page("README.md"), read_page(f"{FOLDER}/index.md")
PAGES = sorted(Path(page).stem for page in pages() if page.startswith(FOLDER) and not page.endswith("index.md"))


def read(page: str) -> str:
    return read_page(f"{FOLDER}/{page}.md")


def rows(page: str) -> dict[str, list[str]]:
    """The cells of every row of a table whose first cell names strategies, by each of the names."""
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in page.splitlines() if line[:1] == "|"]
    return {name: row for row in cells for name in re.findall(r"`([a-z-]+)`", row[0]) if name in CATALOGUE}


def page_of(name: str) -> str:
    """The page that the index's row of `name` leads to."""
    (target,) = re.findall(r"\]\(([a-z-]+)\.md\)", rows(INDEX)[name][0])
    return str(target)


def quotes(page: str) -> list[tuple[Path, str]]:
    """Every piece of code that a page includes: its file, and its name there."""
    found = blocks(f"{FOLDER}/{page}.md", "{literalinclude}")
    names = [re.findall(r"^:pyobject: (\S+)", block.text, flags=re.MULTILINE) for block in found]
    return [(ROOT / FOLDER / block.argument, name) for block, (name,) in zip(found, names, strict=True)]


def defined(path: Path) -> set[str]:
    """The classes and functions of a module, and the methods as Class.method."""
    kinds = (ast.ClassDef, ast.FunctionDef)
    outer = [node for node in ast.parse(path.read_text(encoding="utf-8")).body if isinstance(node, kinds)]
    inner = [(node.name, each) for node in outer for each in node.body if isinstance(each, kinds)]
    return {node.name for node in outer} | {f"{name}.{each.name}" for name, each in inner}


@pytest.mark.parametrize("page", [page for page in pages() if page.startswith(FOLDER)])
def test_its_blocks_run(page: str, tmp_path: Path) -> None:
    for each in run_page(page, tmp_path / "stage").of_commands("anabranch", "train"):
        assert "test error" in each.said, each.command


def test_every_strategy_has_rows_and_a_page() -> None:
    assert set(rows(README)) == set(rows(INDEX)) == set(CATALOGUE)
    assert {page_of(name) for name in CATALOGUE} == set(PAGES) - {"contrastive-divergence", "pretraining"}


def test_all_pages_are_in_the_table_of_contents() -> None:
    (listed,) = texts(f"{FOLDER}/index.md", "{toctree}")
    assert sorted(line for line in listed.split() if line != ":hidden:") == PAGES
    assert all(f"]({page}.md)" in INDEX for page in PAGES)


@pytest.mark.parametrize("name", CATALOGUE)
def test_index_and_readme_name_one_source_which_the_page_cites(name: str) -> None:
    source = rows(README)[name][-1]
    assert rows(INDEX)[name][-1] == source
    page = " ".join(read(page_of(name)).split())
    for work in source.split("; "):
        author, year = re.findall(r"^(.+?)(?:,| &| et al\.| (?=\d))", work)[0], re.findall(r"\d{4}", work)[0]
        assert re.search(rf"\b{author}\b.{{0,60}}? {year}\b", page), work


@pytest.mark.parametrize("page", PAGES)
def test_a_page_cites_a_paper_and_quotes_code_that_exists(page: str) -> None:
    _, _, source, *_ = read(page).split("\n\n")
    assert re.search(r"\b(19|20)\d\d\b", source)
    assert quotes(page)
    for path, name in quotes(page):
        assert name in defined(path), f"{name} is not in {path.name}"
    for heading in ("Where it differs from the paper", "What holds", "When to choose it"):
        assert f"\n## {heading}\n" in read(page)


@pytest.mark.parametrize("name", CATALOGUE)
def test_a_page_runs_its_strategy_and_quotes_its_class(name: str) -> None:
    page = page_of(name)
    assert re.search(rf"^anabranch train --strategy {name} --workers \d", read(page), flags=re.MULTILINE)
    kind = type(CATALOGUE[name].make(DEFAULT_RULE)).__name__
    assert any(quoted.startswith(f"{kind}.") for _, quoted in quotes(page))
    assert f"{{py:class}}`anabranch.{kind}`" in read(page)


@pytest.mark.parametrize("page", [*PAGES, "index"])
def test_its_classes_exist(page: str) -> None:
    for name in re.findall(r"\{py:class\}`anabranch\.(\w+)`", read(page)):
        assert hasattr(anabranch, name), name


def test_the_rounds_in_the_index_are_the_defaults() -> None:
    rounds = {
        "diloco": DiLoCo().every,
        "post-local": PostLocal().every,
        "easgd": Elastic().every,
        "easgd-sync": ElasticSync().every,
        "sampled-averaging": SampledAveraging().iterations,
    }
    for name, every in rounds.items():
        assert re.search(rf"H is {every}\b", rows(INDEX)[name][2])
