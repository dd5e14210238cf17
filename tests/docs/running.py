"""Runs a page from top to bottom, as a reader would: every block does something, or the page fails and says where."""

import contextlib
import io
import json
import linecache
import os
import sys
import tomllib
import types
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from markdown_pages import ROOT, Block, blocks
from programs import PROGRAMS, run_program
from shell import Command, NeedsShell, commands
from stage import Stage

from anabranch.cluster.toml import from_toml
from anabranch.config import Config, read_toml

NO_CODE = ("text", "{toctree}", "{include}", "{literalinclude}", "{eval-rst}")
"""Languages of blocks in which nothing is run; any other directive needs a rule, too."""

SECONDS = 120
"""For a script, whose ranks may wait for each other for ever."""


@dataclass(frozen=True)
class Done:
    """What a Python block or a command has done.

    Attributes:
        block: where it stands.
        command: its words, as the page has them; empty for Python.
        said: what it has printed.
        names: what Python knew after it.
    """

    block: Block
    command: tuple[str, ...]
    said: str
    names: dict[str, Any]


@dataclass(frozen=True)
class Ran:
    """A page that was run: in which folder, and all that was done there, in its order."""

    folder: Path
    done: tuple[Done, ...]

    def of_python(self) -> list[Done]:
        return [each for each in self.done if each.block.language == "python"]

    def of_commands(self, *words: str) -> list[Done]:
        """The commands that begin with `words`."""
        return [each for each in self.done if each.command[: len(words)] == words and each.command]


def run_page(page: str, folder: Path) -> Ran:
    """Run all blocks of a page.

    Raises:
        AssertionError: one of them fails, or nothing says how to run it.
    """
    with pytest.MonkeyPatch.context() as patch, _forgetting_modules(folder):
        running = _Running(page, Stage(folder), patch)
        for block in blocks(page):
            running.block(block)
    return Ran(running.stage.here, tuple(running.done))


@contextlib.contextmanager
def _forgetting_modules(folder: Path) -> Iterator[None]:
    """Files of one page must not be what another imports."""
    try:
        yield
    finally:
        files = {name: getattr(module, "__file__", None) or "" for name, module in sys.modules.items()}
        for name, file in files.items():
            if file.startswith(str(folder)):
                del sys.modules[name]


class _Running:
    """A page on its way."""

    def __init__(self, page: str, stage: Stage, patch: pytest.MonkeyPatch) -> None:
        self.page, self.stage, self.patch = page, stage, patch
        self.done: list[Done] = []
        self.module = types.ModuleType(f"page_{page.removesuffix('.md').replace('/', '_').replace('-', '_')}")
        patch.setitem(sys.modules, self.module.__name__, self.module)  # classes are looked for there
        patch.setattr(sys, "path", [str(stage.here), *sys.path])
        patch.chdir(stage.here)
        for name, value in stage.environment.items():
            patch.setenv(name, value)

    def block(self, block: Block) -> None:
        kinds: dict[str, Callable[[Block], None]] = {
            "python": self.python,
            "sh": self.shell,
            "toml": self.toml,
            "json": self.json,
            **dict.fromkeys(NO_CODE, lambda block: None),
            "{command-output}": lambda block: self.commands(block, block.argument),
        }
        if block.language not in kinds:
            raise AssertionError(f"{block.place}: nothing says how to run '{block.language}': see CONTRIBUTING.md")
        if block.file:
            path = self.stage.here / block.file
            path.write_text(block.text)
            path.chmod(0o755)
        kinds[block.language](block)

    def python(self, block: Block) -> None:
        torch.manual_seed(0)  # a module of one's own begins with weights from torch's own generator
        place = str(ROOT / block.page)
        code = compile("\n" * block.line + block.text, place, "exec")  # its line numbers are the page's
        with self._reported(block, block.line, ()):
            exec(code, self.module.__dict__)

    def toml(self, block: Block) -> None:
        """A cluster, or options of a run."""
        with self._reported(block, block.line, ("toml",)):
            if tomllib.loads(block.text).keys() & {"based_on", "network", "nodes", "compute"}:
                from_toml(block.text)
                return
            path = self.stage.here / (block.file or "options.toml")
            path.write_text(block.text)
            read_toml(path, Config())

    def json(self, block: Block) -> None:
        with self._reported(block, block.line, ("json",)):
            json.loads(block.text)

    def shell(self, block: Block) -> None:
        if not block.is_script:
            self.commands(block, block.text)
        elif not (block.file and self._is_started(block)):
            self.script(block)

    def commands(self, block: Block, text: str) -> None:
        try:
            found = commands(text)
        except NeedsShell:
            self.script(block)
            return
        for command in found:
            self.command(block, command)

    def command(self, block: Block, command: Command) -> None:
        line = block.line + command.line
        settings = {name: self._whole(value) for name, value in command.settings}
        if not command.words:
            for name, value in settings.items():
                self.patch.setenv(name, value)
            return
        with self._reported(block, line, command.words), pytest.MonkeyPatch.context() as patch:
            for name, value in settings.items():
                patch.setenv(name, value)
            words = [self._whole(word) for word in command.words]
            if words[0] == "cd":
                self.patch.chdir(words[1])
            elif words[0] in PROGRAMS:
                PROGRAMS[words[0]](words[1:])
            else:
                run_program(words, self.stage, SECONDS)

    def script(self, block: Block) -> None:
        """By a shell, in which the cluster's programs and ours are stand-ins."""
        with self._reported(block, block.line, ("sh",)):
            run_program(["sh", "-ec", self.stage.moved(block.text)], self.stage, SECONDS)

    def _is_started(self, script: Block) -> bool:
        later = [block for block in blocks(self.page, "sh") if block.line > script.line]
        return any(str(script.file) in block.text for block in later)

    def _whole(self, word: str) -> str:
        """A word with its variables replaced, places moved, and DATE the time that a run's folder was made."""
        moved = os.path.expandvars(self.stage.moved(word))
        found = sorted(Path().glob(moved.replace("DATE", "*"))) if moved.endswith("DATE") else []
        return str(found[-1]) if found else moved

    @contextlib.contextmanager
    def _reported(self, block: Block, line: int, words: tuple[str, ...]) -> Iterator[None]:
        """Keep what is said, and what Python knows then; a failure names its place, and what was said last."""
        said = io.StringIO()
        try:
            with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
                yield
        except (Exception, SystemExit) as error:
            linecache.checkcache()
            last = "\n".join(said.getvalue().splitlines()[-25:])
            command = " ".join(words) or "Python"
            raise AssertionError(f"{block.page}:{line}: {command}\n{last}\n{type(error).__name__}: {error}") from error
        self.done.append(Done(block, words, said.getvalue(), dict(self.module.__dict__)))
