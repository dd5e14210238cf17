"""Where pages run: an empty folder, small data, and stand-ins for what a reader's cluster has."""

import gzip
import os
import shutil
import stat
import sys
from collections.abc import Mapping
from pathlib import Path

import matplotlib
import numpy as np
import numpy.typing as npt
import scipy.io
from cluster_standins import NAMES, REAL_PATH, SCRATCH
from markdown_pages import ROOT
from sklearn.datasets import load_digits

FILE_TOOLS = ("cat", "chmod", "cp", "ls", "mkdir", "mv", "rm")
TOOLS = (*FILE_TOOLS, "basename", "dirname", "env", "grep", "hostname", "sed", "sh", "sleep")
"""Programs of every machine that scripts may use as they are; any other is unknown here, and so a failure."""

PLACES = ("/scratch", "/shared", "/path/to")
"""Folders of a reader's machine, each of which is one of the stage's here."""

MINE = "mine.npz"
"""Data of the reader's own: four of his 8 by 8 digits."""

TRAIN, TEST = 5120, 100  # of which 1,024 workers have 5 each, and 40 a minibatch of 125
Bytes = npt.NDArray[np.uint8]


class Stage:
    """A folder for one page.

    Attributes:
        here: the folder that its commands run in, with nothing but a reader's data at first.
        environment: of its commands.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.here = folder / "here"
        programs, data = folder / "bin", folder / "data"
        for each in (self.here, programs, folder / "home/anabranch/bin", folder / "tmp"):
            each.mkdir(parents=True)
        (folder / "home/anabranch/bin/activate").touch()  # of the environment that scripts activate
        write_data(data)
        np.savez(self.here / MINE, x=np.zeros((4, 64), dtype=np.float32), y=np.arange(4))
        (folder / "home/data").symlink_to(data)
        for place in PLACES:
            (self._in(place)).mkdir(parents=True)
            (self._in(place) / "data").symlink_to(data)
        _write_programs(programs)
        self.environment: Mapping[str, str] = {
            "ANABRANCH_DATA": str(data),
            "ANABRANCH_PAGES": "none",
            "HOME": str(folder / "home"),
            "MPLCONFIGDIR": matplotlib.get_configdir(),  # a new one would look at all fonts
            "OMP_NUM_THREADS": "1",
            "SLURM_JOB_ID": "1",
            "USER": "you",
            REAL_PATH: os.environ["PATH"],
            SCRATCH: str(folder / "tmp"),
        }
        self.path = str(programs)

    def _in(self, place: str) -> Path:
        return self._folder / place.strip("/")

    def moved(self, text: str) -> str:
        """`text` with the folders of a reader's machine replaced by those of the stage."""
        for place in PLACES:
            text = text.replace(place, str(self._in(place)))
        return text


def write_data(folder: Path) -> None:
    """Data of the shapes of MNIST and of the Coursera digits, in the form in which those are found, but small."""
    found = load_digits()
    images = np.resize(found.images, (TRAIN + TEST, 8, 8))  # again from the beginning where they do not suffice
    labels = np.resize(found.target, TRAIN + TEST).astype(np.uint8)
    pixels = (images * (255 / 16)).astype(np.uint8)
    large = _enlarged(pixels, 3)
    (folder / "coursera_digits").mkdir(parents=True)
    course = {"X": _enlarged(pixels, 2).transpose(0, 2, 1).reshape(-1, 400), "y": np.where(labels == 0, 10, labels)}
    scipy.io.savemat(folder / "coursera_digits/ex4data1.mat", course)
    (folder / "mnist").mkdir(parents=True)
    for name, part in (("train", slice(TRAIN)), ("t10k", slice(TRAIN, None))):
        _write_idx(folder / "mnist" / f"{name}-images-idx3-ubyte.gz", large[part])
        _write_idx(folder / "mnist" / f"{name}-labels-idx1-ubyte.gz", labels[part])


def _enlarged(images: Bytes, factor: int) -> Bytes:
    """Each pixel a square, and a margin of 2 pixels: 28 by 28, or 20 by 20, of 8 by 8."""
    squares = np.kron(images, np.ones((1, factor, factor), dtype=np.uint8))
    return np.pad(squares, ((0, 0), (2, 2), (2, 2)))


def _write_idx(path: Path, values: Bytes) -> None:
    head = bytes([0, 0, 8, values.ndim]) + b"".join(size.to_bytes(4, "big") for size in values.shape)
    path.write_bytes(gzip.compress(head + values.tobytes(), 1))


def _write_programs(folder: Path) -> None:
    docs = ROOT / "tests/docs"
    real_path = f'PATH="${REAL_PATH}"'
    ours = {
        "anabranch": f'{real_path} exec "{sys.executable}" "{docs / "shortened.py"}" "$@"',
        "python": f'{real_path} exec "{sys.executable}" "$@"',
    }
    ours |= {name: f'exec "{sys.executable}" "{docs / "cluster_standins.py"}" {name} "$@"' for name in NAMES}
    for name, line in ours.items():
        (folder / name).write_text(f"#!/bin/sh\n{line}\n")
        (folder / name).chmod(stat.S_IRWXU)
    for name in TOOLS:
        if found := shutil.which(name):
            (folder / name).symlink_to(found)
