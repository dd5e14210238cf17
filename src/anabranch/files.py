"""Files that are either whole or not there: written beside their place, flushed to the disk, then renamed into it."""

import contextlib
import errno
import json
import os
import tempfile
from pathlib import Path
from typing import Any

from anabranch.errors import StorageError


def write_bytes(path: Path, content: bytes) -> None:
    """Write a whole file atomically; into what is there and no file, such as a pipe or a device, directly.

    Raises:
        StorageError: the disk is full, or the place is not writable; the old file, if any, is untouched.
    """
    if path.exists() and not path.is_file() and not path.is_dir():
        _write_into(path, content)
        return
    path = path.resolve()  # of a link, what it leads to is replaced, and not the link
    partial = path.with_name(f".{path.name}.partial")
    try:
        with partial.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
        sync_folder(path.parent)
    except OSError as error:
        with contextlib.suppress(OSError):
            partial.unlink()
        raise storage_error(path, error) from error


def _write_into(path: Path, content: bytes) -> None:
    try:
        with path.open("wb") as file:
            file.write(content)
    except OSError as error:
        raise storage_error(path, error) from error


def sync_folder(path: Path) -> None:
    """Bring the names in a folder to the disk: a renamed file may else have its old name after a power failure.

    Raises:
        OSError: the disk fails.
    """
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def write_text(path: Path, content: str) -> None:
    """As `write_bytes`, in UTF-8."""
    write_bytes(path, content.encode())


def write_json(path: Path, content: Any) -> None:
    """As `write_bytes`, indented for people."""
    write_text(path, json.dumps(content, indent=2, allow_nan=False) + "\n")


def make_folder(path: Path) -> None:
    """Create a folder and those above it, if they are not there.

    Raises:
        StorageError: the place is not writable.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise storage_error(path, error) from error


def make_writable_folder(path: Path) -> None:
    """As `make_folder`, and try whether files can be written there: before the work whose result they are to hold.

    Raises:
        StorageError: they cannot.
    """
    make_folder(path)
    try:
        with tempfile.TemporaryFile(dir=path):
            pass
    except OSError as error:
        raise storage_error(path, error) from error


def storage_error(path: Path, error: OSError) -> StorageError:
    """The sentence for a failed write to `path`."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return StorageError(f"no space left to write {path}: free some, then start again; a run goes on with --resume.")
    return StorageError(f"cannot write {path}: {error.strerror}; choose a place that is writable.")
