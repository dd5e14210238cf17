"""From rounds of measurements to a cluster, by hand."""

import dataclasses
from datetime import date
from pathlib import Path

import pytest

from anabranch.calibrate.assemble import Computing, cluster, rounded
from anabranch.calibrate.contention import Contention
from anabranch.calibrate.findings import Findings, averaged, measured, summed_up
from anabranch.calibrate.fit import Fit
from anabranch.calibrate.places import Places
from anabranch.calibrate.report import about, sentences
from anabranch.cluster import Link, Measured, Speed, load_cluster, slowdown, to_toml
from anabranch.errors import AnabranchError

COMPUTING = Computing(Fit((Speed(1e11, "float32", "contrastive"),), 0.021, 0.15), add_bandwidth=4.23456789e9, cores=2)
LAPTOP = load_cluster("laptop")
TWO = Findings(
    2, 1, 2, 2, 1.04, 5e-6, Link(1e-6, 8e9), measured=(Measured("allreduce", 2, (4, 1_600_000), (1e-6, 2e-4)),)
)
FOUR = Findings(
    4, 1, 4, 2, 2.3, 6e-6, Link(9e-6, 1e9), measured=(Measured("allreduce", 4, (4, 1_600_000), (1e-4, 2.5e-3)),)
)


def test_means_over_rounds() -> None:
    assert averaged([[("a", 1.0), ("b", 5.0)], [("a", 3.0)]]) == [("a", 2.0), ("b", 5.0)]


def test_an_allreduce_takes_what_it_adds_to_steps_but_no_less_than_by_itself() -> None:
    plain = {("allreduce", 4): 1.0, ("allreduce", 100): 2.0, ("allreduce", 1000): 2.0, ("barrier", 0): 7.0}
    slow = Contention(500, alone=10.0, together=12.0, lockstep=17.0)
    fast = Contention(900, alone=10.0, together=12.0, lockstep=12.5)
    assert measured([plain], [slow, fast], ranks=2) == (
        Measured("allreduce", 2, (4, 100, 500, 900), (1.0, 2.0, 5.0, 2.0)),
        Measured("barrier", 2, (0,), (7.0,)),
    )


def test_without_contention_operations_are_as_measured() -> None:
    assert measured([{("allreduce", 4): 1.0}, {("allreduce", 4): 2.0}], [], 3) == (
        Measured("allreduce", 3, (4,), (1.5,)),
    )


def test_the_slowdown_is_the_median_over_networks_and_rounds() -> None:
    contended = [Contention(8, 10.0, together, 30.0) for together in (11.0, 12.0, 19.0)]
    found = summed_up(Places(("a", "a"), 2), 1e-6, [[(1000, 2e-6), (9000, 10e-6)]], [], [], contended)
    assert found.slowdown == pytest.approx(1.2)
    assert found.inside is not None
    assert [found.inside.latency, found.inside.bandwidth] == pytest.approx([1e-6, 1e9])
    assert found.between is None


def test_findings_survive_their_file(tmp_path: Path) -> None:
    for found in (TWO, dataclasses.replace(TWO, inside=None, measured=())):
        found.write(tmp_path / "two.json")
        assert Findings.read(tmp_path / "two.json") == found


def test_findings_that_nobody_wrote(tmp_path: Path) -> None:
    with pytest.raises(AnabranchError, match="the ranks have left no measurements in"):
        Findings.read(tmp_path / "none.json")


def test_the_fewest_ranks_give_the_link_and_all_give_slowdowns() -> None:
    made = cluster("mine", "about", COMPUTING, [FOUR, TWO], LAPTOP)
    assert TWO.inside is not None
    assert made.network.inside == Link(0.0, TWO.inside.bandwidth)  # less the call, which takes longer than all of it
    assert [slowdown(made.nodes, ranks) for ranks in (1, 2, 3, 4)] == pytest.approx([1.0, 1.04, 1.67, 2.3])
    assert [(table.ranks, table.operation) for table in made.measured] == [(2, "allreduce"), (4, "allreduce")]
    assert made.network.interface_latency == 5e-6


def test_ranks_that_seem_faster_together_are_not_believed() -> None:
    made = cluster("mine", "", COMPUTING, [dataclasses.replace(TWO, slowdown=0.97)], LAPTOP)
    assert made.nodes.slowdown == (1.0, 1.0)


def test_several_nodes() -> None:
    spread = Findings(4, 2, 2, 8, 1.1, 5e-6, Link(1e-6, 8e9), Link(2e-5, 1e9))
    made = cluster("ours", "", COMPUTING, [spread], LAPTOP)
    assert (made.nodes.count, made.nodes.cores) == (2, 8)
    assert made.network.between == Link(1.5e-5, 1e9)  # less the call, for which a cluster charges apart


def test_the_file_is_read_back(tmp_path: Path) -> None:
    made = cluster("mine", about(COMPUTING.fit, [TWO], LAPTOP, date(2026, 1, 2)), COMPUTING, [TWO], LAPTOP)
    path = tmp_path / "mine.toml"
    path.write_text(to_toml(made))
    assert load_cluster(str(path)) == made
    assert made.network.add_bandwidth == 4.235e9  # what a measurement is good for
    assert "2026-01-02" in made.about
    assert "median error of 2.1 %, at worst 15.0 %" in made.about


def test_rounding_leaves_whole_numbers_and_names_alone() -> None:
    assert rounded({"a": [1.23456e-6, 123_456], "b": "1.23456"}) == {"a": [1.235e-6, 123_456], "b": "1.23456"}


def test_sentences() -> None:
    said = sentences(COMPUTING, [FOUR, TWO], LAPTOP, Path("mine.toml"))
    assert said == [
        "computing: 100 GFLOP/s in float32",
        "  error of the fit 2.1 % (median; worst 15.0 %)",
        "2 ranks: inside nodes: latency 1.0 µs, 8.0 GB/s",
        "  allreduce of 1.6 MB 0.20 ms",
        "  computing together 1.04 times slower",
        "4 ranks: inside nodes: latency 9.0 µs, 1.0 GB/s",
        "  allreduce of 1.6 MB 2.50 ms",
        "  computing together 2.30 times slower",
        "written to mine.toml; now:",
        "  anabranch simulate --cluster mine.toml",
    ]


def test_guessed_links_are_called_guesses() -> None:
    made = cluster("mine", "", COMPUTING, [], LAPTOP)
    assert made.network.inside == LAPTOP.network.inside
    assert "those of the shipped cluster laptop" in about(COMPUTING.fit, [], LAPTOP, date(2026, 1, 2))
    assert "no MPI found: the links are guesses, those of the shipped cluster laptop" in sentences(
        COMPUTING, [], LAPTOP, Path("mine.toml")
    )
