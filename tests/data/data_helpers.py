"""Small files of the supported formats, and a local web server, for the tests of `anabranch.data`."""

import gzip
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
CODES = {"uint8": 0x08, "int8": 0x09, "int16": 0x0B, "int32": 0x0C, "float32": 0x0D, "float64": 0x0E}


def idx_bytes(array: Array) -> bytes:
    header = bytes([0, 0, CODES[array.dtype.name], array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape)
    return header + array.astype(array.dtype.newbyteorder(">")).tobytes()


def digits_like(n: int, seed: int = 0, side: int = 4) -> tuple[Array, Array]:
    """Random images [n, side, side] uint8 and labels [n] uint8 from 0 to 9."""
    rng = np.random.default_rng(seed)
    return rng.integers(0, 256, (n, side, side), np.uint8), (np.arange(n) % 10).astype(np.uint8)


def write_idx_folder(folder: Path, *, n: int = 30, separator: str = "-", compress: bool = True) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for stem, count in (("train", n), ("t10k", n // 3)):
        images, labels = digits_like(count, seed=count)
        for kind, array in (("images", images), ("labels", labels)):
            name = f"{stem}-{kind}{separator}idx{array.ndim}-ubyte"
            content = idx_bytes(array)
            path = folder / (name + ".gz" * compress)
            path.write_bytes(gzip.compress(content, 1, mtime=0) if compress else content)
    return folder


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        pass


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """The address of a local web server for this folder."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=str(folder)))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
