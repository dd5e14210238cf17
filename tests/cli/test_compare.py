"""`anabranch compare` from its command line to its files."""

import json
from pathlib import Path

import pytest

from anabranch.cli.main import main
from anabranch.config import Config, read_toml

TINY = ["--model", "mlp:64-10", "--epochs", "1", "--seeds", "1", "--budget", "1", "--strategies", "averaging --every 4"]
Captured = pytest.CaptureFixture[str]


def test_a_comparison_and_again_without_repeating_its_runs(
    tmp_path: Path, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("ANABRANCH_PAGES")
    command = ["compare", *TINY, "--workers", "2", "--out", str(tmp_path / "out")]
    assert main(command) == 0
    said = capsys.readouterr().out
    assert "one process, averaging --every 4: up to 1 learning rate and 1 seed each, 4 runs at most" in said
    assert "all 2 workers fit on one node of ethernet-25g, whose network is then not used" in said
    assert "with one seed: whether that is more than chance, nobody can tell" in said
    content = json.loads((tmp_path / "out/comparison.json").read_text())
    assert [place["place"] for place in content["ranking"]] == [1, 1]
    assert content["terms"]["options"] == ["--model", "mlp:64-10", "--threads", "1"]
    tuned = json.loads((tmp_path / "out/cells/one-process-rate-0.1/run/workers-1/summary.json").read_text())
    assert tuned["measured_on"] == "validation"
    assert list(tmp_path.rglob("report.html")) == [tmp_path / "out/report.html"]
    before = (tmp_path / "out/comparison.json").read_bytes()
    assert main(command) == 0
    assert capsys.readouterr().out.count("2 cells finished before, 0 to run") == 2
    assert (tmp_path / "out/comparison.json").read_bytes() == before
    assert main([*command, "--seeds", "2"]) == 2
    assert "holds a comparison with other seeds: give the same options, or another --out." in capsys.readouterr().err


def test_another_cluster_or_dtype_is_another_comparison(tmp_path: Path, capsys: Captured) -> None:
    """The cluster's file has the same name, and other content."""
    cluster = tmp_path / "mine.toml"
    cluster.write_text('based_on = "ethernet-1g"\nname = "mine"\n')
    command = ["compare", *TINY, "--workers", "2", "--cluster", str(cluster), "--out", str(tmp_path / "out")]
    assert main(command) == 0
    cluster.write_text('based_on = "ethernet-1g"\nname = "mine"\n[nodes]\ncores = 3\n')
    capsys.readouterr()
    assert main(command) == 2
    assert "holds a comparison with other cluster: give the same options, or another --out" in capsys.readouterr().err
    cluster.write_text('based_on = "ethernet-1g"\nname = "mine"\n')
    assert main([*command, "--dtype", "float64"]) == 2
    assert "holds a comparison with other options" in capsys.readouterr().err
    assert main([*command, "--dtype", "auto"]) == 0  # as was decided before
    assert "2 cells finished before, 0 to run" in capsys.readouterr().out


def test_a_line_search_takes_part_whatever_the_rule_of_the_others(tmp_path: Path) -> None:
    options = ["--strategies", "sampled-averaging", "--learning-rate", "0.2", "--momentum", "0.5", "--workers", "2"]
    assert main(["compare", *TINY[:-2], *options, "--out", str(tmp_path)]) == 0
    content = json.loads((tmp_path / "comparison.json").read_text())
    assert {place["name"] for place in content["ranking"]} == {"one process", "sampled-averaging"}
    folders = ("one-process-seed-0/run/workers-1", "sampled-averaging-seed-0/run/workers-2")
    momenta = [read_toml(tmp_path / "cells" / one / "config.toml", Config()).training.momentum for one in folders]
    assert momenta == [0.5, 0.0]


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--strategies", "alreduce"], "unknown strategy 'alreduce': did you mean 'allreduce'?"),
        (["--strategies", "averaging --evry 4"], "Unrecognized options: --evry"),
        (["--strategies", "allreduce --every 4"], "--every 4 does not go with --strategy allreduce"),
        (
            ["--strategies", "averaging --epochs 4"],
            "--epochs is the same for all: give it to anabranch compare, and not to averaging --epochs 4 alone.",
        ),
        (
            ["--strategy", "allreduce"],
            "anabranch compare has no --strategy: write --strategies allreduce,….",
        ),
        (["--seed", "7"], "anabranch compare has no --seed: --seeds says how many each strategy has"),
        (["--workers", "1"], "nothing is distributed on 1 worker: give --workers 2 or more."),
        (["--world", "single"], "anabranch compare has no --world single: simulated or mpi."),
        (["--stop", "convergence"], "anabranch compare gives all the same number of epochs: leave --stop out."),
        (["--target-error", "5"], "--target-error is a fraction between 0 and 1, not 5.0: write 0.05 for 5 %."),
        (["--jobs", "0"], "--jobs must be 1 or more, not 0."),
        (["--validation-fraction", "0"], "learning rates are chosen on it, so it must be above 0 and below 1."),
        (["--cluster", "ethernet-1k"], "unknown cluster 'ethernet-1k': did you mean 'ethernet-1g'?"),
        (["--world", "mpi", "--cluster", "laptop"], "leave --cluster and --tasks-per-node out, or --world mpi."),
        (["--world", "mpi", "--tasks-per-node", "1"], "leave --cluster and --tasks-per-node out, or --world mpi."),
        (["--finetune-epochs", "0", "--model", "dbn"], "no labels are learnt with --finetune-epochs 0"),
    ],
)
def test_wrong_use_is_refused_before_anything_runs(
    options: list[str], sentence: str, tmp_path: Path, capsys: Captured
) -> None:
    assert main(["compare", *options, "--out", str(tmp_path / "out")]) == 2
    assert sentence in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_data_without_labels_have_no_error_to_compare(tmp_path: Path, capsys: Captured) -> None:
    import numpy as np

    np.save(tmp_path / "x.npy", np.zeros((20, 4)))
    assert main(["compare", "--data", str(tmp_path / "x.npy"), "--out", str(tmp_path / "out")]) == 2
    assert "has no labels: give data with labels." in capsys.readouterr().err
