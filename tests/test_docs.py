"""docs/simulation.md tells the truth: its commands run, and its cluster file is one."""

import re
import shlex
from pathlib import Path

import pytest

from anabranch.cli.main import main
from anabranch.cli.options import SimulateArguments, parse
from anabranch.cluster import load_cluster
from anabranch.cluster.toml import from_toml, shipped

PAGE = (Path(__file__).parent.parent / "docs" / "simulation.md").read_text(encoding="utf-8")
SHORT = ["--epochs", "1", "--finetune-epochs", "1"]


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", PAGE, flags=re.MULTILINE | re.DOTALL)


def commands() -> list[list[str]]:
    lines = [line.split("#")[0] for block in blocks("sh") for line in block.splitlines()]
    found = [re.search(r"\banabranch simulate .*", line) for line in lines]
    return [shlex.split(match.group().strip())[2:] for match in found if match]


def test_there_are_some() -> None:
    assert len(commands()) >= 5


@pytest.mark.parametrize("arguments", commands(), ids=" ".join)
def test_its_options_exist(arguments: list[str]) -> None:
    without_workers = [
        arguments[n] for n in range(len(arguments)) if "--workers" not in arguments[max(0, n - 1) : n + 1]
    ]
    options = parse(without_workers, "anabranch simulate", "", SimulateArguments)
    assert options.cluster in (*shipped(), "cluster.toml")


@pytest.mark.parametrize("arguments", [c for c in commands() if not {"mnist", "cluster.toml"} & set(c)], ids=" ".join)
def test_its_commands_run(arguments: list[str], tmp_path: Path) -> None:
    assert main(["simulate", *arguments, *SHORT, "--out", str(tmp_path / "out")]) == 0
    assert (tmp_path / "out" / "sweep.json").exists()


def test_its_cluster_file_is_one() -> None:
    (text,) = blocks("toml")
    cluster = from_toml(text)
    assert (cluster.name, cluster.nodes.count, cluster.failures[0].rank) == ("ours", 16, 7)
    assert cluster.network.inside == load_cluster("ethernet-25g").network.inside


def test_it_names_every_shipped_cluster() -> None:
    for name in shipped():
        assert f"`{name}`" in PAGE
