"""Sampling an RBM that is small enough for its distribution to be summed exactly."""

import itertools

import pytest
import torch
from torch import Tensor

from anabranch.models import DBN, RBM
from anabranch.sampling import learn_label_weights, sample
from anabranch.seeding import generator

STATES = torch.tensor(list(itertools.product((0.0, 1.0), repeat=4)), dtype=torch.float64)
CLASSES = (  # a class likes its own two units
    torch.tensor([[1, 1, 0, 0], [1, 0, 0, 0], [1, 1, 0, 1]], dtype=torch.float64),
    torch.tensor([[0, 0, 1, 1], [0, 1, 1, 1]], dtype=torch.float64),
)


def dbn(std: float = 1.5) -> DBN:
    return DBN([4, 3], std=std, generator=generator(5), dtype=torch.float64)


def shifted(rbm: RBM, shift: Tensor) -> RBM:
    """The RBM that `rbm` is while the label units add `shift`."""
    other = RBM(rbm.visible, rbm.hidden, dtype=torch.float64)
    other.load_state_dict(rbm.state_dict())
    other.hidden_bias.data += shift
    return other


def probabilities(rbm: RBM) -> Tensor:
    """p(v) of every visible state."""
    return torch.softmax(-rbm.free_energy(STATES), dim=0)


@pytest.mark.parametrize("shift", [0.0, 2.0])
def test_chains_have_the_distribution_of_their_rbm(shift: float) -> None:
    stack, given = dbn(), torch.full((3000, 3), shift, dtype=torch.float64)
    pictures = sample(stack, 1, 3000, steps=30, generator=generator(1), shift=given)
    expected = probabilities(shifted(stack.layers[0], given[0])) @ STATES
    assert torch.allclose(pictures.mean(dim=0), expected, atol=0.03)


def test_the_last_step_is_a_mean_and_what_lies_below_is_passed_down() -> None:
    stack = DBN([6, 5, 4], std=1.0, generator=generator(5))
    above = sample(DBN([5, 4], std=0.0), 1, 7, steps=1, generator=generator(1))
    assert torch.equal(above, torch.full((7, 5), 0.5))  # without weights
    pictures = sample(stack, 2, 7, steps=3, generator=generator(1))
    assert pictures.shape == (7, 6)
    alone = DBN([5, 4])
    alone.layers[0].load_state_dict(stack.layers[1].state_dict())
    middle = sample(alone, 1, 7, steps=3, generator=generator(1))
    assert torch.equal(pictures, stack.layers[0].visible_mean(middle))


def test_the_same_seed_gives_the_same_pictures_and_another_others() -> None:
    one, same, other = (sample(dbn(), 1, 4, steps=5, generator=generator(seed)) for seed in (1, 1, 2))
    assert torch.equal(one, same)
    assert not torch.equal(one, other)


def test_with_its_label_on_the_model_has_the_hidden_activities_of_the_class() -> None:
    """Where the gradient of log p(v | y) is zero: E[h | v, y] over the examples is E[h | y] of the model, summed."""
    rbm = dbn(0.5).layers[0]
    before = {name: tensor.clone() for name, tensor in rbm.state_dict().items()}
    u = learn_label_weights(rbm, CLASSES, generator(1), steps=4000)
    for own, patterns in zip(u, CLASSES, strict=True):
        clamped = shifted(rbm, own)
        wanted, found = clamped(patterns).mean(dim=0), probabilities(clamped) @ clamped(STATES)
        untaught = probabilities(rbm) @ rbm(STATES)
        assert float((wanted - found).abs().max()) < 0.03
        assert float((clamped(patterns).mean(dim=0) - untaught).abs().max()) > 0.1
    assert all(torch.equal(before[name], tensor) for name, tensor in rbm.state_dict().items())


def test_a_clamped_class_is_what_comes_out() -> None:
    stack = dbn(0.0)
    weight = torch.tensor([[6.0, 0, -6, 0], [-6, 0, 6, 0], [0, 0, 0, 0]], dtype=torch.float64)
    stack.layers[0].weight.data.copy_(weight)
    u = learn_label_weights(stack.layers[0], CLASSES, generator(1))
    shift = u.repeat_interleave(50, dim=0)
    pictures = sample(stack, 1, 100, steps=100, generator=generator(2), shift=shift)
    assert (pictures[:50, 0] > pictures[:50, 2]).double().mean() > 0.9
    assert (pictures[50:, 0] < pictures[50:, 2]).double().mean() > 0.9


def test_the_course_is_told() -> None:
    seen: list[int] = []

    def course(steps: range) -> range:
        seen.append(len(steps))
        return steps

    sample(dbn(), 1, 2, steps=3, generator=generator(1), course=course)
    learn_label_weights(dbn().layers[0], CLASSES, generator(1), steps=4, course=course)
    assert seen == [3, 4]


def test_gaussian_units() -> None:
    """Without weights the chains give the mean of the visible units."""
    stack = DBN([3, 2], units="gaussian", std=0.0)
    stack.layers[0].visible_bias.data.copy_(torch.tensor([1.0, 2.0, 3.0]))
    assert sample(stack, 1, 2, steps=2, generator=generator(1)).tolist() == [[1, 2, 3]] * 2
