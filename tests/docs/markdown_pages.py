"""The pages of the documentation as data: their code blocks, headings, links and the directives of the site."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from markdown_it import MarkdownIt
from markdown_it.token import Token

ROOT = Path(__file__).parents[2]
FILE = re.compile(r"(?:#!.*\n)?# (?P<name>[\w-]+\.(?:py|sh|toml|json))\b")


@dataclass(frozen=True)
class Block:
    """A block of code, or a directive of the site.

    Attributes:
        page: its path from the repository's root.
        line: of the fence, from 1.
        language: the first word behind the fence; "" where there is none, "{name}" of a directive.
        argument: what follows it.
        text: without the fences.
    """

    page: str
    line: int
    language: str
    argument: str
    text: str

    @property
    def place(self) -> str:
        """Where it is, as editors and compilers write it."""
        return f"{self.page}:{self.line}"

    @property
    def file(self) -> str | None:
        """The file that it says it is, in a comment that begins it (behind the `#!` of a script)."""
        found = FILE.match(self.text)
        return found["name"] if found else None

    @property
    def is_script(self) -> bool:
        return self.text.startswith("#!")


@dataclass(frozen=True)
class Link:
    """Where a link or a picture leads to, and the line of its paragraph."""

    line: int
    target: str


@cache
def pages() -> tuple[str, ...]:
    """Every page, by its path from the root."""
    found = [*ROOT.glob("*.md"), *(ROOT / "benchmarks").rglob("*.md"), *(ROOT / "docs").rglob("*.md")]
    return tuple(sorted(str(path.relative_to(ROOT)) for path in found))


@cache
def read(page: str) -> str:
    return (ROOT / page).read_text(encoding="utf-8")


@cache
def blocks(page: str, language: str = "") -> tuple[Block, ...]:
    """The code blocks and directives of a page, in its order; of one language if it is given."""
    found = (_block(page, token) for token in _tokens(page) if token.type in ("fence", "code_block"))
    return tuple(block for block in found if language in ("", block.language))


def texts(page: str, language: str) -> list[str]:
    return [block.text for block in blocks(page, language)]


def links(page: str) -> Iterator[Link]:
    """All links and pictures of a page."""
    for token in _tokens(page):
        for child in token.children or ():
            target = child.attrGet("href") or child.attrGet("src")
            if target:
                yield Link(_line(token), str(target))


def anchors(page: str) -> set[str]:
    """What a link can name in a page behind a `#`: GitHub's slugs, on the site of the first three levels alone;
    with those of the pages that it includes."""
    tokens = _tokens(page)
    deepest = 3 if page.startswith("docs/") else 6
    heads = [
        tokens[n + 1]
        for n, token in enumerate(tokens)
        if token.type == "heading_open" and int(token.tag[1:]) <= deepest
    ]
    own = {slug("".join(child.content for child in head.children or ())) for head in heads}
    included = [(ROOT / page).parent / block.argument for block in blocks(page, "{include}")]
    return own.union(*(anchors(str(path.resolve().relative_to(ROOT))) for path in included))


def slug(heading: str) -> str:
    return re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")


@cache
def _tokens(page: str) -> list[Token]:
    return MarkdownIt("commonmark").enable("table").parse(read(page))


def _block(page: str, token: Token) -> Block:
    language, _, argument = token.info.strip().partition(" ")
    return Block(page, _line(token), language, argument.strip(), token.content)


def _line(token: Token) -> int:
    return token.map[0] + 1 if token.map else 0
