import gzip
import re
from pathlib import Path

import numpy as np
import pytest
from data_helpers import CODES, digits_like, idx_bytes, write_idx_folder

from anabranch.data.idx import has_idx_files, load_idx_folder, read_idx
from anabranch.errors import DataError, UsageError

GOOD = idx_bytes(np.arange(6, dtype=np.uint8).reshape(2, 3))


@pytest.mark.parametrize("dtype", sorted(CODES))
@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_every_type_comes_back(tmp_path: Path, dtype: str, suffix: str) -> None:
    array = np.arange(-6, 6).reshape(2, 3, 2).astype(dtype)
    path = tmp_path / f"values{suffix}"
    path.write_bytes(gzip.compress(idx_bytes(array), mtime=0) if suffix else idx_bytes(array))
    found = read_idx(path)
    assert found.dtype == array.dtype
    assert np.array_equal(found, array)


@pytest.mark.parametrize(
    ("content", "name", "sentence"),
    [
        (b"", "a", "{path} is empty: expected an IDX file; fetch it again."),
        (b"", "a.gz", "{path} is empty: expected an IDX file; fetch it again."),
        (b"\0\0", "a", "{path} is cut off: an IDX header has at least 4 bytes, found 2."),
        (
            b"\x89PNG1234",
            "a",
            "{path} is no IDX file: expected the magic number 000008, 000009, 00000b, 00000c, 00000d, 00000e "
            "in its first three bytes, found 89504e.",
        ),
        (b"\0\0\x0a\x01" + bytes(8), "a", "found 00000a."),
        (GOOD[:6], "a", "{path} is cut off: a header of 2 dimensions (at least 1) takes 12 bytes, found 6."),
        (b"\0\0\x08\0", "a", "{path} is cut off: a header of 0 dimensions (at least 1) takes 8 bytes, found 4."),
        (
            GOOD[:-2],
            "a",
            "{path} is cut off: its dimensions [2, 3] need 6 bytes of values, found 4; fetch it again.",
        ),
        (
            GOOD + b"!",
            "a",
            "{path} has trailing bytes: its dimensions [2, 3] need 6 bytes of values, found 7; fetch it again.",
        ),
        (b"\0\0\x08\x03" + b"\xff" * 12, "a", "found 0; fetch it again."),
        (b"no gzip at all", "a.gz", "{path} is no whole gzip file (Not a gzipped file (b'no')): fetch it again."),
        (gzip.compress(GOOD, mtime=0)[:-9], "a.gz", "{path} is no whole gzip file ("),
        (gzip.compress(GOOD, mtime=0)[:12] + bytes(20), "a.gz", "{path} is no whole gzip file ("),
    ],
)
def test_damaged_files(tmp_path: Path, content: bytes, name: str, sentence: str) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(DataError, match=re.escape(sentence.format(path=path))):
        read_idx(path)


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=re.escape(f"there is no file {tmp_path / 'gone'}:")):
        read_idx(tmp_path / "gone")


@pytest.mark.parametrize("separator", ["-", "."])
@pytest.mark.parametrize("compress", [True, False])
def test_folder_names(tmp_path: Path, separator: str, compress: bool) -> None:
    folder = write_idx_folder(tmp_path, separator=separator, compress=compress)
    x_train, y_train, x_test, y_test = load_idx_folder(folder)
    assert x_train.shape == (30, 4, 4)
    assert x_test.shape == (10, 4, 4)
    assert np.array_equal(x_train, digits_like(30, seed=30)[0])
    assert np.array_equal(y_train, np.arange(30) % 10)
    assert len(y_test) == 10
    assert has_idx_files(folder)


def test_folder_without_files(tmp_path: Path) -> None:
    assert not has_idx_files(tmp_path)
    names = "train-images-idx3-ubyte, train-labels-idx1-ubyte, t10k-images-idx3-ubyte, t10k-labels-idx1-ubyte"
    with pytest.raises(UsageError, match=re.escape(f"the folder {tmp_path} has no {names} (with or without .gz)")):
        load_idx_folder(tmp_path)


def test_folder_with_one_file_missing(tmp_path: Path) -> None:
    (write_idx_folder(tmp_path) / "t10k-labels-idx1-ubyte.gz").unlink()
    with pytest.raises(UsageError, match=re.escape("has no t10k-labels-idx1-ubyte (with or without .gz): put the")):
        load_idx_folder(tmp_path)


def test_no_folder(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="there is no folder"):
        load_idx_folder(tmp_path / "gone")


def test_images_and_labels_that_do_not_belong_together(tmp_path: Path) -> None:
    write_idx_folder(tmp_path, compress=False)
    (tmp_path / "train-labels-idx1-ubyte").write_bytes(idx_bytes(np.zeros(29, np.uint8)))
    with pytest.raises(DataError, match=r"ubyte has 30 images but .*train-labels-idx1-ubyte has 29 labels: use two"):
        load_idx_folder(tmp_path)
    (tmp_path / "train-labels-idx1-ubyte").write_bytes(idx_bytes(np.zeros((30, 1), np.uint8)))
    with pytest.raises(DataError, match="have 3 and 2 dimensions: images need 2 or more, labels 1"):
        load_idx_folder(tmp_path)
