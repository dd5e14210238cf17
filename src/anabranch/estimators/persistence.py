"""Estimators in files: one safetensors file, whose metadata hold everything that is no tensor, as JSON. No pickle."""

import json
import os
from pathlib import Path
from typing import Any, Self

import safetensors

from anabranch import __version__
from anabranch.errors import AnabranchError, StorageError
from anabranch.estimators.packing import ESTIMATORS, Packer, unpack
from anabranch.files import write_bytes
from anabranch.tensorfile import tensor_bytes

FORMAT = 1
_KEY = "anabranch"  # of the metadata


class Kept:
    """An estimator that can be written to a file and read again."""

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        ESTIMATORS[cls.__name__] = cls

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write parameters and everything learnt to the file `path`, whole or not at all; `load` reads it.

        Raises:
            TypeError: a parameter has no form in a file, such as a strategy of one's own.
            OSError: the file cannot be written.
        """
        packer = Packer()
        held = {"format": FORMAT, "version": __version__, "estimator": packer.pack(self, "")}
        content = tensor_bytes(packer.tensors, {_KEY: json.dumps(held)})
        try:
            write_bytes(Path(path), content)
        except StorageError as error:
            reason = getattr(error.__cause__, "strerror", None) or error
            raise OSError(f"cannot save to {path}: {reason}.") from error

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Self:
        """The estimator in the file `path`: it predicts the same bits as the one that was saved.

        Raises:
            OSError: the file cannot be read.
            ValueError: it is damaged, or holds no estimator of this class, or one of a later version.
        """
        if Path(path).is_dir():
            raise IsADirectoryError(f"{path} is a folder: give a file that {cls.__name__}.save has written.")
        try:
            with safetensors.safe_open(path, framework="pt") as file:
                held = json.loads((file.metadata() or {}).get(_KEY, "{}"))
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - it is no dict
        except (safetensors.SafetensorError, ValueError) as error:
            raise ValueError(f"{path} is no file of {cls.__name__}.save, or is damaged: {error}.") from error
        _check(held, cls, path)
        try:
            estimator: Self = unpack(held["estimator"], tensors)
        except (AnabranchError, AttributeError, KeyError, TypeError, ValueError) as error:
            raise ValueError(f"{path} is damaged ({error!r}): restore it from a copy.") from error
        return estimator


def _check(held: Any, cls: type, path: str | os.PathLike[str]) -> None:
    """Refuse what is no estimator of `cls` that this version can read.

    Raises:
        ValueError: saying what it is.
    """
    known = isinstance(held, dict) and {"format", "version", "estimator"} <= held.keys()
    if not known or not isinstance(held["estimator"], dict):
        raise ValueError(f"{path} holds no estimator: give a file that {cls.__name__}.save has written.")
    if held["format"] != FORMAT:
        raise ValueError(f"{path} was saved by Anabranch {held['version']}, in a format that this one cannot read.")
    name = held["estimator"].get("is")
    if name != cls.__name__:
        raise ValueError(f"{path} was saved by {name}: read it with {name}.load.")
