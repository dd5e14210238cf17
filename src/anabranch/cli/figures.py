"""What `anabranch evaluate` has measured: as data for JSON, and as lines for people."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from anabranch.evaluate import LayerFit
from anabranch.judgement import Judgement
from anabranch.models import DBN
from anabranch.pretrain import layer_name

COLUMNS = 80
MOST = 10  # confusions that are listed where the matrix is too wide


def judgement_data(found: Judgement) -> dict[str, Any]:
    """The figures, for JSON."""
    return {
        "examples": found.examples,
        "wrong": found.wrong,
        "error": found.error,
        "loss": found.loss,
        "class_errors": found.class_errors,
        "confusion": found.confusion.tolist(),
    }


def judgement_lines(found: Judgement) -> list[str]:
    """The figures in at most 80 columns: a table of the classes, with the confusion matrix where there is room."""
    head = f"error {100 * found.error:.2f} % ({found.wrong:,} of {found.examples:,} wrong), loss {found.loss:.4g}"
    counts, errors = found.counts.tolist(), found.class_errors
    rows = [
        f"{k:>6} {n:>9,} {'' if error is None else f'{100 * error:.2f} %':>9}"
        for k, (n, error) in enumerate(zip(counts, errors, strict=True))
    ]
    width = len(str(max(counts))) + 1
    title = f"{'class':>6} {'examples':>9} {'error':>9}"
    if len(title) + 3 + width * len(counts) > COLUMNS:
        return [head, title, *rows, *_confusions(found)]
    matrix = found.confusion.tolist()
    cells = ["".join(f"{count or '·':>{width}}" for count in row) for row in matrix]
    tops = "".join(f"{k:>{width}}" for k in range(len(matrix)))
    return [head, f"{'':{len(title)}}   taken for", f"{title}  {tops}"] + [
        f"{row}  {counts}" for row, counts in zip(rows, cells, strict=True)
    ]


def _confusions(found: Judgement) -> list[str]:
    most = sorted(found.taken.items(), key=lambda pair: (-pair[1], pair[0]))[:MOST]
    lines = [f"  {own} taken for {predicted}: {times:,} times" for (own, predicted), times in most]
    return ["the most frequent confusions (--json writes all):", *lines] if lines else []


def fit_data(dbn: DBN, fits: Sequence[LayerFit], through: float) -> dict[str, Any]:
    """The figures, for JSON."""
    layers = [
        {"layer": layer_name(number, rbm)} | asdict(fit)
        for number, (rbm, fit) in enumerate(zip(dbn.layers, fits, strict=True))
    ]
    return {"layers": layers, "reconstruction_error": through}


def fit_lines(dbn: DBN, fits: Sequence[LayerFit], through: float) -> list[str]:
    """The figures, for people."""
    lines = []
    for number, (rbm, fit) in enumerate(zip(dbn.layers, fits, strict=True)):
        likelihood = fit.pseudo_log_likelihood
        more = "" if likelihood is None else f", pseudo-log-likelihood {likelihood:.4g} nats"
        lines.append(f"  {layer_name(number, rbm):<22} reconstruction error {fit.reconstruction_error:.4g}{more}")
    if len(fits) > 1:
        lines.append(f"  {'up and down again':<22} reconstruction error {through:.4g}")
    return lines
