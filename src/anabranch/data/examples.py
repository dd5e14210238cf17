"""Features and labels that lie somewhere, in memory or in a mapped file, and how to read rows of them."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from anabranch.errors import DataError
from anabranch.kernels import Array, Memory, gather_scaled
from anabranch.types import Batch

CHUNK_ROWS = 4096
FLOAT32_LIMIT_BYTES = 1 << 30  # narrower data that would grow beyond this as float32 keeps its own type


def _zero() -> Tensor:
    return torch.zeros((), dtype=torch.float64)


def _one() -> Tensor:
    return torch.ones((), dtype=torch.float64)


@dataclass(frozen=True, eq=False)
class Examples:
    """Rows of features with their labels; the value of a row is `features * scale + shift`.

    Build with `in_memory` for data that fits; use the constructor for data that stays as it is.
    """

    features: Tensor  # [stored, features], any real type; possibly memory-mapped
    labels: Tensor | None = None  # [n] int64: classes; or [n, …] floating point: targets of a regression
    scale: Tensor = field(default_factory=_one)  # [] or [features] float64
    shift: Tensor = field(default_factory=_zero)  # [] or [features] float64
    mapped: bool = False  # the features lie in a file that nobody has read through yet
    rows: Tensor | None = None  # [n] int64: the rows of `features` that belong to this part; None: all of them

    def __len__(self) -> int:
        return int((self.features if self.rows is None else self.rows).shape[0])

    @property
    def width(self) -> int:
        """The number of features."""
        return int(self.features.shape[1])

    def take(self, index: Tensor, dtype: torch.dtype = torch.float32) -> Batch:
        """The examples at `index` [batch] int64, in that order: one gather, then converted to `dtype` and scaled.

        Raises:
            DataError: memory-mapped features hold a NaN or an infinite value in one of these rows.
        """
        rows = self._rows(index)
        x = self._bytes(rows, dtype) if self._stores_bytes else self._values(self.features.index_select(0, rows), dtype)
        if self.mapped:
            check_finite(x, rows, "the mapped data")
        return Batch(x, None if self.labels is None else self._targets(self.labels.index_select(0, index), dtype))

    def chunks(self, size: int = CHUNK_ROWS, dtype: torch.dtype = torch.float32) -> Iterator[Batch]:
        """All examples in order, at most `size` at a time. Batches may be views of the data: do not write to them.

        Raises:
            DataError: as `take`.
        """
        for start in range(0, len(self), size):
            stop = min(start + size, len(self))
            yield self.take(torch.arange(start, stop), dtype) if self.mapped else self._view(start, stop, dtype)

    def subset(self, index: Tensor) -> "Examples":
        """The examples at `index` [k] int64, copied into memory in their own type (for one worker's shard).

        Raises:
            DataError: as `take`.
        """
        rows = self._rows(index)
        labels = None if self.labels is None else self.labels.index_select(0, index)
        copied = replace(self, features=self.features.index_select(0, rows), labels=labels, mapped=False, rows=None)
        if self.mapped:
            for start, batch in zip(range(0, len(rows), CHUNK_ROWS), copied.chunks(), strict=True):
                check_finite(batch.x, rows[start : start + CHUNK_ROWS], "the mapped data")
        return copied

    def _rows(self, index: Tensor) -> Tensor:
        return index if self.rows is None else self.rows.index_select(0, index)

    def _view(self, start: int, stop: int, dtype: torch.dtype) -> Batch:
        if self._stores_bytes:
            return self.take(torch.arange(start, stop), dtype)
        stored = self.features[start:stop] if self.rows is None else self.features[self.rows[start:stop]]
        labels = None if self.labels is None else self._targets(self.labels[start:stop], dtype)
        return Batch(self._values(stored, dtype), labels)

    def _targets(self, labels: Tensor, dtype: torch.dtype) -> Tensor:
        return labels.to(dtype) if labels.is_floating_point() else labels

    def _values(self, stored: Tensor, dtype: torch.dtype) -> Tensor:
        converted = stored.to(dtype)
        return converted if self._unscaled else converted * self.scale.to(dtype) + self.shift.to(dtype)

    def _bytes(self, rows: Tensor, dtype: torch.dtype) -> Tensor:
        out = torch.empty(len(rows), self.width, dtype=dtype)
        scale, shift = self._by_feature[dtype == torch.float64]
        gather_scaled(self._array, rows.numpy(), scale, shift, Memory(out).array)
        return out

    @property
    def _stores_bytes(self) -> bool:
        return self.features.dtype == torch.uint8

    @cached_property
    def _array(self) -> Array:
        return self.features.numpy()

    @cached_property
    def _by_feature(self) -> tuple[tuple[Array, Array], tuple[Array, Array]]:
        """Scale and shift of every feature, in float32 and in float64."""
        scale, shift = (x.double().expand(self.width).numpy() for x in (self.scale, self.shift))
        return (scale.astype(np.float32), shift.astype(np.float32)), (scale.copy(), shift.copy())

    @cached_property
    def _unscaled(self) -> bool:
        return bool((self.scale == 1).all()) and bool((self.shift == 0).all())


def in_memory(features: Tensor, labels: Tensor | None, scale: Tensor, shift: Tensor) -> Examples:
    """Features [n, features] converted to float32 and scaled once and for all, so that `take` only gathers.

    `scale` and `shift` are [] or [features] float64. Bytes stay bytes: to gather them takes a quarter of the memory's
    time, which pays for the scaling. So do other narrow types that would take more than `FLOAT32_LIMIT_BYTES`.
    """
    if features.dtype == torch.uint8 or (features.element_size() < 4 and features.numel() * 4 > FLOAT32_LIMIT_BYTES):
        return Examples(features, labels, scale, shift)
    if features.dtype == torch.float32 and bool((scale == 1).all()) and bool((shift == 0).all()):
        return Examples(features, labels)
    values = torch.empty(features.shape, dtype=torch.float32)
    for start in range(0, len(features), CHUNK_ROWS):
        stored = features[start : start + CHUNK_ROWS]
        values[start : start + CHUNK_ROWS] = stored.double() * scale + shift
    return Examples(values, labels)


def check_finite(x: Tensor, rows: Tensor | None, what: str) -> None:
    """Refuse NaN and infinite values in `x` [n, features]; `rows` [n] are the rows' numbers, None for 0, 1, 2 ...

    Raises:
        DataError: names the first bad row.
    """
    if not x.is_floating_point():
        return
    # isfinite takes temporary memory of the size of its argument, hence chunks.
    for start in range(0, len(x), CHUNK_ROWS):
        chunk = x[start : start + CHUNK_ROWS]
        finite = torch.isfinite(chunk)
        if not bool(finite.all()):
            first = int((~finite).any(1).nonzero()[0, 0])
            row = start + first if rows is None else int(rows[start + first])
            raise _not_finite(row, float(chunk[first][~finite[first]][0]), what)


def _not_finite(row: int, value: float, what: str) -> DataError:
    return DataError(
        f"row {row} of {what} holds the value {value}: "
        "every feature must be a finite float32 number, so repair or remove that row."
    )
