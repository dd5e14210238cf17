"""From a model's description to the model: `dbn:784-500-500-2000`, `mlp:784-500-10`, or `module:function`."""

import importlib
import math
import sys
import traceback
from pathlib import Path

import torch
from torch import Tensor, nn

from anabranch.config import ModelOptions
from anabranch.data import Dataset
from anabranch.errors import UsageError, unknown_name
from anabranch.models import DBN, mlp
from anabranch.models.flat import flat_parameters
from anabranch.seeding import derive_seed, generator

KINDS = ("dbn", "mlp")
_STREAM, _HEAD = int.from_bytes(b"model"), int.from_bytes(b"head")


def resolve_model(model: str, dataset: Dataset) -> str:
    """`model` with sizes: plain 'dbn' and 'mlp' get sizes that fit the data.

    Raises:
        UsageError: unknown kind, sizes that are no numbers, or that do not fit the data.
    """
    kind, _, rest = model.partition(":")
    if kind not in KINDS:
        if rest.partition(".")[0].isidentifier():
            return model  # a Python path
        raise unknown_name("model", kind, KINDS)
    sizes = _sizes(model, rest) if rest else _default_sizes(kind, dataset)
    _check_sizes(kind, sizes, dataset)
    return f"{kind}:{'-'.join(str(size) for size in sizes)}"


def build_model(options: ModelOptions, dataset: Dataset, seed: int, dtype: torch.dtype) -> nn.Module:
    """The model that `options.model` (as `resolve_model` left it) describes, with weights from `seed`.

    Raises:
        UsageError: the initial standard deviation is none, or a Python path leads to no function or no module, or to
            a module that does not fit the data.
    """
    kind, _, rest = options.model.partition(":")
    if not (math.isfinite(options.initial_std) and options.initial_std >= 0):
        raise UsageError(f"the weights' standard deviation must be 0 or more, not {options.initial_std}: try 0.01.")
    if kind in KINDS:
        return build_network(options, seed, dtype)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(derive_seed(_STREAM, seed))
        module = _call(kind, rest).to(dtype)
    _try_out(options.model, module, dataset, dtype)
    return module


def build_network(options: ModelOptions, seed: int, dtype: torch.dtype) -> nn.Module:
    """The DBN or MLP that `options.model` describes, sizes and all, with weights from `seed`."""
    kind, _, rest = options.model.partition(":")
    sizes, chance = _sizes(options.model, rest), generator(_STREAM, seed)
    if kind == "dbn":
        return DBN(sizes, units=options.units, std=options.initial_std, generator=chance, dtype=dtype)
    return mlp(sizes, activation=options.activation, start=options.mlp_start, generator=chance, dtype=dtype)


def with_classes(dbn: DBN, classes: int, dropout: float, seed: int) -> nn.Sequential:
    """The classifier with the weights of `dbn`, and those of its top layer from `seed`."""
    return dbn.classifier(classes, dropout=dropout, generator=generator(_HEAD, seed))


def _sizes(model: str, text: str) -> list[int]:
    parts = text.split("-")
    if not all(part.isascii() and part.isdigit() and int(part) > 0 for part in parts) or len(parts) < 2:
        raise UsageError(f"'{model}' is no list of layer sizes: write two or more, as in dbn:784-500-500-2000.")
    return [int(part) for part in parts]


def _default_sizes(kind: str, dataset: Dataset) -> list[int]:
    width = dataset.train.width
    small = width < 256
    if kind == "mlp":
        return [width, 200 if small else 500, max(dataset.classes, 1)]
    return [width, 200, 200, 500] if small else [width, 500, 500, 2000]


def _check_sizes(kind: str, sizes: list[int], dataset: Dataset) -> None:
    width = dataset.train.width
    if sizes[0] != width:
        right = "-".join(str(size) for size in [width, *sizes[1:]])
        raise UsageError(
            f"the model has {sizes[0]} input units, but {dataset.name} has {width} features: "
            f"use --model {kind}:{right}."
        )
    if kind == "mlp" and dataset.classes == 0:
        raise UsageError(f"an mlp learns from labels, but {dataset.name} has none: use --model dbn, or give labels.")
    if kind == "mlp" and sizes[-1] != dataset.classes:
        right = "-".join(str(size) for size in [*sizes[:-1], dataset.classes])
        raise UsageError(
            f"the model has {sizes[-1]} output units, but {dataset.name} has {dataset.classes} classes: "
            f"use --model mlp:{right}."
        )


def _call(module_name: str, function_name: str) -> nn.Module:
    if (here := str(Path.cwd())) not in sys.path:
        sys.path.insert(0, here)
    try:
        module = importlib.import_module(module_name)
    except ImportError as error:
        raise UsageError(
            f"cannot import '{module_name}' for --model ({error}): use dbn:…, mlp:…, or a module in this folder."
        ) from error
    except Exception as error:  # a user's code may raise anything
        raise _raised(f"importing '{module_name}' for --model", error) from error
    function = getattr(module, function_name, None)
    if not callable(function):
        raise UsageError(f"'{module_name}' has no function '{function_name}': --model wants module:function.")
    try:
        network = function()
    except Exception as error:  # as above
        raise _raised(f"{module_name}:{function_name}()", error) from error
    if not isinstance(network, nn.Module):
        raise UsageError(
            f"{module_name}:{function_name} returned {type(network).__name__}: it must return a torch.nn.Module."
        )
    return network


def _raised(what: str, error: Exception) -> UsageError:
    frame = traceback.extract_tb(error.__traceback__)[-1]
    text = (str(error).strip().splitlines() or ["no message"])[0]
    return UsageError(
        f"{what} raised {type(error).__name__} ({text}) in {frame.filename}, line {frame.lineno}: mend it there."
    )


@torch.no_grad()
def _try_out(name: str, module: nn.Module, dataset: Dataset, dtype: torch.dtype) -> None:
    flat_parameters(module)  # refuses parameters of several kinds, or none
    if dataset.classes == 0:
        raise UsageError(f"{name} learns from labels, but {dataset.name} has none: give labels, or use --model dbn.")
    batch = dataset.train.take(torch.arange(2 if len(dataset.train) > 1 else 1), dtype)
    before = {key: tensor.clone() for key, tensor in module.state_dict().items()}
    try:
        with torch.random.fork_rng(devices=[]):
            output = module(batch.x)
    except Exception as error:  # a user's code may raise anything
        raise _raised(f"{name}, given a batch {list(batch.x.shape)} of {dataset.name},", error) from error
    module.load_state_dict(before)  # running statistics must not remember the try
    shape = list(output.shape) if isinstance(output, Tensor) else type(output).__name__
    if shape != [len(batch), dataset.classes]:
        raise UsageError(
            f"{name} gives {shape} for a batch of {len(batch)}, but {dataset.name} needs logits "
            f"[{len(batch)}, {dataset.classes}], one for each class."
        )
