"""Which examples a trained model is measured on: the run's own parts, or other data, scaled as it has learnt."""

from dataclasses import dataclass
from typing import Literal

import torch

from anabranch.config import Config
from anabranch.data import Division, Examples, Scale, Scaling, Sketch, fit, load_unscaled, sketch
from anabranch.errors import DataError, UsageError
from anabranch.runfolder import PROGRAM

Part = Literal["train", "validation", "test"]


@dataclass(frozen=True, eq=False)
class Selection:
    """Scaled examples.

    Attributes:
        name: of the data and their part, such as "digits, test part".
        examples: of them.
        classes: of the whole data set; 0 without labels.
        image_shape: (height, width) in pixels where a row is an image.
    """

    name: str
    examples: Examples
    classes: int
    image_shape: tuple[int, int] | None


def own_part(
    config: Config, part: Part | None = None, *, width: int | None = None, noted: Sketch | None = None
) -> Selection:
    """A part of the data that a run had; that on which it was measured unless one is named.

    Args:
        config: of the run.
        part: of its data.
        width: features that the model takes, if that is known.
        noted: what tells the run's data from others, if that is known.

    Raises:
        UsageError: the run had no such part, or its data have changed since.
        UsageError, DataError: as `anabranch.data.load`.
    """
    chosen: Part = part or ("validation" if config.data.validation_fraction else "test")
    division = _own(config)
    if width is not None and division.train.width != width:
        raise UsageError(
            f"the model has {width} inputs, but {division.name} has {division.train.width} features: "
            "these are no longer the data that it has learnt from; put them back as they were."
        )
    scaling = fit(config.data.scale, division.train)
    _check_unchanged(division, scaling, noted)
    return _scaled(division, chosen, scaling)


def other_part(
    config: Config,
    data: str,
    part: Part | None = None,
    *,
    test_fraction: float | None = None,
    scale: Scale | None = None,
    width: int | None = None,
    noted: Sketch | None = None,
) -> Selection:
    """A part of other data; unless one is named, their test part, or all of them where they have none.

    Args:
        config: of the run.
        data: a name or path, as for `anabranch.data.load`.
        part: of them.
        test_fraction: held out as training would do, with the run's seed, if they have no test part of their own.
        scale: fitted to these data themselves; unless given, they are scaled as the run's data were.
        width: features that the model takes, if that is known.
        noted: what tells the run's data from others, if that is known.

    Raises:
        UsageError: the data have another width, or no such part.
        UsageError, DataError: as `anabranch.data.load`.
    """
    division = load_unscaled(data, seed=config.training.seed, test_fraction=test_fraction)
    found = division.train.width
    if width is not None and found != width:
        raise UsageError(
            f"the model has {width} inputs, but {data} has {found} features: give it data like those that it has "
            f"learnt from ({config.data.data})."
        )
    scaling = fit(scale, division.train) if scale else _learnt_scaling(config, division, noted)
    return _scaled(division, part or ("train" if division.test is None else "test"), scaling, whole=part is None)


def _own(config: Config) -> Division:
    options = config.data
    if options.data.startswith(PROGRAM):
        raise UsageError(
            "the run's data were given by a Python program, which alone has them: name others with  --data."
        )
    return load_unscaled(
        options.data,
        seed=config.training.seed,
        test_fraction=options.test_fraction,
        classes=options.classes,
        validation_fraction=options.validation_fraction,
    )


def _learnt_scaling(config: Config, other: Division, noted: Sketch | None) -> Scaling:
    """The scaling that the run's own training part got, but where the rule says that floats stay as they are."""
    rule = config.data.scale
    if rule == "none" or (rule == "auto" and _stays(other)):
        return fit(rule, other.train)
    try:
        own = _own(config)
        learnt = fit(rule, own.train)
        _check_unchanged(own, learnt, noted)
    except (UsageError, DataError) as error:
        raise UsageError(
            f"{other.name} is to be scaled as the run's data were, which cannot be done ({str(error).rstrip('.')}): "
            "choose a rule for it with --scale."
        ) from error
    if rule == "auto" and _stays(own):
        return fit(rule, other.train)
    if own.train.width != other.train.width:
        raise UsageError(
            f"{own.name}, as which {other.name} is to be scaled, has {own.train.width} features, but {other.name} has "
            f"{other.train.width}: give data of the same width."
        )
    return learnt


def _check_unchanged(own: Division, scaling: Scaling, noted: Sketch | None) -> None:
    held_out = own.test if own.validation is None else own.validation
    if noted is None or held_out is None:
        return
    now = sketch(scaling.apply(own.train), scaling.apply(held_out), own.classes)
    if difference := noted.difference(now):
        raise UsageError(
            f"{own.name} is no longer what the run has learnt from ({difference}): put the data back as they were, or "
            "name others with --data."
        )


def _stays(division: Division) -> bool:
    """Whether --scale auto leaves these numbers as they are."""
    dtype = division.train.features.dtype
    return dtype.is_floating_point or dtype == torch.bool


def _scaled(division: Division, part: Part, scaling: Scaling, *, whole: bool = False) -> Selection:
    examples = {"train": division.train, "test": division.test, "validation": division.validation}[part]
    undivided = part == "train" and division.test is None
    if examples is None or (undivided and not whole):
        held_out = "" if part == "validation" else ", or hold out a test part with --test-fraction"
        raise UsageError(f"{division.name} has no {part} part: leave --part out{held_out}.")
    what = "all examples" if undivided else f"{part} part"
    return Selection(f"{division.name}, {what}", scaling.apply(examples), division.classes, division.image_shape)
