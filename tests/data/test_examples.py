from pathlib import Path

import numpy as np
import pytest
import torch

from anabranch.data import Examples, examples, in_memory
from anabranch.errors import DataError

FEATURES = torch.arange(12, dtype=torch.uint8).view(4, 3)
LABELS = torch.tensor([3, 1, 2, 0])
INDEX = torch.tensor([2, 0, 2])


def scaled() -> Examples:
    return Examples(FEATURES, LABELS, torch.tensor(0.5), torch.tensor([1.0, 2.0, 3.0]))


def mapped(tmp_path: Path, values: list[list[float]]) -> Examples:
    np.save(tmp_path / "x.npy", np.array(values, np.float32))
    return Examples(torch.from_numpy(np.load(tmp_path / "x.npy", mmap_mode="c")), mapped=True)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_take_gathers_converts_and_scales(dtype: torch.dtype) -> None:
    batch = scaled().take(INDEX, dtype)
    assert batch.x.dtype == dtype
    assert torch.equal(batch.x, torch.tensor([[4, 5.5, 7], [1, 2.5, 4], [4, 5.5, 7]], dtype=dtype))
    assert batch.y is not None
    assert batch.y.tolist() == [2, 3, 2]


def test_take_without_scaling_is_a_copy() -> None:
    data = Examples(FEATURES.float())
    batch = data.take(INDEX)
    assert batch.y is None
    assert torch.equal(batch.x, FEATURES.float()[INDEX])
    batch.x.zero_()
    assert torch.equal(data.features, FEATURES.float())


def test_rows_select_stored_rows() -> None:
    part = Examples(FEATURES, LABELS[[1, 3]], rows=torch.tensor([1, 3]))
    assert len(part) == 2
    assert part.take(torch.tensor([1, 0])).x.tolist() == [[9, 10, 11], [3, 4, 5]]
    assert torch.cat([batch.x for batch in part.chunks(1)]).tolist() == [[3, 4, 5], [9, 10, 11]]
    assert part.subset(torch.tensor([1])).take(torch.tensor([0])).x.tolist() == [[9, 10, 11]]


@pytest.mark.parametrize("size", [1, 3, 4, 100])
def test_chunks_are_everything_in_order(size: int) -> None:
    batches = list(scaled().chunks(size, torch.float64))
    everything = scaled().take(torch.arange(4), torch.float64)
    assert all(len(batch) <= size for batch in batches)
    assert torch.equal(torch.cat([batch.x for batch in batches]), everything.x)
    assert [label for batch in batches if batch.y is not None for label in batch.y.tolist()] == LABELS.tolist()


def test_subset_materialises_the_same_values() -> None:
    part = scaled().subset(INDEX)
    assert part.features.dtype == torch.uint8
    assert torch.equal(part.take(torch.arange(3)).x, scaled().take(INDEX).x)
    assert part.labels is not None
    assert part.labels.tolist() == [2, 3, 2]
    assert part.width == 3


def test_in_memory_scales_once() -> None:
    features = FEATURES.to(torch.int32)
    data = in_memory(features, LABELS, torch.tensor(0.5, dtype=torch.float64), torch.tensor([1.0, 2.0, 3.0]))
    assert data.features.dtype == torch.float32
    assert torch.equal(data.take(INDEX).x, scaled().take(INDEX).x)
    assert data.scale.item() == 1
    assert data.shift.item() == 0


def test_in_memory_takes_ready_values_as_they_are() -> None:
    features = FEATURES.float()
    assert in_memory(features, None, torch.tensor(1.0), torch.tensor(0.0)).features is features


def test_in_memory_leaves_narrow_types_beyond_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(examples, "FLOAT32_LIMIT_BYTES", 47)
    half, features = torch.tensor(0.5, dtype=torch.float64), FEATURES.to(torch.int16)
    data = in_memory(features, LABELS, half, half)
    assert data.features is features
    assert torch.equal(data.take(INDEX).x, FEATURES[INDEX] * 0.5 + 0.5)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_bytes_stay_bytes_and_are_scaled_as_they_are_read(dtype: torch.dtype) -> None:
    features = torch.randint(256, (50, 33), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    scale, shift = torch.tensor(1 / 255, dtype=torch.float64), torch.linspace(-1, 1, 33, dtype=torch.float64)
    data = in_memory(features, None, scale, shift)
    assert data.features is features
    index = torch.tensor([49, 0, 7, 7])
    expected = (features.double() * scale + shift).to(dtype)
    unit = torch.finfo(dtype).eps
    torch.testing.assert_close(data.take(index, dtype).x, expected[index], rtol=unit, atol=unit)
    everything = torch.cat([batch.x for batch in data.chunks(20, dtype)])
    torch.testing.assert_close(everything, expected, rtol=unit, atol=unit)


@pytest.mark.parametrize("index", [-1, 4])
def test_rows_that_do_not_exist(index: int) -> None:
    for data in (scaled(), Examples(FEATURES.float())):
        with pytest.raises(IndexError):
            data.take(torch.tensor([0, index]))


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), float("-inf")])
def test_mapped_values_are_checked_as_they_are_used(tmp_path: Path, bad: float) -> None:
    data = mapped(tmp_path, [[1, 2], [3, 4], [5, bad], [7, 8]])
    assert data.take(torch.tensor([3, 0])).x.tolist() == [[7, 8], [1, 2]]
    sentence = f"row 2 of the mapped data holds the value {bad}: every feature must be a finite float32 number"
    with pytest.raises(DataError, match=sentence):
        data.take(torch.tensor([0, 2]))
    with pytest.raises(DataError, match=sentence):
        list(data.chunks(2))
    with pytest.raises(DataError, match=sentence):
        data.subset(torch.tensor([3, 2]))


def test_a_mapped_subset_lies_in_memory(tmp_path: Path) -> None:
    part = mapped(tmp_path, [[1, 2], [3, 4]]).subset(torch.tensor([1]))
    assert not part.mapped
    assert part.features.tolist() == [[3, 4]]
