"""`anabranch evaluate`: the error of a trained model, class by class; or how well the RBMs of a stack fit the data."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import torch
import tyro
from torch import nn

from anabranch.cli.figures import fit_data, fit_lines, judgement_data, judgement_lines
from anabranch.cli.finished import alone, check_spared, use_threads
from anabranch.config import Config
from anabranch.data import Scale, check_unit_interval
from anabranch.errors import UsageError
from anabranch.evaluate import CHUNK, layer_fits
from anabranch.files import make_folder, write_json
from anabranch.judgement import judge
from anabranch.objectives.base import weight_dtype
from anabranch.progress import make_display, told
from anabranch.seeding import generator
from anabranch.selection import Part, Selection, other_part, own_part
from anabranch.trained import Trained, read_trained
from anabranch.wording import counted

DESCRIPTION = """\
Measure what a run has learnt. Examples:

  anabranch evaluate runs/digits-dbn-…                     its test part: the error of summary.json, class by class
  anabranch evaluate runs/digits-dbn-… --part train        what it has learnt from
  anabranch evaluate runs/mnist-dbn-… --data mine.npz      other data, scaled as the run's own were
  anabranch evaluate runs/digits-dbn-… --json result.json  the same, as data

A classifier is measured by its error, its loss, and the confusion of its classes. Where there is none (no labels, or
--finetune-epochs 0), each RBM is, by the error of its reconstructions and by its pseudo-likelihood.
"""

_STREAM = int.from_bytes(b"evalu")


@dataclass(frozen=True)
class Arguments:
    """All options of `anabranch evaluate`."""

    run: tyro.conf.Positional[Annotated[str, tyro.conf.arg(metavar="RUN")]]
    """The run's folder."""
    data: Annotated[str | None, tyro.conf.arg(metavar="NAME|PATH")] = None
    """Other data, named as for training; the run's own unless given."""
    part: Annotated[Part | None, tyro.conf.arg(metavar="train|validation|test")] = None
    """Of the data. Unless given: that on which the run was measured; of other data the test part, or all of them."""
    test_fraction: Annotated[float | None, tyro.conf.arg(metavar="FLOAT")] = None
    """Hold out such a part of other data, as training would, and measure on that alone."""
    scale: Annotated[Scale | None, tyro.conf.arg(metavar="auto|none|minmax|standard")] = None
    """Scale other data by themselves; unless given, as the run's data were scaled."""
    json: Annotated[str | None, tyro.conf.arg(metavar="FILE.json")] = None
    """Write the figures there, too; a file that exists is replaced, but for those of the run itself."""


def main(arguments: Sequence[str]) -> int:
    """Run the command; return the exit code.

    Raises:
        AnabranchError: every foreseen failure.
    """
    alone("evaluate")
    options = tyro.cli(Arguments, args=arguments, prog="anabranch evaluate", description=DESCRIPTION)
    trained = read_trained(Path(options.run))
    if options.json is not None:
        check_spared(trained.folder, "--json", Path(options.json))
    use_threads(trained.config)
    selection = _selected(options, trained)
    say = make_display().say
    say(f"{trained.config.model.model} of {options.run}")
    say(f"{selection.name}: {counted(len(selection.examples), 'example')}")
    lines, figures = _measured(trained, selection, say)
    for line in lines:
        say(line)
    if options.json is not None:
        path = Path(options.json)
        make_folder(path.parent)
        write_json(path, {"run": options.run, "model": trained.config.model.model, "data": selection.name} | figures)
        say(f"written to {path}")
    return 0


def _measured(trained: Trained, selection: Selection, say: Callable[[str], None]) -> tuple[list[str], dict[str, Any]]:
    """Of the classifier, if there is one and there are labels, else of the RBMs: lines for people, and data."""
    config = trained.config
    dtype, chunks = weight_dtype(config.training.precision), -(-len(selection.examples) // CHUNK)
    batches = told(selection.examples.chunks(CHUNK, dtype), chunks, f"chunks of {CHUNK:,} examples", say)
    if trained.network is not None and selection.classes:
        _check_classes(trained.network, selection, config)
        found = judge(trained.network, batches, config.model.outputs)
        return judgement_lines(found), judgement_data(found)
    if trained.dbn is None:
        raise UsageError(
            f"{selection.name}: there are no labels, by which a classifier is judged; name data with labels."
        )
    if config.model.units == "bernoulli":
        check_unit_interval(selection.examples, selection.name)
    fits, through = layer_fits(trained.dbn, batches, generator(_STREAM))
    return fit_lines(trained.dbn, fits, through), fit_data(trained.dbn, fits, through)


def _selected(options: Arguments, trained: Trained) -> Selection:
    if options.data is not None:
        return other_part(
            trained.config,
            options.data,
            options.part,
            test_fraction=options.test_fraction,
            scale=options.scale,
            width=trained.inputs,
            noted=trained.folder.noted_data(),
        )
    for name, value in (("--test-fraction", options.test_fraction), ("--scale", options.scale)):
        if value is not None:
            raise UsageError(
                f"{name} {value} is for other data (--data): the run's own are divided and scaled as they were."
            )
    return own_part(trained.config, options.part, width=trained.inputs, noted=trained.folder.noted_data())


def _check_classes(network: nn.Module, selection: Selection, config: Config) -> None:
    first = selection.examples.take(
        torch.arange(min(2, len(selection.examples))), weight_dtype(config.training.precision)
    )
    try:
        with torch.no_grad():
            outputs = network(first.x).shape[1]
    except Exception as error:  # a user's own module may raise anything
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise UsageError(
            f"the model cannot take {selection.name} ({reason}): give data like those of the run."
        ) from error
    if selection.classes > outputs:
        raise UsageError(
            f"{selection.name}: there are {selection.classes} classes, but the model knows {outputs}: "
            f"give it data like those that it has learnt from ({config.data.data})."
        )
