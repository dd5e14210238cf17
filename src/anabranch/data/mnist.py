"""MNIST: found in $ANABRANCH_DATA, else in the user's cache, else downloaded."""

import os
import sys
from collections.abc import Sequence
from pathlib import Path

import pooch

from anabranch.data.idx import has_idx_files
from anabranch.errors import UsageError

# In order of trial; both hold the original files.
MIRRORS = (
    "https://ossci-datasets.s3.amazonaws.com/mnist/",
    "https://storage.googleapis.com/cvdf-datasets/mnist/",
)
SHA256 = {
    "train-images-idx3-ubyte.gz": "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
    "train-labels-idx1-ubyte.gz": "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
    "t10k-images-idx3-ubyte.gz": "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
    "t10k-labels-idx1-ubyte.gz": "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
}
_TIMEOUT_SECONDS = 30


def data_folder() -> Path | None:
    """The folder that ANABRANCH_DATA names; None where the variable is unset or empty.

    Raises:
        UsageError: it names no folder.
    """
    value = os.environ.get("ANABRANCH_DATA", "")
    if value and not Path(value).is_dir():
        raise UsageError(f"ANABRANCH_DATA is set to {value}, which is no folder: create it, or unset the variable.")
    return Path(value) if value else None


def mnist_folder() -> Path:
    """The folder with the four files; downloads them where they are missing.

    Raises:
        UsageError: ANABRANCH_DATA names no folder, or no mirror could deliver the files.
    """
    home = data_folder()
    own = None if home is None else mnist_in(home)
    return own or download_mnist(cache())


def mnist_in(home: Path) -> Path | None:
    """The folder with the files in or under `home`; None where there is none."""
    return next((folder for folder in (home / "mnist", home) if has_idx_files(folder)), None)


def cache() -> Path:
    """Where downloaded files are kept."""
    return Path(pooch.os_cache("anabranch")) / "mnist"


def download_mnist(folder: Path, mirrors: Sequence[str] = MIRRORS) -> Path:
    """Bring the four files into `folder`, each from the first mirror that delivers it whole; files there are kept.

    Raises:
        UsageError: every mirror failed for a file, or delivered another content.
    """
    for name, checksum in SHA256.items():
        _fetch(name, checksum, folder, mirrors)
    return folder


def _fetch(name: str, checksum: str, folder: Path, mirrors: Sequence[str]) -> None:
    failures = []
    for mirror in mirrors:
        downloader = pooch.HTTPDownloader(progressbar=sys.stderr.isatty(), timeout=_TIMEOUT_SECONDS)
        try:
            pooch.retrieve(mirror + name, f"sha256:{checksum}", name, folder, downloader=downloader)
        except ValueError as error:
            # requests also calls a malformed address a ValueError.
            failures.append("wrong checksum" if "hash" in str(error) else type(error).__name__)
        except OSError as error:  # includes every error of requests
            failures.append(type(error).__name__)
        else:
            return
    raise UsageError(
        f"{name} of MNIST could not be downloaded to {folder} from any of {len(mirrors)} mirrors "
        f"({', '.join(failures)}): set ANABRANCH_DATA to a folder with the four files {', '.join(SHA256)}."
    )
