"""docs/simulation.md: its tables are written, its cluster file is one, and every shipped cluster is named."""

from markdown_pages import read, texts
from running import Ran
from understood import understood

from anabranch.cli.options import SimulateArguments
from anabranch.cluster import load_cluster
from anabranch.cluster.toml import from_toml, shipped

PAGE = "docs/simulation.md"


def test_its_commands_write_their_tables(ran: Ran) -> None:
    done = ran.of_commands("anabranch", "simulate")
    assert len(done) >= 5
    for each in done:
        options = understood(each.command[1:])
        assert isinstance(options, SimulateArguments)
        assert options.cluster in (*shipped(), "cluster.toml")
    assert len(list(ran.folder.rglob("sweep.json"))) == len(done)


def test_its_cluster_file_is_one() -> None:
    (text,) = texts(PAGE, "toml")
    cluster = from_toml(text)
    assert (cluster.name, cluster.nodes.count, cluster.failures[0].rank) == ("ours", 16, 7)
    assert cluster.network.inside == load_cluster("ethernet-25g").network.inside


def test_it_names_every_shipped_cluster() -> None:
    for name in shipped():
        assert f"`{name}`" in read(PAGE)
