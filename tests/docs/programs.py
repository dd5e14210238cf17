"""What each program that a page names does in a test: run, run in short, or looked at."""

import contextlib
import io
import os
import re
import runpy
import shlex
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from unittest import mock

import pytest
from markdown_pages import ROOT
from reproducing import reproduce
from shortened import shortened
from stage import Stage
from tiny_calibration import TINY
from understood import understood

from anabranch.cli.main import main
from anabranch.errors import UsageError
from anabranch.launch import find_mpirun

SHORT: dict[str, object] = {
    "anabranch.cli.sample.LEARNING_STEPS": 5,
    "anabranch.cli.calibrate.COARSE": TINY,
    "anabranch.cli.calibrate._has_mpi": lambda: False,
}
"""Of the code, where no option makes a command short: label units are learnt in 1,000 steps, and calibration takes half
a minute (tests/calibrate has it on two ranks)."""


class NotRight(AssertionError):
    """A command that would not do what the page says."""


def anabranch(words: Sequence[str]) -> None:
    """In this process: a new one takes seconds to start."""
    if has_no_mpi() and "mpi" in words:
        return
    if words:
        understood(words)
    if words and words[0] == "reproduce" and "--help" not in words:
        reproduce(words[1:])
        return
    with pytest.MonkeyPatch.context() as patch:
        for name, value in SHORT.items():
            patch.setattr(name, value)
        code = main(shortened(words))
    problems_may_be = words[:1] == ["doctor"]  # of this machine: the exit code tells
    if code > int(problems_may_be):
        raise NotRight(f"anabranch {shlex.join(words)} ended with exit code {code}")


def pip(words: Sequence[str]) -> None:
    """Nothing is fetched: the extras must exist, the constraints be there, and other packages be among them."""
    if words[0] != "install":
        raise NotRight(f"no rule for pip {words[0]}")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    rest = list(words[1:])
    while rest:
        word = rest.pop(0)
        if word in ("-c", "-r"):
            (ROOT / rest.pop(0)).stat()
        elif word == "--index-url":
            rest.pop(0)
        elif word not in ("-e", "--editable", "--upgrade", "-U"):
            _check_requirement(word, project)


def _check_requirement(word: str, project: dict[str, dict[str, object]]) -> None:
    found = re.fullmatch(r"(?P<name>\.|[\w.-]+?)(?:\[(?P<extras>[\w,-]+)\])?(?P<version>[<>=]=.*)?", word)
    if found is None:
        raise NotRight(f"pip cannot install '{word}'")
    extras = set(filter(None, (found["extras"] or "").split(",")))
    if found["name"] in (".", project["name"]):
        if unknown := extras - set(project["optional-dependencies"]):
            raise NotRight(f"pyproject.toml has no extra {', '.join(unknown)}")
        return
    pinned = (ROOT / "constraints.txt").read_text().lower().splitlines()
    if not any(line.startswith(f"{found['name'].lower()}{found['version'] or '=='}") for line in pinned):
        raise NotRight(f"constraints.txt has no {word}")


def python(words: Sequence[str]) -> None:
    """A script of the page, here; a benchmark's options only (tests/benchmarks runs short forms)."""
    if words[0].startswith("benchmarks/"):
        text = _help(words[0]) if len(words) > 1 else ""
        if unknown := [word for word in words[1:] if word.startswith("--") and word not in text]:
            raise NotRight(f"{words[0]} has no {', '.join(unknown)}")
        (ROOT / words[0]).stat()
        return
    if words[:2] == ["-m", "venv"]:
        _make_environment(Path(words[2]))
        return
    if words[0].startswith("-"):
        raise NotRight(f"no rule for python {words[0]}")
    _as_program(Path(words[0]), words[1:])


def _make_environment(folder: Path) -> None:
    """One without anything: what would be installed into it is here."""
    (folder / "bin").mkdir(parents=True)
    (folder / "bin/activate").touch()


def source(words: Sequence[str]) -> None:
    """`. FILE`, which is no more than there: it changes a shell's variables."""
    Path(words[0]).stat()


@cache
def _help(script: str) -> str:
    """What `--help` of a benchmark prints."""
    said = io.StringIO()
    beside = mock.patch.object(sys, "path", [str((ROOT / script).parent), *sys.path])
    with beside, contextlib.redirect_stdout(said), contextlib.suppress(SystemExit):
        _as_program(ROOT / script, ["--help"])
    return said.getvalue()


def _as_program(path: Path, arguments: Sequence[str]) -> None:
    with mock.patch.object(sys, "argv", [str(path), *arguments]):
        runpy.run_path(str(path), run_name="__main__")


def exists(program: str) -> Callable[[Sequence[str]], None]:
    """For what CI runs by itself: the program is there."""

    def look(_words: Sequence[str]) -> None:
        if shutil.which(program) is None and not (ROOT / program).exists():
            raise NotRight(f"there is no {program}")

    return look


def run_program(words: Sequence[str], stage: Stage, seconds: int) -> None:
    """In a process of its own, with the stage's programs alone.

    Raises:
        NotRight: there is no such program among them, or it failed.
    """
    if shutil.which(words[0], path=stage.path) is None:
        raise NotRight(f"no rule for '{words[0]}': see CONTRIBUTING.md")
    if has_no_mpi() and re.search(r"\b(mpirun|mpiexec|srun)\b", " ".join(words)):
        return
    environment = os.environ | {"PATH": stage.path}
    done = subprocess.run(
        [str(shutil.which(words[0], path=stage.path)), *words[1:]],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=seconds,
    )
    print(done.stdout, done.stderr)
    if done.returncode:
        raise NotRight(f"{words[0]} ended with exit code {done.returncode}")


@cache
def has_no_mpi() -> bool:
    """Then what needs it is left out."""
    try:
        find_mpirun()
    except UsageError:
        return True
    return False


PROGRAMS: dict[str, Callable[[Sequence[str]], None]] = {
    "anabranch": anabranch,
    "pip": pip,
    "python": python,
    "python3": python,
    ".": source,
    **{name: exists(name) for name in ("pytest", "ruff", "mypy", ".ci/run", "sphinx-build")},
}
