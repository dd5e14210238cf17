"""The runs of a comparison, as commands."""

from anabranch.compare.terms import Contender, Terms
from anabranch.experiments.cell import Cell

VALIDATION_SEED = 0  # all rates of all contenders are tried on one split, from one start

_OF_RULES = frozenset(("--optimizer", "--momentum", "--early-momentum", "--early-epochs", "--schedule"))
"""Options of an update rule, beside its learning rate; each has a value."""


def tuning_cell(terms: Terms, contender: Contender, rate: float) -> Cell:
    """A learning rate, tried on the validation part."""
    options = ("--validation-fraction", f"{terms.validation:g}", "--seed", str(VALIDATION_SEED))
    return _cell(terms, contender, f"rate-{rate:g}", 1.0, rate, options)


def final_cell(terms: Terms, contender: Contender, rate: float, seed: int, length: float) -> Cell:
    """A run with all training examples, measured on the test part; its epochs are those of the terms times `length`."""
    return _cell(terms, contender, f"seed-{seed}", length, rate, ("--seed", str(seed)))


def _cell(terms: Terms, contender: Contender, what: str, length: float, rate: float, more: tuple[str, ...]) -> Cell:
    epochs = _times(terms.epochs, length)
    size = ("--epochs", str(epochs), *_finetuning(terms, length), *_rate(contender, rate), *more)
    who = ("--strategy", contender.strategy, "--workers", str(contender.workers), *contender.options)
    return Cell(
        f"{contender.slug}-{what}",
        (*_where(terms, contender), *_shared(terms, contender), *who, *size, "--test-each-epoch"),
        epochs * (1 if terms.world == "simulated" else 1 / contender.workers),
        alone=terms.world == "mpi",
        may_diverge=True,
    )


def _rate(contender: Contender, rate: float) -> tuple[str, ...]:
    return ("--learning-rate", f"{rate:g}") if contender.tuned else ()


def _shared(terms: Terms, contender: Contender) -> tuple[str, ...]:
    """What all share, but for the update rule where `contender` has none: a run refuses what it cannot heed."""
    if contender.tuned:
        return terms.options
    at = [n for n, word in enumerate(terms.options) if word in _OF_RULES]
    return tuple(word for n, word in enumerate(terms.options) if n not in at and n - 1 not in at)


def _times(epochs: int, length: float) -> int:
    return max(1, round(epochs * length))


def _finetuning(terms: Terms, length: float) -> tuple[str, ...]:
    """As long as the pretraining, where its length is not the one that all share."""
    if length == 1 or terms.finetuning is None:
        return ()
    return ("--finetune-epochs", str(_times(terms.finetuning, length)))


def _where(terms: Terms, contender: Contender) -> tuple[str, ...]:
    if terms.world == "simulated":
        return ("simulate", *terms.place, "--trace", "0")
    return ("train", "--world", "mpi" if contender.workers > 1 else "single")
