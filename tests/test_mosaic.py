import io

import torch
from matplotlib import image

from anabranch.mosaic import GREY, mosaic, png


def test_tiles_stand_row_by_row_with_gaps_between() -> None:
    whole = mosaic(torch.tensor([[[0.0]], [[1.0]], [[0.25]]]), columns=2)
    assert whole.tolist() == [[0, GREY, 1], [GREY, GREY, GREY], [0.25, GREY, GREY]]


def test_a_single_tile_has_no_gaps() -> None:
    tile = torch.rand(1, 3, 4)
    assert torch.equal(mosaic(tile, 1), tile[0])


def test_the_png_is_the_picture_enlarged() -> None:
    picture = torch.tensor([[0.0, 1.0], [0.2, 2.0]])  # what is beyond 1 is white
    seen = image.imread(io.BytesIO(png(picture)), format="png")
    assert seen.shape == (900, 900, 4)
    corners = seen[[0, 0, -1, -1], [0, -1, 0, -1], 0]
    assert torch.allclose(torch.from_numpy(corners), torch.tensor([0.0, 1.0, 0.2, 1.0]), atol=1 / 255)


def test_large_pictures_keep_their_size() -> None:
    assert image.imread(io.BytesIO(png(torch.zeros(1000, 20)))).shape == (1000, 20, 4)
