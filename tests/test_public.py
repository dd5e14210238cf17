"""`import anabranch` is light, and what it names is there."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import anabranch


def test_it_imports_nothing_heavy() -> None:
    code = "import sys, anabranch; sys.exit(any(name in sys.modules for name in ('torch', 'numpy', 'mpi4py')))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize("name", sorted(anabranch._PUBLIC))
def test_every_name_is_found(name: str) -> None:
    assert getattr(anabranch, name).__name__ == name
    assert name in dir(anabranch)


def test_type_checkers_see_the_same_names() -> None:
    tree = ast.parse(Path(anabranch.__file__).read_text(encoding="utf-8"))
    (block,) = [node for node in tree.body if isinstance(node, ast.If)]
    named = {
        alias.asname: node.module for node in block.body if isinstance(node, ast.ImportFrom) for alias in node.names
    }
    assert named == anabranch._PUBLIC


def test_another_name_is_none() -> None:
    with pytest.raises(AttributeError, match="module 'anabranch' has no attribute 'fitt'"):
        _ = anabranch.fitt
