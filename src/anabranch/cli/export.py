"""`anabranch export`: a trained model for plain PyTorch, or as ONNX."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro

from anabranch.cli.finished import alone, checked_out
from anabranch.data import Scale
from anabranch.export import INSTALL, onnx_bytes, plain_network, recipe
from anabranch.files import make_folder, write_bytes
from anabranch.progress import make_display
from anabranch.tensorfile import tensor_bytes
from anabranch.trained import Trained, read_trained

DESCRIPTION = f"""\
Write a trained model in a form that needs no Anabranch. Examples:

  anabranch export runs/mnist-dbn-…                        a state dict, and the lines of plain torch that load it
  anabranch export runs/mnist-dbn-… --format onnx          for ONNX Runtime and others ({INSTALL})

A classifier becomes a network from inputs to logits; RBMs without one become an encoder, from inputs to the activities
of the top hidden layer. The inputs want the scaling that the run's data had.
"""

Format = Literal["safetensors", "onnx"]
SCALES: dict[Scale, str] = {
    "auto": "bytes and whole numbers scaled to [0, 1], floats as they are",
    "none": "as the data were",
    "minmax": "scaled to [0, 1], as --scale minmax did by the training part; the file does not hold its range",
    "standard": "standardised, as --scale standard did by the training part; the file does not hold its moments",
}


@dataclass(frozen=True)
class Arguments:
    """All options of `anabranch export`."""

    run: tyro.conf.Positional[Annotated[str, tyro.conf.arg(metavar="RUN")]]
    """The run's folder."""
    format: Annotated[Format, tyro.conf.arg(metavar="safetensors|onnx")] = "safetensors"
    """Of the file."""
    out: Annotated[str | None, tyro.conf.arg(metavar="FILE")] = None
    """The file; exported.safetensors or exported.onnx in the run's folder unless given. One that exists is replaced."""


def main(arguments: Sequence[str]) -> int:
    """Run the command; return the exit code.

    Raises:
        AnabranchError: every foreseen failure.
    """
    alone("export")
    options = tyro.cli(Arguments, args=arguments, prog="anabranch export", description=DESCRIPTION)
    trained = read_trained(Path(options.run))
    path = checked_out(options.out, trained.folder, f"exported.{options.format}")
    say = make_display().say
    network = plain_network(trained)
    if options.format == "onnx":
        say("translating to ONNX: some seconds …")
        content = onnx_bytes(trained, network)
    else:
        content = tensor_bytes(network.state_dict())
    make_folder(path.parent)
    write_bytes(path, content)
    for line in _sentences(trained, path, options.format):
        say(line)
    if options.format == "safetensors":
        say(f"plain torch loads it so:\n\n{recipe(trained, network, path)}")
    return 0


def _sentences(trained: Trained, path: Path, form: Format) -> list[str]:
    inputs = f"x [batch, {trained.inputs or 'inputs'}]"
    outputs = "logits [batch, classes]" if trained.network is not None else "activities of the top layer [batch, units]"
    values = SCALES[trained.config.data.scale]
    return [f"{trained.config.model.model} as {form} in {path}", f"  from {inputs} to {outputs}", f"  x: {values}"]
