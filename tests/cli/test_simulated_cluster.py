"""`anabranch simulate` in the virtual time of a cluster."""

import json
import math
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest
from cli_helpers import TINY, broken_off, record, sentence, summary, write_data

from anabranch.cli.main import main
from anabranch.simulate.trace import sums

SCHEMA = Path(__file__).parent.parent / "simulate" / "trace_schema.json"
Captured = pytest.CaptureFixture[str]

CLUSTER = """
name = "tiny"
seed = 3
[nodes]
count = 4
cores = 2
[network]
[network.inside]
latency = 1e-6
bandwidth = 5e9
[network.between]
latency = 3e-5
bandwidth = 1e8
[[compute]]
flop_per_second = 1e9
step_seconds = 1e-5
[[stragglers]]
law = "log-normal"
sigma = 0.3
[[stragglers]]
law = "pauses"
every = 0.005
seconds = 0.002
"""
SLOW = '[[failures]]\nkind = "slow"\nrank = 1\nat = 0.001\nseconds = 0.01\nfactor = 3.0\n'
LOST = '[[failures]]\nkind = "lose"\nrank = 0\nat = 0.002\n'
DEAD = '[[failures]]\nkind = "die"\nrank = 2\nat = 0.003\n'


def cluster_file(folder: Path, more: str = "") -> str:
    path = folder / "cluster.toml"
    path.write_text(CLUSTER + more)
    return str(path)


def simulate(data: str, out: Path, *options: str) -> int:
    return main(["simulate", "--data", data, *TINY, *options, "--out", str(out)])


def rows_of(out: Path) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = json.loads((out / "sweep.json").read_text())
    return rows


def timeless(out: Path) -> list[dict[str, Any]]:
    """The rows without this machine's seconds."""
    return [{key: value for key, value in row.items() if key != "seconds"} for row in rows_of(out)]


def test_a_table_a_picture_and_a_time_line(tmp_path: Path, capsys: Captured, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ANABRANCH_PAGES")
    data, out = write_data(tmp_path), tmp_path / "sweep"
    options = ["--cluster", cluster_file(tmp_path), "--workers", "1,2,4"]
    assert simulate(data, out, *options, "--target-error", "0.99", "--strategy", "allreduce") == 0
    said = capsys.readouterr().out
    rows = rows_of(out)
    assert [row["workers"] for row in rows] == [1, 2, 4]
    assert [row["nodes"] for row in rows] == [1, 1, 2]
    for row in rows:
        assert math.isclose(row["computing"] + row["waiting"] + row["communicating"], 1)
        assert row["outcome"] == "finished"
        assert 0 < row["seconds_to_target"] < row["virtual_seconds"]
        assert f"{100 * row['test_error']:.2f} %" in said
        spent = sum(task["virtual_seconds"] for task in row["tasks"])
        assert math.isclose(row["seconds_per_epoch"], spent / sum(task["epochs"] for task in row["tasks"]))
    assert rows[0]["speed_up"] == rows[0]["efficiency"] == 1
    assert rows[2]["bytes_per_worker"] > rows[1]["bytes_per_worker"] > rows[0]["bytes_per_worker"] == 0
    for name in ("sweep.png", "sweep.svg", "timeline.png", "timeline.svg", "trace.json", "cluster.toml"):
        assert (out / name).stat().st_size > 0
        assert name.removesuffix(".svg") in said or name.endswith(".svg")
    assert max(len(line) for line in said.splitlines() if str(tmp_path) not in line) <= 80


def test_another_sweep_of_time_alone_does_not_show_the_last_ones_time_line(tmp_path: Path, capsys: Captured) -> None:
    data, out = write_data(tmp_path), tmp_path / "sweep"
    common = ["--cluster", cluster_file(tmp_path), "--workers", "2", "--timing-only"]
    assert simulate(data, out, *common) == 0
    assert (out / "trace.json").exists()
    assert "timeline.png" in capsys.readouterr().out
    assert simulate(data, out, *common, "--strategy", "averaging", "--trace", "0") == 0
    assert not [*out.glob("timeline.*"), *out.glob("trace.json")]
    assert "timeline.png" not in capsys.readouterr().out


def test_no_picture_of_the_table_where_nobody_looks(tmp_path: Path, capsys: Captured) -> None:
    data, out = write_data(tmp_path), tmp_path / "sweep"
    assert simulate(data, out, "--cluster", cluster_file(tmp_path), "--workers", "2", "--timing-only") == 0
    assert rows_of(out)[0]["workers"] == 2
    assert not (out / "sweep.png").exists()
    assert "  sweep.json, cluster.toml\n" in capsys.readouterr().out


@pytest.mark.parametrize("timing", [[], ["--timing-only"]], ids=["full", "timing only"])
def test_the_sums_of_the_trace_are_those_of_the_table(tmp_path: Path, timing: list[str]) -> None:
    data, out = write_data(tmp_path), tmp_path / "sweep"
    assert simulate(data, out, "--cluster", cluster_file(tmp_path), "--workers", "2,4", *timing) == 0
    row, trace = rows_of(out)[1], json.loads((out / "trace.json").read_text())
    jsonschema.validate(trace, json.loads(SCHEMA.read_text()))
    by_rank = sums(trace)
    assert sorted(by_rank) == [0, 1, 2, 3]
    whole = sum(sum(kinds.values()) for kinds in by_rank.values())
    for kind in ("computing", "waiting", "communicating"):
        share = sum(kinds[kind] for kinds in by_rank.values()) / whole
        assert math.isclose(share, row[kind], abs_tol=1e-7)
    for kinds in by_rank.values():
        assert math.isclose(sum(kinds.values()), row["virtual_seconds"], abs_tol=1e-7)


def test_the_same_simulation_twice_is_the_same_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ANABRANCH_PAGES")
    data, cluster = write_data(tmp_path), cluster_file(tmp_path, SLOW + LOST + DEAD)
    outs = [tmp_path / "one", tmp_path / "other"]
    for out in outs:
        assert simulate(data, out, "--cluster", cluster, "--workers", "2,4", "--strategy", "allreduce") == 0
    one, other = outs
    assert (one / "trace.json").read_bytes() == (other / "trace.json").read_bytes()
    assert (one / "sweep.svg").read_bytes() == (other / "sweep.svg").read_bytes()
    assert timeless(one) == timeless(other)
    for workers in ("workers-2", "workers-4"):
        assert record(one / workers) == record(other / workers)
        assert any("virtual_clock" in line for line in record(one / workers)) or workers == "workers-4"
    hashes = {summary(out / "workers-2")["weights_sha256"] for out in outs}
    assert len(hashes) == 1
    assert rows_of(one)[0]["outcome"] == "finished"
    assert rows_of(one)[1]["outcome"].startswith("rank 2 was lost at 0.2")


def test_timing_only_has_the_times_of_the_whole_and_leaves_no_runs(tmp_path: Path) -> None:
    data, cluster = write_data(tmp_path), cluster_file(tmp_path)
    for out, timing in ((tmp_path / "whole", []), (tmp_path / "times", ["--timing-only"])):
        assert simulate(data, out, "--cluster", cluster, "--workers", "1,3", *timing) == 0
    whole, times = rows_of(tmp_path / "whole"), rows_of(tmp_path / "times")
    assert [{key: row[key] for key in times[0]} for row in whole] == times
    assert not list((tmp_path / "times").glob("workers-*"))
    assert (tmp_path / "whole" / "trace.json").read_bytes() == (tmp_path / "times" / "trace.json").read_bytes()


def test_a_simulation_that_was_broken_off_goes_on_in_its_virtual_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data, cluster = write_data(tmp_path), cluster_file(tmp_path, SLOW + LOST)
    options = ["--cluster", cluster, "--workers", "2,3", "--checkpoint-seconds", "0"]
    assert simulate(data, tmp_path / "whole", *options) == 0
    with broken_off(monkeypatch, saves=13):  # 9 of the first run, 4 of the second
        assert simulate(data, tmp_path / "broken", *options) == 130
    assert simulate(data, tmp_path / "broken", *options) == 0
    whole, broken = timeless(tmp_path / "whole"), timeless(tmp_path / "broken")
    assert whole[0] == broken[0]
    assert whole[1]["weights_sha256"] == broken[1]["weights_sha256"]
    # The broken task sends its weights around once more, as a real one would: some 0.1 ms.
    for key in ("virtual_seconds", "computing", "waiting", "communicating"):
        assert math.isclose(whole[1][key], broken[1][key], rel_tol=0.01, abs_tol=5e-4), key
    assert [task["epochs"] for task in whole[1]["tasks"]] == [task["epochs"] for task in broken[1]["tasks"]]


def test_another_cluster_does_not_go_on_with_a_sweep(tmp_path: Path, capsys: Captured) -> None:
    data, out = write_data(tmp_path), tmp_path / "sweep"
    assert simulate(data, out, "--workers", "1", "--cluster", cluster_file(tmp_path)) == 0
    common = ["simulate", "--data", data, *TINY, "--out", str(out), "--workers", "1"]
    assert "has another cluster" in sentence(capsys, 2, *common, "--cluster", "laptop")
    kept = (out / "sweep.json").read_bytes()
    assert "another --out" in sentence(capsys, 2, *common, "--cluster", "laptop", "--timing-only")
    assert (out / "sweep.json").read_bytes() == kept
    assert "--target-error" in sentence(
        capsys, 2, *common, "--cluster", str(tmp_path / "cluster.toml"), "--target-error", "0.5"
    )


def test_simulations_that_cannot_be(tmp_path: Path, capsys: Captured) -> None:
    data = write_data(tmp_path)
    common = ["simulate", "--data", data, *TINY, "--out", str(tmp_path / "sweep")]
    for options, words in [
        (["--cluster", "laptpo"], "did you mean 'laptop'?"),
        (["--cluster", "none.toml"], "none.toml"),
        (["--target-error", "5"], "a fraction between 0 and 1, not 5.0: write 0.05 for 5 %"),
        (["--target-error", "0.1", "--timing-only"], "timing alone knows no errors"),
        (["--timing-only", "--stop", "convergence"], "timing alone cannot know when training converges"),
        (["--trace", "3", "--workers", "1,2"], "--trace 3 is none of the numbers of workers (1, 2)"),
        (["--cluster", "laptop", "--tasks-per-node", "2", "--workers", "4"], "4"),
    ]:
        said = sentence(capsys, 2, *common, *options)
        assert words in said, said
    assert not (tmp_path / "sweep").exists()


def test_many_workers_without_memory(tmp_path: Path) -> None:
    """The weights of one of them would take 160 gigabytes."""
    x = np.random.default_rng(0).random((500, 16), np.float32)
    data, out = write_data(tmp_path, x=x, y=None), tmp_path / "sweep"
    cluster = ["--cluster", "infiniband-hdr", "--workers", "200", "--timing-only"]
    options = ["--model", "dbn:16-200000-200000", "--epochs", "1", "--batch-size", "1", "--strategy", "allreduce"]
    assert main(["simulate", "--data", data, *options, *cluster, "--out", str(out)]) == 0
    assert rows_of(out)[0]["bytes_per_worker"] > 4 * 200000 * 200000


def test_ctrl_c_while_only_time_is_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Captured) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("anabranch.simulate.timing.Timing.run", interrupted)
    common = ["simulate", "--data", write_data(tmp_path), *TINY, "--out", str(tmp_path / "sweep"), "--workers", "2"]
    assert sentence(capsys, 130, *common, "--timing-only") == (
        "stopped; a run for its time alone keeps nothing: start it again."
    )
