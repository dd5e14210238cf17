import pytest
import torch
from torch import Tensor

from anabranch.errors import UsageError
from anabranch.optim import Directions, minimise

A = torch.tensor([[3.0, 1.0], [1.0, 2.0]], dtype=torch.float64)
B = torch.tensor([1.0, -1.0], dtype=torch.float64)
DIRECTIONS: tuple[Directions, ...] = ("gradient", "conjugate-gradient")


class Bowl:
    """½ wᵀA w - bᵀw, and how often it was asked for; its gradient is overwritten by every call."""

    def __init__(self, w: Tensor) -> None:
        self.w, self.asked, self.gradient = w, 0, torch.empty_like(w)

    def __call__(self) -> tuple[float, Tensor]:
        self.asked += 1
        a, b = A.to(self.w.dtype), B.to(self.w.dtype)
        torch.sub(a @ self.w, b, out=self.gradient)
        return float(self.w @ a @ self.w / 2 - b @ self.w), self.gradient


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("directions", DIRECTIONS)
def test_it_finds_the_lowest_point_of_a_bowl(directions: Directions, dtype: torch.dtype) -> None:
    w = torch.tensor([4.0, -7.0], dtype=dtype)
    costs = minimise(Bowl(w), w, 60, directions)
    torch.testing.assert_close(w, torch.linalg.solve(A, B).to(dtype), rtol=1e-4, atol=1e-4)
    assert costs == sorted(costs, reverse=True)


def test_the_costs_are_those_before_each_step() -> None:
    for directions in DIRECTIONS:
        w = torch.tensor([4.0, -7.0], dtype=torch.float64)
        bowl = Bowl(w)
        first = bowl()[0]
        costs = minimise(bowl, w, 2, directions)
        assert len(costs) == 2
        assert costs[0] == first
        assert bowl()[0] < costs[1] < costs[0]


def test_a_step_along_the_gradient_meets_the_strong_wolfe_conditions() -> None:
    """Nocedal & Wright 2006, equation 3.7, with scipy's constants 1e-4 and 0.9."""
    w = torch.tensor([4.0, -7.0], dtype=torch.float64)
    bowl = Bowl(w)
    cost, gradient = bowl()
    start, slope = w.clone(), -float(gradient.square().sum())
    direction = -gradient.clone()
    minimise(bowl, w, 1, "gradient")
    length = float((w - start) @ direction / direction.square().sum())
    torch.testing.assert_close(w, start + length * direction)
    after, gradient = bowl()
    assert after <= cost + 1e-4 * length * slope
    assert abs(float(gradient @ direction)) <= 0.9 * abs(slope)


def test_conjugate_directions_need_as_many_steps_as_a_bowl_has_dimensions_where_steepest_ones_need_more() -> None:
    ends = {}
    for directions in DIRECTIONS:
        w = torch.tensor([4.0, -7.0], dtype=torch.float64)
        minimise(Bowl(w), w, 4, directions)
        ends[directions] = float((w - torch.linalg.solve(A, B)).norm())
    assert ends["conjugate-gradient"] < ends["gradient"] / 10


def test_it_ends_where_nothing_is_lower() -> None:
    for directions in DIRECTIONS:
        w = torch.zeros(2, dtype=torch.float64)
        costs = minimise(lambda: (1.0, torch.zeros(2, dtype=torch.float64)), w, 5, directions)
        assert set(costs) == {1.0}
        assert torch.equal(w, torch.zeros(2, dtype=torch.float64))


def test_cost_and_gradient_of_one_place_are_asked_for_once() -> None:
    w = torch.tensor([4.0, -7.0], dtype=torch.float64)
    bowl, places = Bowl(w), set()

    def cost() -> tuple[float, Tensor]:
        places.add(tuple(w.tolist()))
        return bowl()

    minimise(cost, w, 5, "gradient")
    assert bowl.asked == len(places)


def test_what_cannot_be_searched_is_refused() -> None:
    w = torch.zeros(2)
    with pytest.raises(UsageError, match="leave out --timing-only"):
        minimise(Bowl(w), torch.empty(2, device="meta"), 1, "gradient")
    with pytest.raises(UsageError, match="gradient or conjugate-gradient, not uphill"):
        minimise(Bowl(w), w, 1, "uphill")  # type: ignore[arg-type]
