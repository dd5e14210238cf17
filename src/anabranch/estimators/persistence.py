"""Estimators in files: one safetensors file, whose metadata hold everything that is no tensor, as JSON. No pickle."""

import json
import os
from pathlib import Path
from typing import Any, Self

import safetensors

from anabranch import __version__
from anabranch.errors import StorageError
from anabranch.estimators.packing import Packer, unpack
from anabranch.files import tensor_bytes, write_bytes

FORMAT = 1
_KEY = "anabranch"  # of the metadata


class Kept:
    """An estimator that can be written to a file and read again."""

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write parameters and everything learnt to the file `path`, whole or not at all; `load` reads it.

        Raises:
            TypeError: a parameter has no form in a file, such as a strategy of one's own.
            OSError: the file cannot be written.
        """
        packer = Packer()
        held: dict[str, Any] = {
            "format": FORMAT,
            "version": __version__,
            "estimator": type(self).__name__,
            "values": {name: packer.pack(value, name) for name, value in vars(self).items()},
        }
        content = tensor_bytes(packer.tensors, {_KEY: json.dumps(held)})
        try:
            write_bytes(Path(path), content)
        except StorageError as error:
            raise OSError(f"cannot save to {path}: {error.__cause__}.") from error

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Self:
        """The estimator in the file `path`: it predicts the same bits as the one that was saved.

        Raises:
            OSError: the file cannot be read.
            ValueError: it is damaged, or holds no estimator of this class, or one of a later version.
        """
        try:
            with safetensors.safe_open(path, framework="pt") as file:
                held = json.loads((file.metadata() or {}).get(_KEY, "{}"))
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - it is no dict
        except (safetensors.SafetensorError, ValueError) as error:
            raise ValueError(f"{path} is no file of {cls.__name__}.save, or is damaged: {error}.") from error
        _check(held, cls, path)
        estimator = cls.__new__(cls)
        try:
            vars(estimator).update({name: unpack(value, tensors) for name, value in held["values"].items()})
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(f"{path} is damaged ({error!r}): restore it from a copy.") from error
        return estimator


def _check(held: Any, cls: type, path: str | os.PathLike[str]) -> None:
    """Refuse what is no estimator of `cls` that this version can read.

    Raises:
        ValueError: saying what it is.
    """
    name = held.get("estimator") if isinstance(held, dict) else None
    if name is None:
        raise ValueError(f"{path} holds no estimator: give a file that {cls.__name__}.save has written.")
    if held["format"] != FORMAT:
        raise ValueError(f"{path} was saved by Anabranch {held['version']}, in a format that this one cannot read.")
    if name != cls.__name__:
        raise ValueError(f"{path} holds a {name}: read it with {name}.load.")
