"""What the layers have learnt, as images: receptive fields from the weights; reconstructions and samples as kept."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from anabranch.report.charts import shown
from anabranch.report.images import columns_for, grid, png, signed
from anabranch.report.page import Picture, Section, Table
from anabranch.report.records import Run, read_tensors
from anabranch.wording import counted

Values = NDArray[Any]
MOST_FIELDS = 100
WIDEST, STRIP_WIDTH = 340, 480  # CSS pixels of a grid, and of a strip
STRIP = 8  # images in a row of it


def layers_section(run: Run) -> Section | None:
    """Receptive fields, reconstructions and samples; None where nothing has learnt from images."""
    images = read_tensors(run.folder / "pictures.safetensors")
    shape = image_shape(run)
    fields = field_pictures(weights(run), shape) if shape else []
    steps = (run.evaluation or {}).get("gibbs_steps", 0)
    parts = [_originals(images["originals"], run.held_out)] if "originals" in images else []
    for layer, field in enumerate(fields, 1):
        parts += [field, *_seen(images, layer, steps)]
    if not parts:
        return None
    text = ["Images of the pretrained layers, before the network was fine-tuned."] if "samples.1" in images else []
    if not images and run.summary:
        text.append("This run was made by an earlier version, which kept no reconstructions and samples.")
    return Section("layers", "What the layers see", tuple(text), tuple(parts))


def image_shape(run: Run) -> tuple[int, int] | None:
    """(height, width) of the examples; a guess from the model's inputs where the run kept none; None: no images."""
    if run.evaluation is not None:
        shape = run.evaluation["image_shape"]
        return (shape[0], shape[1]) if shape else None
    first = next(iter(weights(run)), None)
    side = math.isqrt(first.shape[1]) if first is not None else 0
    return (side, side) if side > 1 and first is not None and side * side == first.shape[1] else None


def weights(run: Run) -> list[Values]:
    """[units, inputs] of the layers of a DBN, lowest first; of another network, of its first layer alone."""
    path = run.folder / "model.safetensors"
    layers = {name: w for name, w in read_tensors(path, (".weight",)).items() if w.ndim == 2}
    first = (run.evaluation or {}).get("first_layer")
    if first is not None:
        return [layers[name] for name in (f"network.{first}",) if name in layers]
    rbms = {int(name.split(".")[2]): w for name, w in layers.items() if name.startswith("dbn.rbms.")}
    return [rbms[n] for n in sorted(rbms)] or list(layers.values())[:1]


def field_pictures(layers: list[Values], shape: tuple[int, int]) -> list[Picture]:
    """Of each layer, the units with the largest fields; those of higher layers through the layers below."""
    if not layers or layers[0].shape[1] != shape[0] * shape[1]:
        return []
    found, below = [], np.eye(layers[0].shape[1], dtype=layers[0].dtype)
    for number, weight in enumerate(layers, 1):
        below = weight @ below
        found.append(_fields(below, shape, number))
    return found


def _fields(fields: Values, shape: tuple[int, int], number: int) -> Picture:
    norms = np.linalg.norm(fields, axis=1)
    chosen = np.argsort(-norms, kind="stable")[:MOST_FIELDS]
    tiles = signed(fields[chosen].reshape(-1, *shape))
    which = "all units" if len(chosen) == len(fields) else f"the {len(chosen)} of {len(fields):,} units that weigh most"
    through = "" if number == 1 else " Seen through the layers below: the weighted sum of their fields."
    picture = grid(tiles, columns_for(len(chosen)))
    rows = [(str(unit), shown(float(norms[unit])), *_ends(fields[unit])) for unit in map(int, chosen)]
    return Picture(
        f"Receptive fields of layer {number}",
        f"Of {which}. Orange excites, blue inhibits; each field has its own scale.{through}",
        f"Grid of {len(chosen)} receptive fields of layer {number}, {shape[0]} by {shape[1]} pixels each",
        png(picture),
        shown_size(picture),
        Table(f"Receptive fields of layer {number}", ("unit", "length", "least weight", "largest weight"), tuple(rows)),
    )


def _originals(images: Values, part: str) -> Picture:
    return _grey(
        f"{part.capitalize()} examples", "What the reconstructions and samples begin with.", images, STRIP, wide=True
    )


def _seen(images: Mapping[str, Values], layer: int, steps: int) -> list[Picture]:
    """What `pictures.safetensors` has of a layer."""
    notes = {
        "reconstructions": f"The examples, up through {counted(layer, 'layer')} and down again.",
        "samples": f"What {steps} steps of Gibbs sampling in this layer make of the examples.",
    }
    found = [(kind, note, images[f"{kind}.{layer}"]) for kind, note in notes.items() if f"{kind}.{layer}" in images]
    return [
        _grey(f"{kind.capitalize()} of layer {layer}", note, tiles, columns_for(len(tiles)))
        for kind, note, tiles in found
    ]


def _grey(title: str, note: str, tiles: Values, columns: int, *, wide: bool = False) -> Picture:
    picture = grid(tiles, columns)
    alt = f"{len(tiles)} grey images: {title[:1].lower()}{title[1:]}"
    return Picture(title, note, alt, png(picture), shown_size(picture, STRIP_WIDTH if wide else WIDEST), wide=wide)


def shown_size(picture: Values, widest: int = WIDEST) -> tuple[int, int]:
    """(width, height): a whole number of screen pixels for each of the picture's, if it is small enough."""
    height, width = picture.shape[:2]
    times = max(1, widest // width)
    return width * times, height * times


def _ends(field: Values) -> tuple[str, str]:
    return shown(float(field.min())), shown(float(field.max()))
