"""What all tests share: one thread, so that results have the same bits everywhere; no verdict by the clock, no page."""

import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import torch
from hypothesis import settings

if TYPE_CHECKING:
    from running import Ran
    from tiny_paper import Finished

# A page of five megabytes at the end of each of some hundred runs; the tests of the report ask for theirs.
os.environ["ANABRANCH_PAGES"] = "none"
sys.path.insert(0, str(Path(__file__).parent / "support"))
torch.set_num_threads(1)
# A shell that starts the suite in the background has it ignore Ctrl-C, and so all processes that the tests start.
signal.signal(signal.SIGINT, signal.default_int_handler)
settings.register_profile("shared machine", deadline=None)
settings.load_profile("shared machine")


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    """A command that a test calls in this process may leave torch another number of threads."""
    yield
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> "Finished":
    """The tiny paper's cells, which no test may change: each is a process that takes seconds to start."""
    from tiny_paper import run_quick

    return run_quick(tmp_path_factory.mktemp("tiny") / "cells")


@pytest.fixture(scope="module")
def ran(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> "Ran":
    """The page that a module of tests names as its PAGE, run from top to bottom."""
    from running import run_page

    return run_page(request.module.PAGE, tmp_path_factory.mktemp("page") / "stage")
