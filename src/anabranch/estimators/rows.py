"""Arrays and sparse matrices, as scikit-learn's checks leave them, as rows that a shard can be cut from."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from scipy.sparse import issparse
from torch import Tensor

from anabranch.data import Examples
from anabranch.kernels import Array
from anabranch.strategies.shard import Rows
from anabranch.types import Batch

Matrix = Any
"""[n, features]: an array, a list of lists, a data frame, or a sparse matrix."""

CHUNK = 4096  # rows of one pass through a network


@dataclass(frozen=True, eq=False)
class SparseRows:
    """The rows of a sparse matrix, made dense batch by batch.

    Attributes:
        matrix: CSR [n, features], of scipy.
        labels: [n] int64.
    """

    matrix: Any
    labels: Tensor | None = None

    def __len__(self) -> int:
        return int(self.matrix.shape[0])

    def take(self, index: Tensor, dtype: torch.dtype) -> Batch:
        """The rows at `index` [batch]."""
        y = None if self.labels is None else self.labels.index_select(0, index)
        return Batch(_dense(self.matrix[index.numpy()], dtype), y)

    def chunks(self, size: int, dtype: torch.dtype) -> Iterator[Batch]:
        """All rows in order, at most `size` at a time."""
        for start in range(0, len(self), size):
            y = None if self.labels is None else self.labels[start : start + size]
            yield Batch(_dense(self.matrix[start : start + size], dtype), y)


def rows_of(x: Any, labels: Tensor | None = None) -> Rows:
    """The rows of a checked array or CSR matrix [n, features], with labels [n] int64 if there are any."""
    return SparseRows(x, labels) if issparse(x) else Examples(as_tensor(x), labels)


def as_tensor(array: Array) -> Tensor:
    """A tensor in the memory of `array`; or in a copy, for torch wants memory in order that it may write to."""
    return torch.from_numpy(np.require(array, requirements=["C", "W"]))


def _dense(rows: Any, dtype: torch.dtype) -> Tensor:
    return torch.from_numpy(rows.toarray()).to(dtype)
