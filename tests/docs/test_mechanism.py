"""What runs the pages: it understands shell, shortens what it says it shortens, and nothing that is wrong gets by."""

from pathlib import Path

import pytest
from markdown_pages import slug
from running import run_page
from shell import Command, NeedsShell, commands
from shortened import shortened


def page(folder: Path, text: str) -> str:
    path = folder / "page.md"
    path.write_text(text)
    return str(path)


@pytest.mark.parametrize(
    ("text", "place", "said"),
    [
        ("# Title\n\n```sh\n# so\nunheard-of --now\n```\n", ":5: unheard-of --now", "no rule for 'unheard-of'"),
        ("```sh\nanabranch train --epoch 3\n```\n", ":2: anabranch train --epoch 3", "--epoch"),
        ("```sh\nanabranch simulate --cluster nowhere\n```\n", ":2: ", "unknown cluster 'nowhere'"),
        ("```sh\npip install -c constraints.txt '.[nothing]'\n```\n", ":2: ", "has no extra nothing"),
        ("```sh\npip install unheard-of\n```\n", ":2: ", "constraints.txt has no unheard-of"),
        ("```sh\npython benchmarks/estimators.py --fast\n```\n", ":2: ", "has no --fast"),
        ("```sh\n#!/bin/sh\nif true; then\n  unheard-of\nfi\n```\n", ":1: sh", "not found"),
        ("```sh\necho a | unheard-of\n```\n", ":1: sh", "not found"),
        ("```python\nx = 1\nassert x == 2\n```\n", ":1: Python", "AssertionError"),
        ("```toml\nunheard-of = 1\n```\n", ":1: toml", "unheard-of"),
        ("```json\n{\n```\n", ":1: json", "Expecting property name"),
        ("```cobol\nSTOP RUN.\n```\n", ":1: ", "nothing says how to run 'cobol'"),
        ("```{code-block} python\nx\n```\n", ":1: ", "nothing says how to run '{code-block}'"),
        ("```\nx\n```\n", ":1: ", "nothing says how to run ''"),
    ],
)
def test_what_is_wrong_fails_and_says_where(text: str, place: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(AssertionError) as caught:
        run_page(page(tmp_path, text), tmp_path / "stage")
    assert place in str(caught.value)
    assert said in str(caught.value)


def test_a_page_is_one_story(tmp_path: Path) -> None:
    text = """
```python
# mine.py
value = 1
```
```python
value += 1
```
```sh
export NAME=mine FOLDER=sub
python $NAME.py && VALUE=3 sh -c 'echo $VALUE > said.txt'
cat said.txt
```
"""
    ran = run_page(page(tmp_path, text), tmp_path / "stage")
    assert [each.names["value"] for each in ran.of_python()] == [1, 2]
    assert (ran.folder / "said.txt").read_text() == "3\n"
    assert (ran.folder / "mine.py").read_text() == "# mine.py\nvalue = 1\n"


def test_shell_is_split_into_commands() -> None:
    text = "export A=1\nB=2 run 'x y' \\\n  --last && again  # a remark\n"
    assert commands(text) == [
        Command(1, (("A", "1"),), ()),
        Command(2, (("B", "2"),), ("run", "x y", "--last")),
        Command(2, (), ("again",)),
    ]


@pytest.mark.parametrize("text", ["a | b", "a > b", "if a; then b; fi", "for a in b; do c; done", "a $(b)", "a <<E\nE"])
def test_more_than_commands_needs_a_shell(text: str) -> None:
    with pytest.raises(NeedsShell):
        commands(text)


@pytest.mark.parametrize(
    ("given", "run"),
    [
        ("train", "train --epochs 1 --finetune-epochs 1"),
        ("train --epochs 50 --finetune-epochs 0", "train --epochs 1 --finetune-epochs 0"),
        ("train --resume runs/x", "train --resume runs/x"),
        ("train --help", "train --help"),
        ("simulate --model mlp:64-10 --workers 1,2,4", None),
        ("report runs/x", "report runs/x"),
    ],
)
def test_commands_are_shortened(given: str, run: str | None) -> None:
    expected = run or "simulate --model mlp:64-10 --workers 1,4 --epochs 1 --finetune-epochs 1"
    assert shortened(given.split()) == expected.split()


def test_slugs_are_github_s() -> None:
    assert slug("What keeps one worker's error on 40") == "what-keeps-one-workers-error-on-40"
    assert slug("`anabranch sample RUN`: 2.1 & more") == "anabranch-sample-run-21--more"
