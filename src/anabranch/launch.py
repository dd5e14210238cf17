"""Starting the ranks: this process, a simulated world within it, or mpirun; or joining an MPI job that has begun."""

import os
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from anabranch.errors import AnabranchError, Interrupted, UsageError

TERMINAL = "ANABRANCH_TERMINAL"
"""Environment variable, set by the launcher: width in columns of the terminal behind mpirun's pipe."""

REPORT = "ANABRANCH_REPORT"
"""Environment variable, set by the launcher: where the first rank that fails writes its sentence."""

REPORT_SECONDS = 0.5  # between two looks whether one has

ENDING_SECONDS = 15.0  # for mpirun to end after that

FOLDER = ".folder"  # of the file beside that report which names the run's folder

STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
NOTHING_KEPT = "stopped at once; nothing was written."
AT_ONCE = "stopped at once; --resume goes on from the last checkpoint."

WORTH_THREADS = 10_000_000  # parameters times batch size, from where several threads pay

_SIZES = ("OMPI_COMM_WORLD_SIZE", "PMI_SIZE", "MPI_LOCALNRANKS", "SLURM_STEP_NUM_TASKS")
_RANKS = ("OMPI_COMM_WORLD_RANK", "PMIX_RANK", "PMI_RANK")


def started_ranks(environment: Mapping[str, str] = os.environ) -> int:
    """How many ranks the mpirun or srun above this process has started; 0 without one."""
    sizes = [int(environment[name]) for name in _SIZES if environment.get(name, "").isdigit()]
    if any(name in environment for name in _RANKS):
        return max([1, *sizes])
    steps = environment.get("SLURM_STEP_NUM_TASKS", "")  # srun without an MPI plugin
    return int(steps) if steps.isdigit() and int(steps) > 1 else 0


def own_rank(environment: Mapping[str, str] = os.environ) -> int:
    """This process's rank among those that mpirun or srun has started; 0 without one."""
    ranks = [int(environment[name]) for name in (*_RANKS, "SLURM_PROCID") if environment.get(name, "").isdigit()]
    return ranks[0] if ranks and started_ranks(environment) else 0


def cores() -> int:
    """Processor cores that this process may use."""
    return len(os.sched_getaffinity(0))


def useful_threads(parameters: int, batch: int, cores: int) -> int:
    """Threads for one rank that has so many cores: all of them, or one where a step is too short to be shared.

    A batch of matrix products of 10 million multiplications takes 0.2 ms on one core, about what two threads spend on
    meeting each other when another process wants a core.
    """
    return cores if parameters * batch >= WORTH_THREADS else 1


def run_mpirun(ranks: int, arguments: Sequence[str], *, surviving: bool = False, at_once: str = AT_ONCE) -> int:
    """Run `python -m anabranch ARGUMENTS` on `ranks` ranks of this machine (or allocation); return the exit code.

    With `surviving` MPI is told to go on after the death of a rank. A Ctrl-C reaches the ranks as SIGUSR1, for mpirun
    would kill them at once; a second one kills them; `at_once` is said where nothing was saved.

    Raises:
        UsageError: no mpirun is found.
        Interrupted: stopped before the ranks could write a checkpoint.
        AnabranchError: the ranks failed, and none has said why.
    """
    mpirun = find_mpirun()
    with tempfile.TemporaryDirectory(prefix="anabranch-", dir=_shared_memory()) as private:
        report = Path(private) / "report"
        environment = os.environ | {
            REPORT: str(report),
            "PRTE_ALLOW_RUN_AS_ROOT": "1",
            "PRTE_ALLOW_RUN_AS_ROOT_CONFIRM": "1",
        }
        if sys.stdout.isatty():
            environment[TERMINAL] = str(shutil.get_terminal_size().columns)
        command = [
            *mpirun_command(mpirun, ranks, private, surviving=surviving),
            sys.executable,
            "-m",
            "anabranch",
            *arguments,
        ]
        return _reported(report, supervise(command, environment, report), at_once)


def find_mpirun() -> str:
    """The mpirun of the MPI that mpi4py will load: this environment's own if it has one, else the machine's.

    Raises:
        UsageError: there is none.
    """
    own = Path(sys.executable).parent / "mpirun"
    found = str(own) if own.exists() else shutil.which("mpirun") or shutil.which("mpiexec")
    if found is None:
        raise UsageError(
            "no mpirun found: load your cluster's MPI module, or install one with  pip install 'anabranch[mpi]'."
        )
    return found


def mpirun_command(mpirun: str, ranks: int, private: str, *, surviving: bool = False) -> list[str]:
    """The command that starts `ranks` ranks; `private` is a folder for the shared memory of this run alone.

    With `surviving` the death of one rank does not end the others, where this MPI has fault tolerance.
    """
    version = subprocess.run(
        [mpirun, "--version"],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"PRTE_ALLOW_RUN_AS_ROOT": "1", "PRTE_ALLOW_RUN_AS_ROOT_CONFIRM": "1"},
    ).stdout
    command = [mpirun, "-n", str(ranks)]
    if "Open MPI" not in version:
        return command
    command += ["--oversubscribe", "--bind-to", "none"]
    if os.geteuid() == 0:
        command.append("--allow-run-as-root")
    if surviving:
        command += ["--with-ft", "ulfm"]
    settings = {"mpi_yield_when_idle": "1"}
    if Path(mpirun).parent == Path(sys.executable).parent:
        # The wheel knows no fast network, and naming its components cuts the start from 1.3 to 0.3 seconds. A site's
        # own MPI chooses for itself.
        settings |= {"pml": "ob1", "btl": "self,sm,tcp", "osc": "^ucx"}
        settings |= {"btl_sm_backing_directory": private, "osc_sm_backing_directory": private}
    for name, value in settings.items():
        command += ["--mca", name, value]
    return command


@dataclass(frozen=True)
class Ending:
    """How mpirun ended: its exit code, its framed remarks, and how many signals to stop this process has had."""

    code: int
    remarks: str
    signals: int


def supervise(
    command: Sequence[str], environment: Mapping[str, str], report: Path, patience: float = ENDING_SECONDS
) -> Ending:
    """Run mpirun by `command`, pass on signals and what it says, and wait until it has ended.

    Once a rank has written `report`, nothing is left to do: an mpirun that then takes more than `patience` seconds
    hangs (Open MPI 5 with fault tolerance sometimes does, after an abort or a death) and is stopped, with its ranks.
    """
    # A session of its own: the terminal's Ctrl-C must reach this process alone, which passes it on.
    process = subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, start_new_session=True)
    signals = 0

    def pass_on(_number: int, _frame: object) -> None:
        nonlocal signals
        signals += 1
        process.send_signal(signal.SIGUSR1 if signals == 1 else signal.SIGTERM)

    # A terminal that closes must not leave the ranks behind; nohup, which ignores that, must keep them.
    caught = [number for number in STOPPING if signal.getsignal(number) is not signal.SIG_IGN]
    before = {number: signal.signal(number, pass_on) for number in caught}
    remarks: list[str] = []
    try:
        reader = threading.Thread(target=_pass_stderr, args=(process.stderr, remarks), daemon=True)
        reader.start()
        code = _wait(process, report, patience)
        reader.join(patience)  # ranks that outlive their mpirun would hold its pipe open
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        if process.stderr is not None:
            process.stderr.close()
    return Ending(code, "".join(remarks), signals)


def _wait(process: subprocess.Popen[bytes], report: Path, patience: float) -> int:
    while not report.exists():
        try:
            return process.wait(REPORT_SECONDS)
        except subprocess.TimeoutExpired:
            pass
    for number in (signal.SIGTERM, signal.SIGKILL):
        try:
            return process.wait(patience)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, number)
    return process.wait()


def _pass_stderr(stream: IO[bytes] | None, remarks: list[str]) -> None:
    """Pass on what the ranks say; keep mpirun's framed remarks about a rank that failed: that rank has said why."""
    framed = False
    for line in stream or ():
        text = line.decode(errors="replace").replace("\0", "")  # mpirun ends its remarks with one
        framed ^= (frame := text.startswith("-" * 20))
        if framed or frame:
            remarks.append(text)
        elif text:
            sys.stderr.write(text)
            sys.stderr.flush()


def _reported(report: Path, ending: Ending, at_once: str) -> int:
    """The exit code, after the sentence of the rank that failed, if one did."""
    if report.exists():
        first, _, sentence = report.read_text(encoding="utf-8").partition("\n")
        if sentence:
            print(sentence, file=sys.stderr)
        return int(first)
    if ending.code and ending.signals:
        raise Interrupted(signal.SIGINT, at_once)
    if ending.code:
        sys.stderr.write(ending.remarks)
        place = report.with_suffix(FOLDER)
        more = f"  anabranch train --resume {place.read_text(encoding='utf-8')}" if place.exists() else " --resume."
        raise AnabranchError(
            f"mpirun ended with exit code {ending.code}, and no rank could say why (one that was killed, by somebody "
            f"or for want of memory, cannot): see its remarks above, then go on with{more}"
        )
    return 0


def tell_folder(path: Path) -> None:
    """Tell the launcher, if there is one, where the run is, in case nobody is left to do so later."""
    report = os.environ.get(REPORT)
    if report is not None:
        Path(report).with_suffix(FOLDER).write_text(shlex.quote(str(path)), encoding="utf-8")


def report_success() -> None:
    """Tell the launcher, if there is one, that the run has ended well, whatever mpirun says of ranks that died."""
    report_failure(0, "")


def report_failure(code: int, sentence: str) -> None:
    """Say why this rank fails: to the launcher if there is one (the first rank that comes is heard), else directly."""
    path = os.environ.get(REPORT)
    if path is None:
        if sentence:
            print(sentence, file=sys.stderr, flush=True)
        return
    try:
        with Path(path).open("x", encoding="utf-8") as file:
            file.write(f"{code}\n{sentence}")
    except FileExistsError:
        pass


def _shared_memory() -> str | None:
    return "/dev/shm" if Path("/dev/shm").is_dir() and os.access("/dev/shm", os.W_OK) else None
