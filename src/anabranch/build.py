"""From a model's description to the model: `dbn:784-500-500-2000`, `mlp:784-500-10`, or `module:function`."""

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from anabranch.config import ModelOptions
from anabranch.data import Dataset
from anabranch.errors import UsageError, unknown_name
from anabranch.imports import Named, imported, raised
from anabranch.models import DBN, mlp
from anabranch.models.flat import flat_parameters
from anabranch.objectives import Loss
from anabranch.seeding import derive_seed, generator
from anabranch.types import Batch

KINDS = ("dbn", "mlp")
_MOST_UNITS = 999_999_999
_STREAM, _HEAD = int.from_bytes(b"model"), int.from_bytes(b"head")
Build = Callable[[ModelOptions, Dataset, int, torch.dtype], nn.Module]
"""What makes each rank's model, as `build_model` does."""
_NAMED = Named("--model", "function", "use dbn:…, mlp:…, or a module in this folder.")


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
    model = untried_model(options, seed, dtype)
    if options.model.partition(":")[0] not in KINDS:
        try_out(options.model, model, dataset, dtype)
    return model


def outlined(
    build: Build, options: ModelOptions, dataset: Dataset, seed: int = 0, dtype: torch.dtype = torch.float32
) -> nn.Module:
    """As `build` makes it, where only its shapes are asked for: a DBN or MLP of ours then takes no memory.

    Raises:
        UsageError: as `build`.
    """
    if options.model.partition(":")[0] not in KINDS:
        return build(options, dataset, seed, dtype)
    with torch.device("meta"):
        return build(options, dataset, seed, dtype)


def untried_model(options: ModelOptions, seed: int, dtype: torch.dtype) -> nn.Module:
    """As `build_model`, where there are no data that a module of the user's own could be tried out on.

    Raises:
        UsageError: as `build_model`, but for what does not fit the data.
    """
    kind = options.model.partition(":")[0]
    if not (math.isfinite(options.initial_std) and options.initial_std >= 0):
        raise UsageError(f"the weights' standard deviation must be 0 or more, not {options.initial_std}: try 0.01.")
    if kind in KINDS:
        return build_network(options, seed, dtype)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(derive_seed(_STREAM, seed))
        return _call(options.model).to(dtype)


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
    if not all(part.isascii() and part.isdigit() and part.strip("0") for part in parts) or len(parts) < 2:
        raise UsageError(f"'{model}' is no list of layer sizes: write two or more, as in dbn:784-500-500-2000.")
    if max(map(len, parts)) > len(str(_MOST_UNITS)):
        raise UsageError(f"'{model}' has a layer of more than {_MOST_UNITS:,} units: no machine has room for it.")
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


def _call(path: str) -> nn.Module:
    function = imported(path, _NAMED)
    try:
        network = function()
    except (Exception, SystemExit) as error:  # a user's code may raise anything
        raise raised(f"{path}()", error) from error
    if not isinstance(network, nn.Module):
        raise UsageError(f"{path} returned {type(network).__name__}: it must return a torch.nn.Module.")
    return network


def try_out(name: str, module: nn.Module, dataset: Dataset, dtype: torch.dtype, loss: Loss | None = None) -> bool:
    """Let `module` look at a few examples; whether its outputs are logits of classes.

    Without a `loss` they must be: it is cross-entropy.

    Raises:
        UsageError: it is not on the CPU, has nothing to train, or what no checkpoint can hold, or does not fit the
            data, or the loss.
    """
    _check_place(name, module)
    _check_state(name, module)
    flat_parameters(module)  # refuses parameters of several kinds, or none
    if dataset.train.labels is None:
        raise UsageError(f"{name} learns from labels, but {dataset.name} has none: give labels, or use --model dbn.")
    batch = dataset.train.take(torch.arange(2 if len(dataset.train) > 1 else 1), dtype)
    try:
        output = _output(module, batch)
    except Exception as error:  # a user's code may raise anything
        raise raised(f"{name}, given a batch {list(batch.x.shape)} of {dataset.name},", error) from error
    shape = list(output.shape) if isinstance(output, Tensor) else type(output).__name__
    classifies = dataset.classes > 0 and shape == [len(batch), dataset.classes]
    if loss is not None:
        _try_loss(loss, output, batch.y, f"{name}'s output {shape}")
    elif not dataset.classes:
        raise UsageError(f"{dataset.name} has targets of a regression, and {name} no loss for them: give one.")
    elif not classifies:
        raise UsageError(
            f"{name} gives {shape} for a batch of {len(batch)}, but {dataset.name} needs logits "
            f"[{len(batch)}, {dataset.classes}], one for each class."
        )
    return classifies


def try_alone(name: str, module: nn.Module, dataset: Dataset, remedy: str) -> None:
    """Let `module` look at a single example as in training: batch normalization, for one, cannot.

    Raises:
        UsageError: it raised an exception; `remedy` says how no batch is of one example.
    """
    batch = dataset.train.take(torch.arange(1), next(module.parameters()).dtype)
    try:
        _output(module if module.training else module.train(), batch)
    except Exception as error:  # a user's code may raise anything
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise UsageError(
            f"some batches would be of one example, with which {name} cannot be trained ({reason}): {remedy}."
        ) from error


@torch.no_grad()
def _output(module: nn.Module, batch: Batch) -> Any:
    """For `batch`; running statistics and the state of random numbers do not remember it."""
    before = {key: tensor.clone() for key, tensor in module.state_dict().items()}
    with torch.random.fork_rng(devices=[]):
        output = module(batch.x)
    module.load_state_dict(before)
    return output


def _check_state(name: str, module: nn.Module) -> None:
    if any(is_lazy(tensor) for tensor in (*module.parameters(), *module.buffers())):
        raise UsageError(f"{name} has lazy layers, whose shapes are not known yet: let it see a batch first.")
    other = next((key for key, value in module.state_dict().items() if not isinstance(value, Tensor)), None)
    if other is not None:
        raise UsageError(
            f"{name} keeps in its state_dict what is no tensor ('{other}'), but checkpoints hold tensors alone: "
            "keep it elsewhere, or as a tensor."
        )


def _check_place(name: str, module: nn.Module) -> None:
    tensors = [*module.parameters(), *module.buffers()]
    elsewhere = next((t.device for t in tensors if t.device.type != "cpu"), None)
    if elsewhere is not None:
        raise UsageError(f"{name} is on {elsewhere}, but training here is on the CPU: give it model.cpu().")
    if tensors and not any(p.requires_grad for p in module.parameters()):
        raise UsageError(f"no parameter of {name} requires a gradient, so there is nothing to train: unfreeze some.")


def _try_loss(loss: Loss, output: Any, targets: Tensor | None, what: str) -> None:
    assert targets is not None  # looked at before
    try:
        with torch.no_grad():
            value: object = loss(output, targets)
    except Exception as error:  # a user's code may raise anything
        raise raised(f"the loss, given {what} and targets {list(targets.shape)},", error) from error
    if not isinstance(value, Tensor) or value.numel() != 1:
        found = f"a tensor {list(value.shape)}" if isinstance(value, Tensor) else f"a {type(value).__name__}"
        raise UsageError(f"the loss gives {found}, not the mean over the batch as a scalar tensor: reduce it.")
