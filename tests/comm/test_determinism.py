"""An asynchronous program repeats bit for bit."""

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from anabranch.comm import SimulatedCommunicator, SimulatedWorld

Trace = list[tuple[object, ...]]
SECONDS = st.lists(st.lists(st.sampled_from([0.0, 0.1, 0.25, 1.0, 3.0]), max_size=6), min_size=2, max_size=5)


def trace_of(seconds: list[list[float]]) -> Trace:
    """A served, stale, one-sided program: rank 0 serves, the others compute and push."""
    trace: Trace = []

    def serve(comm: SimulatedCommunicator) -> None:
        x, centre = torch.zeros(1), torch.zeros(1)
        for _ in range(sum(len(each) for each in seconds[1:])):
            source = comm.recv(x)
            centre += x
            comm.elapse(0.05)
            comm.send(centre, source, tag=1)
            trace.append(("served", comm.clock(), source, centre.item()))

    def program(comm: SimulatedCommunicator) -> None:
        with comm.window(torch.zeros(1)) as window:
            if comm.rank == 0:
                serve(comm)
            else:
                x = torch.zeros(1)
                for number, each in enumerate(seconds[comm.rank]):
                    comm.elapse(each)
                    window.accumulate(number % comm.size, torch.tensor([0.1 * comm.rank]))
                    window.get((comm.rank + number) % comm.size, x)
                    trace.append(("read", comm.clock(), comm.rank, x.item()))
                    comm.send(torch.tensor([x.item() + 0.1 * number]), 0)
                    comm.recv(x, 0, tag=1)
            comm.barrier()
            trace.append(("end", comm.clock(), comm.rank, window.local.item()))

    SimulatedWorld(len(seconds)).run(program)
    return trace


@given(SECONDS)
@settings(max_examples=40, deadline=None)
def test_a_program_leaves_the_same_trace_twice(seconds: list[list[float]]) -> None:
    assert trace_of(seconds) == trace_of(seconds)


@given(SECONDS)
@settings(max_examples=40, deadline=None)
def test_time_never_runs_backwards(seconds: list[list[float]]) -> None:
    times = [entry[1] for entry in trace_of(seconds) if entry[0] == "read"]
    assert times == sorted(times, key=float)  # type: ignore[arg-type]
