"""Values of an estimator as JSON and named tensors, and back again to the bit: what files hold instead of pickles."""

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from anabranch.kernels import Array
from anabranch.optim import DEFAULT_RULE, Rule
from anabranch.strategies import CATALOGUE, Hosting, TaskState

Json = Any

_CLASSES: dict[str, type] = {
    kind.__name__: kind
    for kind in (Rule, Hosting, TaskState, *(type(entry.make(DEFAULT_RULE)) for entry in CATALOGUE.values()))
}
ESTIMATORS: dict[str, type] = {}  # by their names, as they come to be: they are made of values, too
_FLOATS = ("float32", "float64")
_PLAIN = (bool, int, float, str, type(None))  # what JSON has


class Packer:
    """Puts values away.

    Attributes:
        tensors: what does not go into JSON, by names that it refers to.
    """

    def __init__(self) -> None:
        self.tensors: dict[str, Tensor] = {}

    def pack(self, value: object, name: str) -> Json:
        """The JSON of `value`; `name` says where it stood.

        Raises:
            TypeError: there is no form for it.
        """
        match value:
            case None | bool() | int() | float() | str():
                return value
            case np.generic():
                return self._tagged("scalar", self.pack(np.asarray(value), name))
            case np.ndarray():
                return self._array(value, name)
            case Tensor():
                return self._tagged("tensor", self._put(value, name))
            case list():
                return [self.pack(item, f"{name}.{number}") for number, item in enumerate(value)]
            case tuple():
                return self._tagged("tuple", self.pack(list(value), name))
            case dict():
                return self._fields(value, "dict", name)
            case np.random.RandomState():
                return self._tagged("random state", self.pack(value.get_state(legacy=False), name))
        kind = type(value).__name__
        if is_dataclass(value) and type(value) is _CLASSES.get(kind):
            return self._fields({f.name: getattr(value, f.name) for f in fields(value)}, kind, name)
        if type(value) is ESTIMATORS.get(kind):
            return self._fields(vars(value), kind, name)
        raise TypeError(f"{name} is {value!r}, which a file has no form for")

    def _fields(self, values: Mapping[str, object], kind: str, name: str) -> Json:
        within = f"{name}." if name else ""
        return self._tagged(kind, {key: self.pack(value, within + key) for key, value in values.items()})

    def _array(self, value: Array, name: str) -> Json:
        if value.dtype.name in _FLOATS and value.ndim:
            return self._tagged("array", self._put(torch.from_numpy(np.array(value, order="C")), name))
        items = value.ravel().tolist()
        if value.dtype.kind not in "biufUO" or not all(isinstance(item, _PLAIN) for item in items):
            raise TypeError(f"{name} holds values of type {value.dtype}, which a file has no form for")
        return self._tagged("list", [str(value.dtype), list(value.shape), items])

    def _put(self, tensor: Tensor, name: str) -> str:
        self.tensors[name] = tensor
        return name

    @staticmethod
    def _tagged(kind: str, held: Json) -> Json:
        return {"is": kind, "of": held}


def unpack(packed: Json, tensors: Mapping[str, Tensor]) -> Any:
    """The value of a `Packer`'s JSON.

    Raises:
        KeyError, TypeError, ValueError: it is none.
    """
    if isinstance(packed, list):
        return [unpack(item, tensors) for item in packed]
    if not isinstance(packed, dict):
        return packed
    kind, held = packed["is"], packed["of"]
    match kind:
        case "tensor":
            return tensors[held]
        case "array":
            return tensors[held].numpy()
        case "list":
            dtype, shape, items = held
            return np.array(items, dtype=dtype).reshape(shape)
        case "scalar":
            return unpack(held, tensors)[()]
        case "tuple":
            return tuple(unpack(held, tensors))
        case "dict":
            return {key: unpack(item, tensors) for key, item in held.items()}
        case "random state":
            stream = np.random.RandomState()
            stream.set_state(unpack(held, tensors))
            return stream
    values = {key: unpack(item, tensors) for key, item in held.items()}
    if kind in _CLASSES:
        return _CLASSES[kind](**values)
    estimator = ESTIMATORS[kind]()
    vars(estimator).update(values)
    return estimator
