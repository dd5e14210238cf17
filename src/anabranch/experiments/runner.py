"""Runs the cells of an experiment: several at a time, without those that were finished before, with the time left."""

import signal
import threading
import time
from collections.abc import Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from pathlib import Path

from anabranch.errors import Interrupted
from anabranch.experiments.cell import Cell, Outcome, conclude, finished, is_held, start
from anabranch.experiments.course import Course
from anabranch.experiments.processes import CellProcess
from anabranch.files import make_folder
from anabranch.signals import StopFlag

PATIENCE_SECONDS = 120.0  # for a cell that was asked to stop, which ends at the end of an epoch
HASTE_SECONDS = 10.0  # for one that was asked twice
LOOK_SECONDS = 0.2


class Runner:
    """Runs cells in a folder.

    Args:
        folder: where each cell has its own.
        jobs: cells at the same time, each on one core.
        course: hears of every cell that has ended.
        flag: raised by signals.
    """

    def __init__(self, folder: Path, jobs: int, course: Course, flag: StopFlag) -> None:
        self._folder, self._jobs, self._course, self._flag = folder, jobs, course, flag
        self._running: set[CellProcess] = set()
        self._lock, self._stopped = threading.Lock(), False

    def run(self, cells: Sequence[Cell]) -> dict[str, Outcome]:
        """All outcomes by the names of their cells.

        Raises:
            Interrupted: a signal came; what was finished is kept, and cells under way have their checkpoints.
            AnabranchError: a cell failed.
        """
        make_folder(self._folder)
        known = {cell.name: done for cell in cells if (done := finished(cell, self._folder))}
        open_cells = [cell for cell in cells if cell.name not in known]
        self._course.begin(open_cells, len(known))
        beside = [cell for cell in open_cells if not cell.alone]
        try:
            known |= self._together(beside, self._jobs)
            known |= self._together([cell for cell in open_cells if cell.alone], 1)
        except KeyboardInterrupt as error:  # a second Ctrl-C
            raise Interrupted(signal.SIGINT, "stopped") from error
        finally:
            self._end_all()
            self._course.end()
        return known

    def _together(self, cells: Sequence[Cell], jobs: int) -> dict[str, Outcome]:
        found: dict[str, Outcome] = {}
        # The costly first: the last ones then end together. One after another they keep their order.
        queue = sorted(cells, key=lambda cell: -cell.cost) if jobs > 1 else cells
        with ThreadPoolExecutor(jobs) as pool:
            waiting: dict[Future[Outcome], Cell] = {pool.submit(self._one, cell): cell for cell in queue}
            try:
                while waiting:
                    if self._flag.signal_number:
                        raise Interrupted(self._flag.signal_number, "stopped")
                    done, _ = wait(waiting, timeout=LOOK_SECONDS, return_when=FIRST_COMPLETED)
                    for future in done:
                        cell = waiting.pop(future)
                        found[cell.name] = future.result()
                        self._course.ended(cell, found[cell.name])
            except BaseException:
                for future in waiting:
                    future.cancel()
                self._end_all()
                raise
        return found

    def _one(self, cell: Cell) -> Outcome:
        self._wait_for_another(cell)
        began = time.monotonic()
        with self._lock:
            if self._stopped:
                raise Interrupted(signal.SIGINT, f"{cell.name} was not begun")
            process = start(cell, self._folder)
            self._running.add(process)
        try:
            code = process.wait()
        finally:
            with self._lock:
                self._running.discard(process)
        return conclude(cell, self._folder, code, process.said(), time.monotonic() - began)

    def _wait_for_another(self, cell: Cell) -> None:
        """What an experiment that was killed has left behind stops at the end of its epoch."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        if is_held(cell, self._folder):
            self._course.waits(cell)
        while is_held(cell, self._folder) and not self._stopped and time.monotonic() < deadline:
            time.sleep(LOOK_SECONDS)

    def _end_all(self) -> None:
        with self._lock:
            self._stopped = True
            running = list(self._running)
        try:
            for process in running:
                process.terminate()
            _await(running, PATIENCE_SECONDS)
        except KeyboardInterrupt:  # a second Ctrl-C
            for process in running:
                process.hurry()
            _await(running, HASTE_SECONDS)
            raise


def _await(running: Sequence[CellProcess], seconds: float) -> None:
    """Kill what has not ended by then."""
    deadline = time.monotonic() + seconds
    for process in running:
        if not process.ended(max(deadline - time.monotonic(), 0.1)):
            process.kill()
