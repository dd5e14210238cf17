"""`anabranch sample`: pictures from a trained deep belief network, of all it knows or of one class."""

import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import torch
import tyro
from torch import Tensor

from anabranch.cli.finished import alone, checked_out, use_threads
from anabranch.data import Examples
from anabranch.errors import AnabranchError, UsageError
from anabranch.files import make_folder, write_bytes
from anabranch.models import DBN
from anabranch.mosaic import mosaic, png
from anabranch.pretrain import layer_name
from anabranch.progress import Display, make_display, told
from anabranch.sampling import LEARNING_STEPS, Course, learn_label_weights, sample
from anabranch.seeding import generator
from anabranch.selection import Selection, own_part
from anabranch.tensorfile import tensor_bytes
from anabranch.trained import Trained, read_trained
from anabranch.wording import counted

DESCRIPTION = """\
Let a trained deep belief network dream up pictures: block Gibbs sampling in its top RBM, from random states, then one
pass down to the pixels. Examples:

  anabranch sample runs/mnist-dbn-…                  64 pictures of anything
  anabranch sample runs/mnist-dbn-… --class 3        64 pictures of a 3
  anabranch sample runs/mnist-dbn-… --class all      8 of each class, a row a class
  anabranch sample runs/mnist-dbn-… --layer 1        from the lowest RBM alone

It samples the RBMs as they were before fine-tuning, for back-propagation leaves no model of the pixels. They have seen
no labels; --class therefore reads the run's training data, adds label units to the RBM (its own weights stay as they
are), learns their weights by persistent contrastive divergence, and keeps the class's unit on while the chains run
(Hinton, Osindero & Teh 2006; Tieleman 2008).
"""

_LABELS, _CHAINS = (int.from_bytes(word) for word in (b"labels", b"chains"))
MOST_EXAMPLES = 500  # of each class, from which label weights are learnt
COUNT, COUNT_EACH = 64, 8


@dataclass(frozen=True)
class Arguments:
    """All options of `anabranch sample`."""

    run: tyro.conf.Positional[Annotated[str, tyro.conf.arg(metavar="RUN")]]
    """The run's folder."""
    layer: Annotated[int | None, tyro.conf.arg(metavar="INT")] = None
    """The RBM in which the chains run; 1 is the lowest; the top one unless given."""
    label: Annotated[str | None, tyro.conf.arg(name="class", metavar="INT|all")] = None
    """Pictures of one class, or of each."""
    count: Annotated[int | None, tyro.conf.arg(metavar="INT")] = None
    """Pictures; 64 unless given. With --class all, of each class; 8 unless given."""
    steps: int = 1000
    """Steps of each chain. The first ones still show the random start."""
    seed: int = 0
    """Of all randomness; the same seed gives the same pictures."""
    out: Annotated[str | None, tyro.conf.arg(metavar="FILE.png")] = None
    """The picture; samples.png in the run's folder unless given. Its numbers lie beside it, as .safetensors. Files
    that exist are replaced."""


@dataclass(frozen=True, eq=False)
class Clamping:
    """The class of each chain [count], and what its label unit adds to the hidden biases [count, hidden]."""

    labels: Tensor
    shift: Tensor


def main(arguments: Sequence[str]) -> int:
    """Run the command; return the exit code.

    Raises:
        AnabranchError: every foreseen failure.
    """
    alone("sample")
    options = tyro.cli(Arguments, args=arguments, prog="anabranch sample", description=DESCRIPTION)
    trained = read_trained(Path(options.run))
    dbn, layer = _checked(options, trained)
    out = checked_out(options.out, trained.folder, "samples.png", ".safetensors")
    use_threads(trained.config)
    display = make_display()
    data = _data(trained, display, needed=options.label is not None)
    clamping = None if options.label is None or data is None else _clamped(options, dbn, layer, data, display)
    count = len(clamping.labels) if clamping else options.count or COUNT
    name = layer_name(layer - 1, dbn.layers[layer - 1])
    display.say(f"{counted(count, 'chain')} of {counted(options.steps, 'Gibbs step')} in {name}")
    pictures = sample(
        dbn,
        layer,
        count,
        steps=options.steps,
        generator=generator(_CHAINS, options.seed),
        shift=clamping.shift if clamping else None,
        course=_course("Gibbs steps", display),
    )
    _write(out, options, trained, pictures, clamping, data)
    _conclude(out, trained, pictures, clamping, display)
    return 0


def _checked(options: Arguments, trained: Trained) -> tuple[DBN, int]:
    """The stack, and the number of the layer.

    Raises:
        UsageError: an option is out of its range, or the model is no DBN.
    """
    dbn = trained.dbn
    if dbn is None:
        raise UsageError(
            f"the model of {options.run} is {trained.config.model.model}, which knows classes but no pictures: "
            "give the run of a dbn."
        )
    for name, value in (("--count", options.count), ("--steps", options.steps)):
        if value is not None and value < 1:
            raise UsageError(f"{name} must be 1 or more, not {value}.")
    layer = len(dbn.layers) if options.layer is None else options.layer
    if not 1 <= layer <= len(dbn.layers):
        raise UsageError(f"--layer must be from 1 to {len(dbn.layers)}, the top one of {options.run}, not {layer}.")
    return dbn, layer


def _data(trained: Trained, display: Display, *, needed: bool) -> Selection | None:
    """The run's training data; None where they cannot be read and are not `needed`."""
    try:
        return own_part(trained.config, "train", width=trained.inputs, noted=trained.folder.noted_data())
    except AnabranchError as error:
        if needed:
            raise
        display.say(f"the run's data cannot be read, which would tell the shape of a picture: {error}")
        return None


def _clamped(options: Arguments, dbn: DBN, layer: int, data: Selection, display: Display) -> Clamping:
    """Learn the weights of the label units that are asked for."""
    classes = _classes(options, data)
    each = options.count or (COUNT_EACH if options.label == "all" else COUNT)
    chance = generator(_LABELS, options.seed)
    patterns = [dbn.up_to(_some(data.examples, k, chance, dbn), layer - 1) for k in classes]
    what = "classes" if len(classes) > 1 else "class"
    display.say(
        f"learning the label units of {what} {', '.join(map(str, classes))} from {sum(map(len, patterns)):,} examples"
    )
    course = _course("learning steps", display)
    u = learn_label_weights(dbn.layers[layer - 1], patterns, chance, steps=LEARNING_STEPS, course=course)
    return Clamping(torch.tensor(classes).repeat_interleave(each), u.repeat_interleave(each, dim=0))


def _classes(options: Arguments, data: Selection) -> list[int]:
    """The classes that are asked for, all of which have examples.

    Raises:
        UsageError: there is none such.
    """
    labels, asked = data.examples.labels, options.label or ""
    if labels is None:
        raise UsageError(f"{data.name}: there are no labels, by which to know a class; leave --class out.")
    found = sorted(set(labels.tolist()))
    if asked == "all":
        return found
    if not (asked.isascii() and asked.isdigit() and int(asked) in found):
        raise UsageError(f"--class {asked} is no class of {data.name}: use one of {_shown(found)}, or all.")
    return [int(asked)]


def _shown(classes: Sequence[int]) -> str:
    return ", ".join(map(str, classes)) if len(classes) <= 12 else f"{classes[0]} to {classes[-1]}"


def _some(examples: Examples, label: int, chance: torch.Generator, dbn: DBN) -> Tensor:
    """At most `MOST_EXAMPLES` of a class, chosen at random: [n, input]."""
    rows = torch.arange(0) if examples.labels is None else (examples.labels == label).nonzero().view(-1)
    chosen = rows[torch.randperm(len(rows), generator=chance)[:MOST_EXAMPLES]]
    return examples.take(chosen, dbn.layers[0].weight.dtype).x


def _course(what: str, display: Display) -> Course:
    def course(steps: range) -> Iterable[int]:
        return told(steps, len(steps), what, display.say)

    return course


def _write(
    out: Path, options: Arguments, trained: Trained, pictures: Tensor, clamping: Clamping | None, data: Selection | None
) -> None:
    shape = picture_shape(pictures.shape[1], data.image_shape if data else None)
    low, high = (0.0, 1.0) if trained.config.model.units == "bernoulli" else map(float, pictures.aminmax())
    grey = (pictures - low) / ((high - low) or 1.0)
    columns = math.ceil(math.sqrt(len(pictures)))
    if clamping is not None and options.label == "all":
        columns = len(pictures) // len(set(clamping.labels.tolist()))
    make_folder(out.parent)
    write_bytes(out, png(mosaic(grey.view(-1, *shape), columns)))
    metadata: dict[str, Any] = {
        "run": options.run,
        "steps": options.steps,
        "seed": options.seed,
        "layer": options.layer,
    }
    tensors = {"samples": pictures} | ({"labels": clamping.labels} if clamping else {})
    write_bytes(out.with_suffix(".safetensors"), tensor_bytes(tensors, {"anabranch": json.dumps(metadata)}))


def picture_shape(inputs: int, known: tuple[int, int] | None) -> tuple[int, int]:
    """Height and width of a picture of so many pixels: as `known`, or a square, or else one row."""
    side = math.isqrt(inputs)
    return known or ((side, side) if side * side == inputs else (1, inputs))


def _conclude(out: Path, trained: Trained, pictures: Tensor, clamping: Clamping | None, display: Display) -> None:
    if clamping is not None and trained.network is not None:
        with torch.no_grad():
            right = int((trained.network(pictures).argmax(dim=1) == clamping.labels).sum())
        display.say(f"the run's classifier takes {right} of {len(pictures)} for what they are meant to be")
    display.say(
        f"{counted(len(pictures), 'picture')} in {out}, their numbers in {out.with_suffix('.safetensors').name}"
    )
