"""Kill one random worker of an asynchronous MPI run with SIGKILL, at a random moment, and see what becomes of the run.

    python benchmarks/kill_workers.py --times 20 --baseline 3
    python benchmarks/kill_workers.py --times 5 --workers 4 --reassign -- --strategy easgd --data mnist --model mlp
    python benchmarks/kill_workers.py --times 3 --server window

What follows `--` are options of `anabranch train`, in place of `downpour` on MNIST. Some runs that nobody disturbs come
first: the mean of their test errors is the reference, and their spread says what a difference to it is worth (runs at
their own pace are never twice the same). The victim and its moment are drawn from --seed: one of the workers, and a
point between the first step and nine tenths of all epochs. The run's own record says when that point has come.

With server ranks a run passes if it ends with exit code 0, in time, with no process left behind; if it names the worker
that was killed and no other; if computed = applied + lost; and if the updates in its record add up to what it says was
applied. With --server window no run can go on: one passes if it ends in time with another exit code and one sentence.
Ends with "20 of 20 pass" and exit code 0, or 1 if a run does not.
"""

import argparse
import contextlib
import json
import os
import random
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from harness import report

SMALL = ["--strategy", "downpour", "--data", "mnist", "--model", "mlp", "--epochs", "5", "--learning-rate", "0.1"]
LATEST = 0.9  # of all epochs: the last moment for a kill
MOST_DRAWS = 10  # a run that has ended before its moment came is done again
PATIENCE = 0.02  # seconds between two looks at a run
GRACE = 5.0  # seconds in which a run's processes may go after it has ended
BEGUN = ": up to "  # a run says so when its first task begins
WINDOW = "window"
COLUMNS = {
    "number": ("run", ""),
    "victim": ("killed rank", ""),
    "epoch": ("after epochs", ".2f"),
    "seconds": ("s in all", ".1f"),
    "code": ("exit code", ""),
    "error": ("test error", ".2%"),
    "points": ("points", "+.2f"),
    "computed": ("computed", ",d"),
    "applied": ("applied", ",d"),
    "lost": ("lost", ",d"),
    "dead": ("dead workers", ""),
    "verdict": ("passes", ""),
}


@dataclass(frozen=True)
class Setting:
    """What all runs have in common: `servers` ranks come before the workers (none with windows)."""

    train: list[str]
    server: str
    workers: int
    servers: int
    limit: float

    @property
    def arguments(self) -> list[str]:
        """Of `anabranch train`."""
        return [*self.train, "--world", "mpi", "--workers", str(self.workers), "--server", self.server]


@dataclass(frozen=True)
class Ended:
    """How a run ended; `code` is None if it did not in time. `family`: processes of it that were still there then."""

    code: int | None
    seconds: float
    stderr: str
    family: list[int]


@dataclass(frozen=True)
class Row:
    """One run: whom it lost, when, and what became of it. `epoch` is in epochs since the start of training."""

    number: int
    victim: int | None
    epoch: float | None
    seconds: float
    code: int | None
    error: float | None = None
    computed: int | None = None
    applied: int | None = None
    recorded: int | None = None
    lost: int | None = None
    dead_workers: list[int] = field(default_factory=list)
    sentences: list[str] = field(default_factory=list)
    stderr: str = ""
    complaints: list[str] = field(default_factory=list)

    def shown(self, reference: float | None) -> dict[str, Any]:
        """For the table and the file."""
        known = self.error is not None and reference is not None
        return asdict(self) | {
            "points": 100 * (self.error - reference) if self.error is not None and reference is not None else None,
            "dead": ", ".join(map(str, self.dead_workers)) or ("none" if known else "–"),
            "verdict": "NO" if self.complaints else "yes",
        }


def main() -> int:
    """Run the benchmark; return the exit code."""
    options, setting = _options()
    chance = random.Random(options.seed)
    with tempfile.TemporaryDirectory(prefix="kill-workers-") as scratch:
        folder = Path(options.folder or scratch)
        folder.mkdir(parents=True, exist_ok=True)
        whole = [undisturbed(setting, folder / f"baseline-{n}") for n in range(1, options.baseline + 1)]
        errors = [each["test_error"] for each in whole if each["test_error"] is not None]
        reference = statistics.mean(errors) if errors else None
        rows = [killed(setting, folder, number, whole, chance) for number in range(1, options.times + 1)]
    show(options, setting, errors, [row.shown(reference) for row in rows])
    return 1 if any(row.complaints for row in rows) else 0


def undisturbed(setting: Setting, folder: Path) -> dict[str, Any]:
    """The summary of a run that loses nobody."""
    run = Run(setting, folder)
    ended = run.end()
    if ended.code != 0:
        raise SystemExit(f"a run that nobody disturbed ended with exit code {ended.code}: {ended.stderr}")
    found = summary(folder)
    print(f"undisturbed: {ended.seconds:.1f} s, test error {found['test_error']}", file=sys.stderr, flush=True)
    return found


def killed(setting: Setting, folder: Path, number: int, whole: list[dict[str, Any]], chance: random.Random) -> Row:
    """A run that loses a worker."""
    epochs = sum(task["epochs"] for task in whole[0]["tasks"])
    length = statistics.mean(each["seconds"] for each in whole) / epochs
    for draw in range(MOST_DRAWS):
        victim = chance.randrange(setting.servers, setting.servers + setting.workers)
        moment = chance.random() * LATEST * epochs
        out = folder / f"run-{number}-{draw}"
        run = Run(setting, out)
        if not (run.reaches(moment, length) and run.kill(victim)):
            ended = run.end()
            if ended.code != 0:
                raise SystemExit(f"a run ended with exit code {ended.code} before it was killed: {ended.stderr}")
            continue
        judge = survived if setting.servers else failed
        row = judge(setting, out, run.end(), number, victim, moment)
        words = "; ".join(row.complaints) or "passes"
        print(f"run {number}: rank {victim} killed after {moment:.2f} epochs: {words}", file=sys.stderr, flush=True)
        return row
    raise SystemExit(f"{MOST_DRAWS} runs ended before they could be killed: train for longer")


def survived(setting: Setting, folder: Path, ended: Ended, number: int, victim: int, moment: float) -> Row:
    """A run with servers, which must have gone on."""
    complaints = list(unended(setting, ended))
    known = dict[str, Any]()
    if ended.code != 0:
        complaints.append(f"exit code {ended.code} instead of 0")
    elif not (folder / "summary.json").exists():
        complaints.append("no summary.json")
    else:
        known = accounts(folder)
        complaints += wrong(known, victim - setting.servers)
    return Row(
        number,
        victim,
        moment,
        ended.seconds,
        ended.code,
        **known,
        sentences=sentences(ended.stderr),
        stderr=ended.stderr,
        complaints=complaints,
    )


def failed(setting: Setting, folder: Path, ended: Ended, number: int, victim: int, moment: float) -> Row:
    """A run with windows, which must have ended with one sentence."""
    complaints, said = list(unended(setting, ended)), sentences(ended.stderr)
    if ended.code == 0:
        complaints.append("exit code 0, as if nothing had happened")
    if (folder / "summary.json").exists():
        complaints.append("it has results")
    if ended.code is not None and len(said) != 1:
        complaints.append(f"{len(said)} sentences instead of one")
    return Row(
        number, victim, moment, ended.seconds, ended.code, sentences=said, stderr=ended.stderr, complaints=complaints
    )


def unended(setting: Setting, ended: Ended) -> Iterator[str]:
    """What is wrong with a run that has not ended, or not wholly."""
    if ended.code is None:
        yield f"no end within {setting.limit:g} s"
    elif ended.family:
        yield f"{len(ended.family)} processes were left behind"


def accounts(folder: Path) -> dict[str, Any]:
    """A finished run's test error and its books, those of all its tasks together."""
    found = summary(folder)
    books = [task["traffic"] for task in found["tasks"] if "traffic" in task]
    sums = {key: sum(book["examples"][key] for book in books) for key in ("computed", "applied", "lost")}
    lines = (json.loads(text) for text in (folder / "steps.jsonl").read_text(encoding="utf-8").splitlines())
    recorded = sum(line["examples"] for line in lines if line["kind"] == "step")
    dead = sorted({worker for book in books for worker in book["dead_workers"]})
    return {"error": found["test_error"], "recorded": recorded, "dead_workers": dead} | sums


def wrong(known: dict[str, Any], worker: int) -> Iterator[str]:
    """What is wrong with a run's books, whose worker so numbered was killed."""
    if known["computed"] != known["applied"] + known["lost"]:
        yield "computed {computed} is not applied {applied} + lost {lost}".format(**known)
    if known["recorded"] != known["applied"]:
        yield "applied {applied}, but the updates in the record have {recorded}".format(**known)
    if known["dead_workers"] != [worker]:
        yield f"dead workers {known['dead_workers']}, but worker {worker} was killed"


class Run:
    """A run of `anabranch train` on MPI under way; what it says is in files beside its folder."""

    def __init__(self, setting: Setting, out: Path) -> None:
        self._record, self._limit = out / "steps.jsonl", setting.limit
        self._said, self._complained = out.with_suffix(".out"), out.with_suffix(".err")
        command = [sys.executable, "-m", "anabranch", "train", *setting.arguments, "--out", str(out)]
        self._began, self._seen = time.monotonic(), dict[int, str | None]()
        with self._said.open("w") as said, self._complained.open("w") as complained:
            self._process = subprocess.Popen(command, stdout=said, stderr=complained)

    def reaches(self, moment: float, length: float) -> bool:
        """Wait until so many epochs have passed, each about `length` seconds long; False if the run ends before."""
        whole = int(moment)
        while not (BEGUN in self._said.read_text(encoding="utf-8") and self._epochs() >= whole):
            if self._over() or time.monotonic() > self._began + self._limit:
                return False
            time.sleep(PATIENCE)
        time.sleep((moment - whole) * length)
        return not self._over()

    def kill(self, rank: int) -> bool:
        """SIGKILL one rank; False if it is not there any more."""
        self._look()
        victim = next((pid for pid in family(self._process.pid) if rank_of(pid) == rank), None)
        if victim is None:
            return False
        os.kill(victim, signal.SIGKILL)
        return True

    def end(self) -> Ended:
        """Wait for the end, up to the limit; what is there then is killed."""
        code: int | None = None
        while not self._over() and time.monotonic() < self._began + self._limit:
            self._look()
            time.sleep(10 * PATIENCE)
        if self._over():
            code = self._process.wait()
        seconds = time.monotonic() - self._began
        left = self._outliving(0.0 if code is None else GRACE)
        for pid in left:
            send_kill(pid)
        self._process.wait()
        return Ended(code, seconds, self._complained.read_text(encoding="utf-8", errors="replace"), left)

    def _outliving(self, grace: float) -> list[int]:
        """Processes of the run that are still there after `grace` seconds at most."""
        until = time.monotonic() + grace
        while left := [pid for pid, born in self._seen.items() if born and birth(pid) == born]:
            if time.monotonic() >= until:
                break
            time.sleep(PATIENCE)
        return left

    def _look(self) -> None:
        """Remember the run's processes."""
        self._seen |= {pid: birth(pid) for pid in family(self._process.pid)}

    def _over(self) -> bool:
        return self._process.poll() is not None

    def _epochs(self) -> int:
        """Those that have ended, of all tasks."""
        return self._record.read_bytes().count(b'"kind": "epoch"') if self._record.exists() else 0


def family(pid: int) -> list[int]:
    """A process and all that it has started: mpirun and its ranks, too; parents come before their children."""
    members = [pid]
    for member in members:
        for children in Path(f"/proc/{member}/task").glob("*/children"):
            try:
                members += [int(child) for child in children.read_text().split()]
            except OSError:  # it has ended meanwhile
                continue
    return members


def rank_of(pid: int) -> int | None:
    """The MPI rank that a process is; None if it is no rank, or gone."""
    try:
        environment = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    except OSError:
        return None
    found = [entry.partition(b"=")[2] for entry in environment if entry.startswith(b"OMPI_COMM_WORLD_RANK=")]
    return int(found[0]) if found else None


def birth(pid: int) -> str | None:
    """When a process began, which tells it from a later one with the same id; None if it is gone, or a zombie."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return fields[19] if fields[0] != "Z" else None


def send_kill(pid: int) -> None:
    """SIGKILL a process, if it is there."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def sentences(stderr: str) -> list[str]:
    """What the program itself has said there, without mpirun's remarks."""
    return [line for line in stderr.splitlines() if line.startswith("anabranch: ")]


def summary(folder: Path) -> dict[str, Any]:
    """The results of a finished run."""
    content: dict[str, Any] = json.loads((folder / "summary.json").read_text(encoding="utf-8"))
    return content


def show(options: argparse.Namespace, setting: Setting, errors: list[float], rows: list[dict[str, Any]]) -> None:
    """Print the table and what it comes to; keep all of it, if that is wanted."""
    machine, passing = report.machine(), sum(not row["complaints"] for row in rows)
    print(f"\n{report.machine_line(machine)}\nanabranch train {' '.join(setting.arguments)}\n")
    print(report.table(rows, COLUMNS), end="\n\n")
    if errors:
        spread = f" ({min(errors):.2%} to {max(errors):.2%})" if len(errors) > 1 else ""
        print(f"reference: test error {statistics.mean(errors):.2%} of {len(errors)} undisturbed{spread}")
    points = [row["points"] for row in rows if row["points"] is not None]
    if points:
        worst = max(points, key=abs)
        print(f"difference in points: mean {statistics.mean(points):+.2f}, largest {worst:+.2f}")
    for sentence in sorted({text for row in rows for text in row["sentences"]}):
        print(f"said: {sentence}")
    for row in rows:
        for complaint in row["complaints"]:
            print(f"run {row['number']}: {complaint}")
    expected = "" if setting.servers else ", which here means to end with one sentence"
    print(f"{passing} of {len(rows)} pass{expected}")
    if options.out:
        settings = {"arguments": setting.arguments, "seed": options.seed, "limit": setting.limit}
        content = {"machine": machine, "settings": settings, "reference": errors, "rows": rows}
        options.out.parent.mkdir(parents=True, exist_ok=True)
        options.out.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def _options() -> tuple[argparse.Namespace, Setting]:
    own, rest = sys.argv[1:], list[str]()
    if "--" in own:
        at = own.index("--")
        own, rest = own[:at], own[at + 1 :]
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--times", type=int, default=20, help="runs to disturb (default: 20)")
    parser.add_argument("--baseline", type=int, default=1, help="runs to leave alone, at least 1 (default: 1)")
    parser.add_argument("--workers", type=int, default=3, help="besides the servers (default: 3)")
    parser.add_argument("--server", default="ranks:1", help="window, or ranks:S (default: ranks:1)")
    parser.add_argument("--reassign", action="store_true", help="as for anabranch train")
    parser.add_argument("--seed", type=int, default=0, help="of the victims and moments (default: 0)")
    parser.add_argument("--limit", type=float, default=300, help="seconds that a run may take (default: 300)")
    parser.add_argument("--folder", help="where the runs are kept; else they are deleted at the end")
    parser.add_argument("--out", type=Path, help="JSON file of all figures")
    options = parser.parse_args(own)
    if options.baseline < 1 or options.times < 1:
        parser.error("at least one run must be disturbed, and one left alone: try --times 1 --baseline 1")
    servers = 0 if options.server == WINDOW else int(options.server.removeprefix("ranks:"))
    train = [*(rest or SMALL), *(["--reassign"] if options.reassign else [])]
    return options, Setting(train, options.server, options.workers, servers, options.limit)


if __name__ == "__main__":
    sys.exit(main())
