"""Pixels as PNG: single images in grey, and grids of signed weights in blue and orange."""

import io
import math
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Pixels = NDArray[np.uint8]
Values = NDArray[Any]

GAP = 1  # pixels between the tiles of a grid
NEGATIVE, NOTHING, POSITIVE = (0, 114, 178), (250, 250, 250), (213, 94, 0)  # Okabe and Ito's blue and vermillion


def png(pixels: Pixels) -> bytes:
    """[height, width] grey, or [height, width, 4] with opacity, as PNG. Equal input makes equal bytes."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, format="PNG", optimize=True)
    return buffer.getvalue()


def size_of(content: bytes) -> tuple[int, int]:
    """(width, height) of an image file."""
    with Image.open(io.BytesIO(content)) as image:
        return image.size


def columns_for(count: int) -> int:
    """Of a grid that is about square."""
    return max(1, math.ceil(math.sqrt(count)))


def signed(weights: Values) -> Pixels:
    """[n, height, width] weights as colours [n, height, width, 3]: each with a scale of its own, nothing is white."""
    largest = np.abs(weights).max(axis=(1, 2), keepdims=True)
    scaled = weights / np.where(largest > 0, largest, 1.0)
    ends = np.where(scaled[..., None] < 0, np.array(NEGATIVE), np.array(POSITIVE))
    amount = np.abs(scaled)[..., None]
    colours: Pixels = np.round(np.array(NOTHING) * (1 - amount) + ends * amount).astype(np.uint8)
    return colours


def grid(tiles: Pixels, columns: int) -> Pixels:
    """Tiles [n, height, width] grey, or [n, height, width, 3], as [height, width, 4]: what is between is clear."""
    if tiles.ndim == 3:
        tiles = np.repeat(tiles[..., None], 3, axis=3)
    tiles = np.concatenate([tiles, np.full((*tiles.shape[:3], 1), 255, np.uint8)], axis=3)
    count, height, width, _ = tiles.shape
    rows = -(-count // columns)
    whole: Pixels = np.zeros((rows * (height + GAP) - GAP, columns * (width + GAP) - GAP, 4), np.uint8)
    for n, tile in enumerate(tiles):
        top, left = n // columns * (height + GAP), n % columns * (width + GAP)
        whole[top : top + height, left : left + width] = tile
    return whole
