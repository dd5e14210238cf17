"""How fast our BernoulliRBM is next to scikit-learn's with equal parameters, and what both have learnt then.

    python benchmarks/estimators.py --out results
    python benchmarks/estimators.py --batch-size 10        # scikit-learn's default

Each contestant is a process of its own on one core; they train a new RBM for an epoch in turn. The speed-up is the
median of the rounds' own ratios, against scikit-learn on data of the same type (bfloat16 products: on float32 data).
The pseudo-likelihood is that of the test images, made binary, after `--epochs` epochs: nats an image. scikit-learn
takes the examples in their order in each epoch; ours does so unshuffled, and else in an order of the epoch's own.
"""

import argparse
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import sklearn

from anabranch import __version__
from harness import report
from harness.contestant import Contestant, Entry, compete, contest, own_cores
from harness.data import Files, write_data
from harness.quality import judged
from harness.worker import Settings

FIELD = (
    ("scikit-learn", "sklearn_rbm.py", sklearn.__version__, False, ("float32", "float64")),
    ("Anabranch, unshuffled,", "anabranch_rbm.py", __version__, False, ("float32", "float64")),
    ("Anabranch", "anabranch_rbm.py", __version__, True, ("float32", "float64", "bf16-mixed")),
)
SHORT = {"data": "digits", "hidden": 30, "batch_size": 20, "rounds": 3, "epochs": 2}
COLUMNS: report.Columns = {
    "name": ("BernoulliRBM of", ""),
    "precision": ("precision", ""),
    "samples_per_second": ("samples/s", ",.0f"),
    "speed_up": ("times scikit-learn's", ".2f"),
    "peak_memory_mb": ("peak memory, MB", ",.0f"),
    "pseudo_likelihood": ("pseudo-likelihood", ".1f"),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark; return the exit code."""
    options = _options(arguments)
    with tempfile.TemporaryDirectory(prefix="estimators-") as scratch:
        folder = Path(scratch)
        files = write_data(options.data, folder)
        with contest(field(options, files), own_cores(1), folder) as contestants:
            compete(contestants, options.rounds, seconds=0)
            rows = results(contestants, files, options.epochs, folder)
    content = {"machine": report.machine(), "settings": _settings(options, files), "contestants": rows}
    report.write(options.out, "estimators", content, _text(content))
    return 1 if any(row["failure"] for row in rows) else 0


def field(options: argparse.Namespace, files: Files) -> list[Entry]:
    """All contestants."""

    def settings(precision: str, shuffle: bool) -> Settings:
        return Settings(
            sizes=(files.width, options.hidden),
            examples=files.examples,
            batch_size=options.batch_size,
            precision=precision,
            threads=1,
            data=files.data,
            learning_rate=options.learning_rate,
            shuffle=shuffle,
        )

    return [
        Entry(f"{name} {precision}", script, settings(precision, shuffle), version=version)
        for name, script, version, shuffle, precisions in FIELD
        for precision in precisions
    ]


def results(contestants: Sequence[Contestant], files: Files, epochs: int, folder: Path) -> list[dict[str, Any]]:
    """A row for each contestant."""
    float32, float64 = contestants[:2]
    rows = []
    for contestant in contestants:
        rival = float64 if contestant.entry.settings.precision == "float64" else float32
        row = report.speed(contestant) | {"speed_up": report.median_ratio(contestant.rates, rival.rates)}
        rows.append(row | judged(contestant, files.test, epochs, folder / "parameters.npz"))
    return rows


def _settings(options: argparse.Namespace, files: Files) -> dict[str, Any]:
    names = ("data", "hidden", "batch_size", "learning_rate", "rounds", "epochs")
    return {name: getattr(options, name) for name in names} | {"visible": files.width, "examples": files.examples}


def _text(content: dict[str, Any]) -> str:
    s, rows = content["settings"], content["contestants"]
    what = (
        f"BernoulliRBM, {s['visible']}-{s['hidden']}, {s['data']} ({s['examples']:,} examples), batch_size "
        f"{s['batch_size']}, learning_rate {s['learning_rate']}, one core each, in turn; median of {s['rounds']} "
        f"rounds of an epoch; pseudo-likelihood of the test images after {s['epochs']}. "
        f"scikit-learn {sklearn.__version__}."
    )
    parts = [report.machine_line(content["machine"]), what, report.table(rows, COLUMNS), report.notes(rows)]
    return "\n\n".join(part for part in parts if part)


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("--data", default="mnist", help="as for anabranch train (default: mnist)")
    add("--hidden", type=int, default=256, help="n_components (default: 256, scikit-learn's own)")
    add("--batch-size", type=int, default=100, help="batch_size (default: 100)")
    add("--learning-rate", type=float, default=0.05, help="learning_rate (default: 0.05)")
    add("--rounds", type=int, default=5, help="rounds that count (default: 5)")
    add("--epochs", type=int, default=5, help="of the RBMs that are judged (default: 5)")
    add("--out", type=Path, metavar="DIR", help="where estimators.json and .md are written")
    add("--short", action="store_true", help="digits, a small RBM: does it work?")
    if parser.parse_args(arguments).short:
        parser.set_defaults(**SHORT)
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
