"""How fast contrastive divergence (CD-1) trains an RBM on one core: we, other packages, and the matrix products alone.

    python benchmarks/cd_throughput.py --out results
    python benchmarks/cd_throughput.py --peers none --hidden 2000
    python benchmarks/cd_throughput.py --peers none --data random --visible 500 --hidden 2000
    python benchmarks/cd_throughput.py --short --data digits

Every contestant is a process of its own, bound to the same core. In each round every one trains a new RBM for one epoch
in its turn, while the others wait; the first round does not count. The unit is the loop of the five matrix products
of a CD-1 step, timed in the same rounds. After the rounds every RBM is trained for --epochs, and all are judged by the
same function. The peers are installed, once, each in its own environment below --environments.
"""

import argparse
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from anabranch.limit import contrastive_divergence
from harness import environments, report
from harness.contestant import Contestant, Entry, compete, contest, own_cores
from harness.data import Files, write_data
from harness.quality import judged
from harness.worker import Settings

PRECISIONS = ("float32", "bf16-mixed")
OWN = (("GEMM", "gemm_loop.py"), ("Anabranch", "anabranch_task.py"))
SHORT = {"peers": ["none"], "examples": 1000, "rounds": 3, "epochs": 1}
COLUMNS = report.RATES | {
    "pseudo_likelihood": ("pseudo-likelihood", ".1f"),
    "reconstruction_error": ("reconstruction error", ".2f"),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark; return the exit code."""
    options = _options(arguments)
    with tempfile.TemporaryDirectory(prefix="cd-throughput-") as scratch:
        folder = Path(scratch)
        files = write_data(options.data, folder, most=options.examples, width=options.visible)
        entries, missing = field(options, files)
        with contest(entries, own_cores(options.threads), folder) as contestants:
            compete(contestants, options.rounds, options.seconds)
            rows = results(contestants, files, options.epochs, folder)
    content = _content(options, files, [*rows, *missing])
    report.write(options.out, "cd_throughput", content, _text(content))
    return 1 if any(row["failure"] for row in rows[: len(OWN) * len(PRECISIONS)]) else 0


def field(options: argparse.Namespace, files: Files) -> tuple[list[Entry], list[dict[str, Any]]]:
    """All contestants, the limits first; and rows of the peers that cannot be installed."""
    settings = {
        precision: Settings(
            sizes=(files.width, options.hidden),
            examples=files.examples,
            batch_size=options.batch_size,
            precision=precision,
            threads=options.threads,
            data=files.data,
        )
        for precision in PRECISIONS
    }
    entries = [Entry(f"{name} {each.precision}", script, each) for name, script in OWN for each in settings.values()]
    missing = []
    for peer in environments.PEERS:
        if peer.name in options.peers:
            try:
                home = environments.environment(peer, options.environments, options.python, options.torch_index)
                note = "; ".join([peer.note, *home.passed_over])
                entries.append(Entry(peer.name, peer.script, settings["float32"], home.python, home.version, note))
            except environments.NotInstalled as error:
                missing.append({"name": peer.name, "version": "", "precision": "float32", "failure": str(error)})
    return entries, missing


def results(contestants: Sequence[Contestant], files: Files, epochs: int, folder: Path) -> list[dict[str, Any]]:
    """A row for each contestant: its speed, and how good its RBM is after `epochs`."""
    limits = dict(zip(PRECISIONS, contestants, strict=False))
    rows = []
    for contestant in contestants:
        settings = contestant.entry.settings
        kept = folder / "parameters.npz"
        found = {} if contestant in limits.values() else judged(contestant, files.test, epochs, kept)
        visible, hidden = settings.sizes
        flop = contrastive_divergence(visible, hidden, k=1).flop
        rows.append(report.rates(contestant, limits["float32"], limits[settings.precision], flop) | found)
    return rows


def _content(options: argparse.Namespace, files: Files, rows: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "machine": report.machine(),
        "settings": {
            "data": options.data,
            "visible": files.width,
            "hidden": options.hidden,
            "examples": files.examples,
            "batch_size": options.batch_size,
            "threads": options.threads,
            "rounds": options.rounds,
            "seconds": options.seconds,
            "epochs": options.epochs,
            "peers_python": environments.python_version(options.python),
        },
        "contestants": rows,
    }


def _text(content: dict[str, Any]) -> str:
    s, rows = content["settings"], content["contestants"]
    what = (
        f"CD-1, {s['visible']}-{s['hidden']}, {s['data']} ({s['examples']:,} examples), minibatches of "
        f"{s['batch_size']}, {s['threads']} thread(s); median of {s['rounds']} rounds; quality on the test images "
        f"after {s['epochs']} epoch(s). Peers on Python {s['peers_python']}."
    )
    parts = [report.machine_line(content["machine"]), what, report.table(rows, COLUMNS), report.notes(rows)]
    return "\n\n".join(part for part in parts if part)


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    names = [peer.name for peer in environments.PEERS]
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("--data", default="mnist", help="as for anabranch train, or random (default: mnist)")
    add("--visible", type=int, help="visible units, of random data")
    add("--hidden", type=int, default=500, help="hidden units (default: 500)")
    add("--examples", type=int, help="the most training examples (default: all)")
    add("--batch-size", type=int, default=125, help="examples of a step (default: 125)")
    add("--threads", type=int, default=1, help="threads, and cores, of every process (default: 1)")
    add("--rounds", type=int, default=5, help="rounds that count (default: 5)")
    add("--seconds", type=float, default=0.0, help="the least length of a turn, in whole epochs (default: one epoch)")
    add("--epochs", type=int, default=5, help="of the RBMs that are judged (default: 5)")
    add("--peers", nargs="+", choices=[*names, "none"], default=names, help="default: all")
    add("--environments", type=Path, default=environments.CACHE, help=f"default: {environments.CACHE}")
    add("--python", default=sys.executable, help="the interpreter of the peers' environments (default: this one)")
    add("--torch-index", metavar="URL", help="where torch comes from, such as https://download.pytorch.org/whl/cpu")
    add("--out", type=Path, metavar="DIR", help="where cd_throughput.json and .md are written")
    add("--short", action="store_true", help="a few batches, no peers: does it work?")
    if parser.parse_args(arguments).short:
        parser.set_defaults(**SHORT)
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
