"""docs/clusters.md: its scripts, on ranks of this machine, leave runs that are theirs."""

import json

import pytest
from markdown_pages import blocks
from programs import has_no_mpi
from running import Ran

PAGE = "docs/clusters.md"


def test_it_has_scripts_for_hosts_and_for_slurm() -> None:
    scripts = [block.text for block in blocks(PAGE, "sh") if block.is_script]
    assert [("--hostfile" in text, "#SBATCH" in text) for text in scripts] == [(True, False), (False, True)]


@pytest.mark.skipif(has_no_mpi(), reason="no mpirun beside this Python or on the path")
def test_its_scripts_leave_runs(ran: Ran) -> None:
    top = ran.folder.parent
    for run in (top / "home/runs/dbn", top / "scratch/you/dbn"):
        summary = json.loads((run / "summary.json").read_text())
        assert (summary["world"], summary["workers"]) == ("mpi", 2)


@pytest.mark.skipif(has_no_mpi(), reason="no mpirun beside this Python or on the path")
def test_its_commands_join_the_ranks(ran: Ran) -> None:
    done = ran.of_commands("mpirun")
    assert len(done) >= 2
    for each in done:
        assert "mpi world" in each.said, each.command
