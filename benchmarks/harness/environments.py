"""The peers, pinned, each in a virtual environment of its own with the NumPy and the torch of constraints.txt."""

import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from harness.contestant import ROOT

CONSTRAINTS = ROOT.parent / "constraints.txt"
CACHE = Path.home() / ".cache" / "anabranch-benchmarks"
TORCH = "torch==2.13.0"
DONE = "installed"  # a file in a finished environment


@dataclass(frozen=True)
class Peer:
    """Another implementation.

    Attributes:
        name: in the tables.
        script: in `contestants/`.
        package: on PyPI.
        versions: in the order in which they are tried: an older one serves where Python is too old for the newest.
        torch: whether it needs torch.
        note: how it differs from plain CD-1 with momentum and weight cost.
    """

    name: str
    script: str
    package: str
    versions: tuple[str, ...]
    torch: bool
    note: str


PEERS = (
    Peer(
        "scikit-learn",
        "sklearn_rbm.py",
        "scikit-learn",
        ("1.9.1",),
        torch=False,
        note="persistent chains (SML); no momentum, no weight cost; batches in the order of the data",
    ),
    Peer(
        "learnergy",
        "learnergy_rbm.py",
        "learnergy",
        ("2.0.2",),
        torch=True,
        note="CD-1 by automatic differentiation; samples the reconstruction; weight cost on the biases, too; "
        "its fit also computes every batch's pseudo-likelihood",
    ),
    Peer(
        "rbms",
        "rbms_rbm.py",
        "rbms",
        ("0.6.0", "0.5.0"),
        torch=True,
        note="CD-1, not centred; samples the reconstruction; weight cost on the biases, too; "
        "visible biases start at the data's log-odds",
    ),
)


@dataclass(frozen=True)
class Environment:
    """Where a peer is installed.

    Attributes:
        python: its interpreter.
        version: of the peer.
        passed_over: newer versions, each with the reason why it could not be installed.
    """

    python: str
    version: str
    passed_over: tuple[str, ...]


class NotInstalled(Exception):
    """No version of a peer could be installed."""


def environment(peer: Peer, folder: Path, python: str = sys.executable, torch_index: str | None = None) -> Environment:
    """An environment in `folder` with the first version of `peer` that can be installed; kept for the next time.

    Args:
        peer: which.
        folder: of all environments.
        python: makes the environment.
        torch_index: the package index that torch comes from; the usual one unless given.

    Raises:
        NotInstalled: with pip's last word on every version.
    """
    reasons: list[str] = []
    for version in peer.versions:
        home = folder / f"{peer.package}-{version}-py{python_version(python)}"
        try:
            if not (home / DONE).exists():
                _install(peer, version, home, python, torch_index)
            return Environment(str(home / "bin" / "python"), version, tuple(reasons))
        except subprocess.CalledProcessError as error:
            said = [line for line in (error.stderr or "").splitlines() if line.startswith("ERROR")] or [str(error)]
            reasons.append(f"{version} cannot be installed: {said[0].removeprefix('ERROR: ')}")
            print(f"{peer.package} {reasons[-1]}", flush=True)
            shutil.rmtree(home, ignore_errors=True)
    raise NotInstalled("; ".join(reasons))


def python_version(python: str) -> str:
    """Of an interpreter, such as 3.12.

    Raises:
        SystemExit: it is none.
    """
    try:
        return _run([python, "-c", "import sys; print(*sys.version_info[:2], sep='.')"]).strip()
    except (OSError, subprocess.CalledProcessError) as error:
        raise SystemExit(f"{python} is no Python: give another --python.") from error


def _install(peer: Peer, version: str, home: Path, python: str, torch_index: str | None) -> None:
    print(f"installing {peer.package} {version} in {home} …", flush=True)
    _run([python, "-m", "venv", "--clear", str(home)])
    pip = [str(home / "bin" / "python"), "-m", "pip", "install", "-q", "-c", str(CONSTRAINTS)]
    requirement = f"{peer.package}=={version}"
    _run([*pip, "--dry-run", "--no-deps", requirement])  # before torch, which is large
    if peer.torch:
        _run([*pip, *(["--index-url", torch_index] if torch_index else []), TORCH])
    _run([*pip, requirement])
    (home / DONE).touch()


def _run(command: list[str]) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout
