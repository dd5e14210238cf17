"""Many small grey pictures as one: rows and columns of tiles, as a PNG."""

import io
import math

import torch
from torch import Tensor

GAP = 1  # pixels between tiles, before they are enlarged
GREY = 0.5  # of the gaps
SIDE = 900  # pixels that the longer side of a mosaic should have


def mosaic(tiles: Tensor, columns: int) -> Tensor:
    """`tiles` [n, height, width] with values in [0, 1], row by row, with gaps between: [rows · …, columns · …]."""
    n, height, width = tiles.shape
    rows = math.ceil(n / columns)
    whole = torch.full((rows * (height + GAP) - GAP, columns * (width + GAP) - GAP), GREY, dtype=tiles.dtype)
    for number, tile in enumerate(tiles):
        top, left = number // columns * (height + GAP), number % columns * (width + GAP)
        whole[top : top + height, left : left + width] = tile
    return whole


def png(picture: Tensor) -> bytes:
    """A grey `picture` [height, width] of values in [0, 1] (0 is black) as a PNG, small ones enlarged."""
    from matplotlib import image  # imported where something is drawn, and only there

    zoom = max(1, SIDE // max(picture.shape))
    pixels = picture.clamp(0, 1).repeat_interleave(zoom, 0).repeat_interleave(zoom, 1)
    content = io.BytesIO()
    image.imsave(content, pixels.numpy(), format="png", cmap="gray", vmin=0, vmax=1)
    return content.getvalue()
