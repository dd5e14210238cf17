"""A trained model without Anabranch: as modules of plain torch with the lines that load them, and as ONNX."""

import json
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from torch import nn

from anabranch.build import KINDS
from anabranch.errors import AnabranchError, UsageError
from anabranch.objectives.base import weight_dtype
from anabranch.trained import Trained

INSTALL = "pip install 'anabranch[onnx]'"
INPUT, BATCH = "x", "batch"  # names in the ONNX graph


def plain_network(trained: Trained) -> nn.Module:
    """What computes the model's outputs: the classifier, or the encoder of a stack of RBMs.

    [batch, inputs] to logits [batch, classes], or to the activities [batch, units] of the top hidden layer. Layers of
    Anabranch's own models become `torch.nn.Linear` and units of `torch.nn`, without dropout, which is for training;
    a module of the user's own stays what it is.
    """
    if trained.network is None:
        return _encoder(trained)
    if isinstance(trained.network, nn.Sequential) and _is_own(trained):
        return nn.Sequential(*(layer for layer in trained.network if not isinstance(layer, nn.Dropout)))
    return trained.network


def recipe(trained: Trained, network: nn.Module, file: Path) -> str:
    """The lines of plain torch that load `file`, a state dict of `network`, and compute its outputs."""
    precise = trained.config.training.precision == "float64"
    width = trained.inputs
    lines = ["import torch", "from safetensors.torch import load_file", ""]
    if _is_own(trained):
        lines += ["model = torch.nn.Sequential(", *(f"    torch.nn.{layer}," for layer in _layers(network)), ")"]
    else:
        kind, _, function = trained.config.model.model.partition(":")
        lines += [f"from {kind} import {function}", "", f"model = {function}()"]
    lines += ["model = model.double()"] * precise
    lines += [f"model.load_state_dict(load_file({json.dumps(str(file))}), strict=True)", "model.eval()"]
    numbers = ", dtype=torch.float64" if precise else ""
    shape = f"1, {width}" if width else "1, ..."
    comment = "" if width else "# "
    outputs = "logits" if trained.network is not None else "codes"
    return "\n".join([*lines, f"{comment}{outputs} = model(torch.zeros({shape}{numbers}))"]) + "\n"


def onnx_bytes(trained: Trained, network: nn.Module) -> bytes:
    """`network` as an ONNX model, by torch's own exporter: input "x" [batch, inputs], for batches of any size.

    Raises:
        UsageError: the packages for ONNX are missing, or the model does not tell its number of inputs.
        AnabranchError: the exporter cannot translate a module of the user's own.
    """
    if trained.inputs is None:
        raise UsageError(
            f"{trained.config.model.model} does not tell how many inputs it takes, which ONNX must know: "
            "let it begin with a torch.nn.Linear in a torch.nn.Sequential, or call torch.onnx.export yourself."
        )
    _check_packages()
    # Two examples: an exporter takes a batch of one for a constant.
    example = torch.zeros(2, trained.inputs, dtype=weight_dtype(trained.config.training.precision))
    try:
        with _quiet():
            program = torch.onnx.export(
                network,
                (example,),
                input_names=[INPUT],
                output_names=["logits" if trained.network is not None else "codes"],
                dynamic_shapes=({0: torch.export.Dim(BATCH)},),
                dynamo=True,
                verbose=False,
            )
    except Exception as error:  # the exporter, and a user's own module, may raise anything
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise AnabranchError(
            f"torch cannot export {trained.config.model.model} to ONNX ({reason}): use --format safetensors."
        ) from error
    if program is None:
        raise AnabranchError("torch's exporter returned no ONNX program: use --format safetensors.")
    content: bytes = program.model_proto.SerializeToString()
    return content


def _check_packages() -> None:
    """See that those are there which torch's exporter wants."""
    try:
        import onnx  # noqa: F401
        import onnxscript  # noqa: F401
    except ImportError as error:
        raise UsageError(f"ONNX needs the package {error.name}: install it with  {INSTALL}") from error


def _is_own(trained: Trained) -> bool:
    """Whether the model is Anabranch's, and no module of the user's."""
    return trained.config.model.model.partition(":")[0] in KINDS


def _encoder(trained: Trained) -> nn.Sequential:
    if trained.dbn is None:
        raise ValueError("a run has RBMs or a network")
    layers: list[nn.Module] = []
    for rbm in trained.dbn.layers:
        linear = nn.Linear(rbm.visible, rbm.hidden, dtype=rbm.weight.dtype)
        linear.load_state_dict({"weight": rbm.weight, "bias": rbm.hidden_bias})
        layers += [linear, nn.Sigmoid()]
    return nn.Sequential(*layers).eval().requires_grad_(False)


def _layers(network: nn.Module) -> list[str]:
    """Each layer as its constructor's call."""
    return [
        f"Linear({layer.in_features}, {layer.out_features})"
        if isinstance(layer, nn.Linear)
        else f"{type(layer).__name__}()"
        for layer in network.children()
    ]


@contextmanager
def _quiet() -> Iterator[None]:
    """Without what the exporter warns of: its own use of torch, and packages that nobody asked for."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)
