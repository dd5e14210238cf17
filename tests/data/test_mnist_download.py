import hashlib
import re
from pathlib import Path

import pytest
from data_helpers import served, write_idx_folder

from anabranch.data import load, mnist
from anabranch.errors import UsageError

DEAD = "http://127.0.0.1:9/"  # the discard port: nobody listens


@pytest.fixture
def origin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with small files in place of MNIST's, which count as the right ones."""
    folder = write_idx_folder(tmp_path / "origin")
    sums = {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in mnist.SHA256}
    monkeypatch.setattr(mnist, "SHA256", sums)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.delenv("ANABRANCH_DATA", raising=False)
    return folder


def test_from_the_first_mirror_and_then_from_the_cache(origin: Path, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    with served(origin) as address:
        assert mnist.download_mnist(cache, [address]) == cache
    for name in mnist.SHA256:
        assert (cache / name).read_bytes() == (origin / name).read_bytes()
    mnist.download_mnist(cache, [DEAD])


def test_the_second_mirror_stands_in_for_a_dead_one(origin: Path, tmp_path: Path) -> None:
    with served(origin) as address:
        mnist.download_mnist(tmp_path / "cache", [DEAD, address])
    assert len(list((tmp_path / "cache").iterdir())) == 4


def test_the_second_mirror_stands_in_for_a_wrong_one(origin: Path, tmp_path: Path) -> None:
    wrong = write_idx_folder(tmp_path / "wrong", n=33)
    with served(wrong) as first, served(origin) as second:
        mnist.download_mnist(tmp_path / "cache", [first, second])
    name = "train-images-idx3-ubyte.gz"
    assert (tmp_path / "cache" / name).read_bytes() == (origin / name).read_bytes()


def test_wrong_content_is_refused(origin: Path, tmp_path: Path) -> None:
    (origin / "train-labels-idx1-ubyte.gz").write_bytes(b"something else")
    with (
        served(origin) as address,
        pytest.raises(UsageError, match=re.escape("from any of 2 mirrors (wrong checksum, ConnectionError): set")),
    ):
        mnist.download_mnist(tmp_path / "cache", [address, DEAD])
    assert not (tmp_path / "cache" / "train-labels-idx1-ubyte.gz").exists()


def test_every_mirror_fails(origin: Path, tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    sentence = (
        f"train-images-idx3-ubyte.gz of MNIST could not be downloaded to {tmp_path / 'cache'} from any of 2 mirrors "
        "(HTTPError, ConnectionError): set ANABRANCH_DATA to a folder with the four files "
        "train-images-idx3-ubyte.gz, train-labels-idx1-ubyte.gz, t10k-images-idx3-ubyte.gz, t10k-labels-idx1-ubyte.gz."
    )
    with served(empty) as address, pytest.raises(UsageError, match=f"^{re.escape(sentence)}$"):
        mnist.download_mnist(tmp_path / "cache", [address, DEAD])


def test_load_uses_the_cache(origin: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pooch.os_cache", lambda name: tmp_path / name)
    with served(origin) as address:
        mnist.download_mnist(tmp_path / "anabranch" / "mnist", [address])
    dataset = load("mnist")
    assert (len(dataset.train), len(dataset.test), dataset.classes) == (30, 10, 10)
    (tmp_path / "home").mkdir()
    monkeypatch.setenv("ANABRANCH_DATA", str(tmp_path / "home"))
    assert len(load("mnist").train) == 30
