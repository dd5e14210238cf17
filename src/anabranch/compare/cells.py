"""The runs of a comparison, as commands."""

from anabranch.compare.terms import Contender, Terms
from anabranch.experiments.cell import Cell

VALIDATION_SEED = 0  # all rates of all contenders are tried on one split, from one start


def tuning_cell(terms: Terms, contender: Contender, rate: float) -> Cell:
    """A learning rate, tried on the validation part."""
    options = ("--validation-fraction", f"{terms.validation:g}", "--seed", str(VALIDATION_SEED))
    return _cell(terms, contender, f"rate-{rate:g}", terms.epochs, rate, options)


def final_cell(terms: Terms, contender: Contender, rate: float, seed: int, epochs: int) -> Cell:
    """A run with all training examples, measured on the test part."""
    return _cell(terms, contender, f"seed-{seed}", epochs, rate, ("--seed", str(seed)))


def _cell(terms: Terms, contender: Contender, what: str, epochs: int, rate: float, more: tuple[str, ...]) -> Cell:
    size = ("--epochs", str(epochs), "--learning-rate", f"{rate:g}", *more)
    who = ("--strategy", contender.strategy, "--workers", str(contender.workers), *contender.options)
    return Cell(
        f"{contender.slug}-{what}",
        (*_where(terms, contender), *terms.options, *who, *size, "--test-each-epoch"),
        epochs * (1 if terms.world == "simulated" else 1 / contender.workers),
        alone=terms.world == "mpi",
        may_diverge=True,
    )


def _where(terms: Terms, contender: Contender) -> tuple[str, ...]:
    if terms.world == "simulated":
        return ("simulate", *terms.place, "--trace", "0")
    return ("train", "--world", "mpi" if contender.workers > 1 else "single")
