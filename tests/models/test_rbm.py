import pytest
import torch
from exact import free_energy, states, tiny_rbm, visible_probabilities

from anabranch.errors import UsageError
from anabranch.models import RBM, flat_parameters


@pytest.mark.parametrize("units", ["bernoulli", "gaussian"])
def test_free_energy_is_the_sum_over_all_hidden_states(units: str) -> None:
    rbm = tiny_rbm(3, 4, units)
    patterns = states(3) if units == "bernoulli" else torch.randn(6, 3, dtype=torch.float64)
    expected = torch.stack([free_energy(rbm, v) for v in patterns])
    torch.testing.assert_close(rbm.free_energy(patterns), expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("units", ["bernoulli", "gaussian"])
def test_hidden_probabilities_follow_from_the_energies(units: str) -> None:
    rbm = tiny_rbm(3, 1, units)
    for v in states(3):
        on, off = _energies_of_the_hidden_unit(rbm, v)
        expected = 1 / (1 + torch.exp(torch.tensor(on - off, dtype=torch.float64)))
        torch.testing.assert_close(rbm(v[None])[0, 0], expected, rtol=1e-12, atol=1e-12)


def _energies_of_the_hidden_unit(rbm: RBM, v: torch.Tensor) -> tuple[float, float]:
    from exact import energy

    return energy(rbm, v, torch.ones(1)), energy(rbm, v, torch.zeros(1))


def test_visible_mean_of_hand_computed_numbers() -> None:
    rbm = RBM(2, 2, dtype=torch.float64)
    rbm.weight.copy_(torch.tensor([[1.0, -2.0], [0.5, 3.0]]))
    rbm.visible_bias.copy_(torch.tensor([0.25, -1.0]))
    h = torch.tensor([[1.0, 1.0]], dtype=torch.float64)
    # 0.25 + 1 + 0.5 = 1.75 and -1 - 2 + 3 = 0
    expected = torch.tensor([[0.8519528019683106, 0.5]], dtype=torch.float64)
    torch.testing.assert_close(rbm.visible_mean(h), expected, rtol=1e-12, atol=0)


def test_gaussian_visible_mean_is_linear() -> None:
    rbm = tiny_rbm(3, 2, "gaussian")
    h = states(2)
    torch.testing.assert_close(rbm.visible_mean(h), rbm.visible_bias + h @ rbm.weight)


def test_block_gibbs_samples_have_the_exact_probabilities() -> None:
    rbm = tiny_rbm(3, 2)
    chains = 40_000
    v = rbm.sample(chains, steps=30, generator=torch.Generator().manual_seed(1))
    index = (v @ torch.tensor([4.0, 2.0, 1.0], dtype=torch.float64)).long()
    frequencies = torch.bincount(index, minlength=8) / chains
    expected = visible_probabilities(rbm)
    # Five standard deviations of a binomial frequency.
    bound = 5 * torch.sqrt(expected * (1 - expected) / chains)
    assert bool(((frequencies - expected).abs() < bound).all()), (frequencies, expected)


def test_gaussian_samples_have_the_exact_mean() -> None:
    rbm = tiny_rbm(2, 2, "gaussian")
    # p(h) ∝ exp(b·h + a·Wᵀh + |Wᵀh|²/2): integrate v out of exp(-E).
    hidden = states(2)
    drive = hidden @ rbm.weight
    log_p = hidden @ rbm.hidden_bias + drive @ rbm.visible_bias + drive.square().sum(1) / 2
    expected = rbm.visible_bias + torch.softmax(log_p, 0) @ drive
    v = rbm.sample(40_000, steps=200, generator=torch.Generator().manual_seed(2))
    torch.testing.assert_close(v.mean(0), expected, rtol=0, atol=0.05)


def test_sampling_repeats_under_a_seed_and_starts_where_it_is_told() -> None:
    rbm = tiny_rbm(5, 4)
    a, b = (rbm.sample(7, steps=3, generator=torch.Generator().manual_seed(3)) for _ in range(2))
    assert torch.equal(a, b)
    start = torch.ones(7, 5, dtype=torch.float64)
    assert torch.equal(rbm.sample(7, steps=0, generator=torch.Generator(), start=start), start)


def test_pseudo_likelihood_averages_to_the_exact_sum_over_units() -> None:
    rbm = tiny_rbm(3, 2)
    v = torch.tensor([1.0, 0.0, 1.0], dtype=torch.float64)
    exact = torch.zeros((), dtype=torch.float64)
    for unit in range(3):
        flipped = v.clone()
        flipped[unit] = 1 - flipped[unit]
        exact += torch.log_softmax(torch.stack([-free_energy(rbm, v), -free_energy(rbm, flipped)]), 0)[0]
    draws = rbm.pseudo_likelihood(v.expand(30_000, 3), torch.Generator().manual_seed(4))
    assert abs(float(draws.mean() - exact)) < 5 * float(draws.std()) / 30_000**0.5


def test_pseudo_likelihood_of_gaussian_units_is_refused() -> None:
    with pytest.raises(UsageError, match="use the free energy"):
        tiny_rbm(2, 2, "gaussian").pseudo_likelihood(torch.zeros(1, 2), torch.Generator())


def test_reconstruction_error_is_zero_for_a_fixed_point() -> None:
    rbm = RBM(4, 3)
    rbm.weight.zero_()
    assert torch.equal(rbm.reconstruction_error(torch.full((2, 4), 0.5)), torch.zeros(2))
    torch.testing.assert_close(rbm.reconstruction_error(torch.ones(1, 4)), torch.tensor([1.0]))


def test_parameters_are_views_of_one_flat_tensor() -> None:
    rbm = RBM(3, 2)
    flat = flat_parameters(rbm)
    assert flat.shape == (3 * 2 + 3 + 2,)
    flat.copy_(torch.arange(11.0))
    assert rbm.weight.tolist() == [[0, 1, 2], [3, 4, 5]]
    assert rbm.visible_bias.tolist() == [6, 7, 8]
    assert rbm.hidden_bias.tolist() == [9, 10]


def test_no_units_are_refused() -> None:
    with pytest.raises(UsageError, match="at least one unit"):
        RBM(3, 0)
