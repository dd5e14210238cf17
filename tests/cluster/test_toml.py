"""Cluster files: what they say is what is there, and each mistake has a sentence."""

import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anabranch.cluster import (
    Cluster,
    Failure,
    Link,
    Measured,
    Network,
    Nodes,
    Speed,
    Straggling,
    load_cluster,
    to_toml,
)
from anabranch.cluster.toml import from_toml, shipped
from anabranch.errors import UsageError

positive = st.floats(1e-9, 1e15)
links = st.builds(Link, st.floats(0, 10), positive)
counts = st.integers(1, 10_000)
tables = st.lists(st.tuples(counts, st.floats(1e-9, 1e9)), max_size=4, unique_by=lambda pair: pair[0]).map(sorted)
clusters = st.builds(
    Cluster,
    st.text("abc-'\"\\é", min_size=1),
    tables.map(lambda rows: Nodes(3, 4, tuple(n for n, _ in rows), tuple(1 + abs(math.log(x)) for _, x in rows))),
    st.builds(
        Network,
        links,
        st.none() | links,
        st.booleans(),
        st.sampled_from(["ordered", "cheapest", "master"]),
        positive | st.just(math.inf),
        st.floats(0, 1),
        st.floats(0, 5),
        st.integers(0, 9),
    ),
    st.lists(
        st.builds(
            Speed,
            positive,
            st.sampled_from([None, "float32", "bf16-mixed"]),
            st.sampled_from([None, "contrastive", "autograd"]),
            positive | st.just(math.inf),
        ),
        min_size=1,
        max_size=3,
    ).map(tuple),
    about=st.text("ab \n\"'\\", max_size=20),
    stragglers=st.lists(
        st.builds(Straggling, st.just("log-normal"), sigma=st.floats(0, 2))
        | st.builds(Straggling, st.just("slow-node"), factor=st.floats(0.1, 9), nodes=st.just((0, 2))),
        max_size=2,
    ).map(tuple),
    failures=st.lists(
        st.builds(Failure, st.sampled_from(["die", "hang"]), rank=st.none() | counts, at=st.floats(0, 1e6)),
        max_size=2,
    ).map(tuple),
    measured=st.just(()) | st.just((Measured("allreduce", 2, (4, 1024), (1e-6, 2e-6)),)),
    seed=st.integers(0, 1 << 40),
)


@given(clusters)
def test_a_cluster_comes_back_as_it_was(cluster: Cluster) -> None:
    assert from_toml(to_toml(cluster)) == cluster


def test_the_shipped_ones() -> None:
    assert shipped() == ["ccr-2014", "ethernet-1g", "ethernet-25g", "infiniband-hdr", "laptop", "padova-2012"]
    found = {name: load_cluster(name) for name in shipped()}
    assert all(cluster.name == name and len(cluster.about) > 40 for name, cluster in found.items())
    assert (found["padova-2012"].nodes.count, found["padova-2012"].nodes.cores) == (5, 8)
    assert found["padova-2012"].network.allreduce == "master"
    assert found["laptop"].nodes.count == 1
    speeds = [found[name].network.between for name in ("ethernet-1g", "ethernet-25g", "infiniband-hdr")]
    assert [link.bandwidth for link in speeds if link] == sorted(link.bandwidth for link in speeds if link)
    assert [link.latency for link in speeds if link] == sorted((link.latency for link in speeds if link), reverse=True)


def test_based_on_another(tmp_path: Path) -> None:
    (tmp_path / "base.toml").write_text('based_on = "ethernet-1g"\nname = "base"\n[nodes]\ncount = 7\n')
    path = tmp_path / "ours.toml"
    path.write_text(
        'based_on = "base.toml"\nname = "ours"\n[network.between]\nlatency = 1.5\n[[compute]]\nflop_per_second = 5\n'
    )
    below, ours = load_cluster("ethernet-1g"), load_cluster(str(path))
    assert (ours.name, ours.nodes.count, ours.nodes.cores) == ("ours", 7, below.nodes.cores)
    assert below.network.between is not None
    assert ours.network.between == Link(1.5, below.network.between.bandwidth)
    assert ours.compute == (Speed(5.0),)  # lists of tables replace


WHOLE = """
name = "c"
[nodes]
count = 1
cores = 2
[network.inside]
latency = 0
bandwidth = 1
[[compute]]
flop_per_second = 1
"""


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("cores = 2", "coers = 2", ["[nodes]", "coers", "did you mean 'cores'?"]),
        ("cores = 2", "", ["[nodes]", "has no cores"]),
        ("cores = 2", "cores = 0", ["[nodes]", "cores", "0"]),
        ("cores = 2", 'cores = "two"', ["[nodes]", "cores", "two"]),
        ("cores = 2", "cores = true", ["cores", "True"]),
        ("latency = 0", "latency = -1", ["network.inside", "-1"]),
        ("bandwidth = 1", "bandwidth = 0", ["network.inside", "more than 0"]),
        ("[[compute]]", "[compute]", ["[[compute]]"]),
        ("[[compute]]\nflop_per_second = 1", "", ["compute"]),
        ("flop_per_second = 1", 'flop_per_second = 1\nprecision = "float16"', ["entry 1, [[compute]]", "float16"]),
        ('name = "c"', 'name = "c', ["TOML"]),
        ('name = "c"', 'name = "c"\nbased_on = "laptpo"', ["did you mean 'laptop'?"]),
        ("cores = 2", "cores = 2\n[[stragglers]]\nlaw = 'pauses'\nsigma = 1.0", ["pauses", "sigma"]),
        ("cores = 2", "cores = 2\n[[stragglers]]\nlaw = 'slow-node'\nfactor = 2.0\nnodes = [4]", ["4"]),
        ("cores = 2", "cores = 2\n[[failures]]\nkind = 'die'\nrank = 1", ["neither", "at", "mean"]),
        ("cores = 2", "cores = 2\n[[failures]]\nkind = 'explode'\nat = 1", ["explode"]),
    ],
)
def test_mistakes(old: str, new: str, words: list[str]) -> None:
    assert from_toml(WHOLE).nodes == Nodes(1, 2)
    with pytest.raises(UsageError) as caught:
        from_toml(WHOLE.replace(old, new), "file.toml")
    said = str(caught.value)
    assert "\n" not in said
    for word in words:
        assert word in said, said


def test_a_circle(tmp_path: Path) -> None:
    for name, other in (("a", "b"), ("b", "a")):
        (tmp_path / f"{name}.toml").write_text(f'based_on = "{other}.toml"\n')
    with pytest.raises(UsageError, match="based on"):
        load_cluster(str(tmp_path / "a.toml"))


def test_no_such_file(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"none\.toml"):
        load_cluster(str(tmp_path / "none.toml"))
    with pytest.raises(UsageError, match="did you mean 'ethernet-1g'"):
        load_cluster("ethernet-1gb")
