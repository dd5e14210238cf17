"""What every communicator must do: one table, run simulated and on MPI.

Each check is an SPMD program for any number of ranks. It leaves no message under way, and compares with what it works
out alone from all ranks' inputs.
"""

from collections.abc import Callable
from functools import cache, reduce

import pytest
import torch
from torch import Tensor

from anabranch.comm import Communicator, Feature, Op
from anabranch.errors import AnabranchError, CommunicationError, ReceiveTimeout, Unsupported, UsageError

FLOATS = (torch.float32, torch.float64, torch.bfloat16, torch.float16)
INTEGERS = (torch.int64, torch.int32, torch.int16, torch.int8, torch.uint8)
LENGTHS = (0, 1, 5, 4097, 80_001)  # below and above the size from which MPI exchanges chunks


@cache
def input_of(rank: int, length: int, dtype: torch.dtype) -> Tensor:
    """[length] numbers of very different sizes, so that another order of addition gives other bits. Read only."""
    generator = torch.Generator().manual_seed(1000 * rank + length)
    if not dtype.is_floating_point:
        return torch.randint(-(2**31), 2**31, (length,), generator=generator).to(dtype)  # so that small ones overflow
    x = torch.randn(length, generator=generator) * 10 ** torch.empty(length).uniform_(-3, 3, generator=generator)
    return x.to(dtype)


def same_bits(x: Tensor, y: Tensor) -> bool:
    return x.dtype == y.dtype and torch.equal(x.view(-1).view(torch.uint8), y.view(-1).view(torch.uint8))


@cache
def sum_in_order(size: int, length: int, dtype: torch.dtype) -> Tensor:
    """((x0 + x1) + x2) + … of `size` ranks' inputs, half precision in float32."""
    wide = torch.float32 if dtype in (torch.bfloat16, torch.float16) else dtype
    return reduce(torch.add, [input_of(rank, length, dtype).to(wide) for rank in range(size)])


@cache
def extreme(size: int, length: int, dtype: torch.dtype, op: Op) -> Tensor:
    choose = torch.maximum if op == "max" else torch.minimum
    return reduce(choose, [input_of(rank, length, dtype) for rank in range(size)])


def message_of(kind: type[AnabranchError], call: Callable[[], object]) -> str:
    """The sentence of the error of exactly this `kind` that `call` raises."""
    with pytest.raises(kind) as caught:
        call()
    assert type(caught.value) is kind, f"{caught.value!r} instead of a {kind.__name__}"
    return str(caught.value)


def check_is_a_communicator(comm: Communicator) -> None:
    assert isinstance(comm, Communicator)
    assert 0 <= comm.rank < comm.size
    assert all(isinstance(feature, Feature) for feature in comm.provides)


def check_sum_has_the_bits_of_the_rank_order(comm: Communicator) -> None:
    for dtype in FLOATS + INTEGERS:
        for length in LENGTHS:
            x = input_of(comm.rank, length, dtype).clone()
            comm.allreduce(x)
            assert same_bits(x, sum_in_order(comm.size, length, dtype).to(dtype)), (dtype, length)


def check_mean_is_the_sum_over_the_size(comm: Communicator) -> None:
    for dtype in FLOATS:
        for length in LENGTHS:
            x = input_of(comm.rank, length, dtype).clone()
            comm.allreduce(x, "mean")
            assert same_bits(x, (sum_in_order(comm.size, length, dtype) / comm.size).to(dtype)), (dtype, length)


def check_max_and_min(comm: Communicator) -> None:
    ops: tuple[Op, ...] = ("max", "min")
    for dtype in FLOATS + INTEGERS:
        for length in LENGTHS:
            for op in ops:
                x = input_of(comm.rank, length, dtype).clone()
                comm.allreduce(x, op)
                assert torch.equal(x, extreme(comm.size, length, dtype, op)), (dtype, length, op)


def check_one_nan_makes_every_reduction_nan(comm: Communicator) -> None:
    ops: tuple[Op, ...] = ("sum", "mean", "max", "min")
    for op in ops:
        for owner in range(comm.size):
            x = torch.tensor([1.0, float("nan") if comm.rank == owner else 2.0])
            comm.allreduce(x, op)
            assert x.isnan().tolist() == [False, True], (op, owner)


def check_allreduce_keeps_the_shape(comm: Communicator) -> None:
    x = torch.full((3, 2), float(comm.rank))
    scalar = torch.tensor(1.0)
    comm.allreduce(x, "max")
    comm.allreduce(scalar)
    assert torch.equal(x, torch.full((3, 2), comm.size - 1.0))
    assert scalar.item() == comm.size


def check_allgather(comm: Communicator) -> None:
    for dtype in (*FLOATS, *INTEGERS, torch.bool):
        out = torch.zeros(7 * comm.size, dtype=dtype)
        comm.allgather(input_of(comm.rank, 7, dtype), out)
        assert torch.equal(out, torch.cat([input_of(rank, 7, dtype) for rank in range(comm.size)])), dtype


def check_broadcast_from_every_root(comm: Communicator) -> None:
    for dtype in (*FLOATS, *INTEGERS, torch.bool):
        for root in range(comm.size):
            x = input_of(comm.rank, 5, dtype).clone()
            comm.broadcast(x, root)
            assert torch.equal(x, input_of(root, 5, dtype)), (dtype, root)


def check_send_and_recv_in_a_ring(comm: Communicator) -> None:
    if comm.size == 1:
        return
    following, previous = (comm.rank + 1) % comm.size, (comm.rank - 1) % comm.size
    for dtype in (*FLOATS, *INTEGERS, torch.bool):
        for length in (1, 30_000):
            x, out = input_of(comm.rank, length, dtype), torch.zeros(length, dtype=dtype)
            if comm.rank == 0:
                comm.send(x, following)
            assert comm.recv(out, previous) == previous
            if comm.rank != 0:
                comm.send(x, following)
            assert torch.equal(out, input_of(previous, length, dtype)), (dtype, length)


def check_tags_keep_messages_apart(comm: Communicator) -> None:
    out = torch.zeros(1)
    if comm.size >= 3 and comm.rank == 0:
        assert comm.recv(out, None, tag=2) == 2
        assert out.item() == 20
        assert comm.recv(out, 1, tag=1) == 1
        assert out.item() == 10
    elif comm.rank in (1, 2) and comm.size >= 3:
        comm.send(torch.tensor([10.0 * comm.rank]), 0, tag=comm.rank)


def check_messages_of_one_sender_keep_their_order(comm: Communicator) -> None:
    out = torch.zeros(1)
    if comm.rank == comm.size - 1 and comm.size > 1:
        for number in range(5):
            comm.send(torch.tensor([float(number)]), 0)
    elif comm.rank == 0 and comm.size > 1:
        for number in range(5):
            comm.recv(out, None)
            assert out.item() == number


def check_any_source_hears_everybody(comm: Communicator) -> None:
    if comm.rank == 0:
        out = torch.zeros(1)
        heard = []
        for _ in range(3 * (comm.size - 1)):
            source = comm.recv(out)
            assert out.item() == source
            heard.append(source)
        assert sorted(heard) == sorted(3 * list(range(1, comm.size)))
    else:
        for _ in range(3):
            comm.send(torch.tensor([float(comm.rank)]), 0)


def check_recv_gives_up_in_time(comm: Communicator) -> None:
    out = torch.zeros(1)
    began = comm.clock()
    for timeout in (0.0, 0.05):
        assert f"{timeout} s" in message_of(ReceiveTimeout, lambda t=timeout: comm.recv(out, timeout=t))  # type: ignore[misc]
        if comm.size > 1:
            source = (comm.rank + 1) % comm.size
            message_of(ReceiveTimeout, lambda t=timeout, s=source: comm.recv(out, s, timeout=t))  # type: ignore[misc]
    assert comm.clock() - began >= 0.05
    comm.barrier()
    if comm.size > 1 and comm.rank == 1:
        comm.send(torch.tensor([3.0]), 0)
    if comm.size > 1 and comm.rank == 0:
        assert comm.recv(out, timeout=60) == 1
        assert out.item() == 3


def check_a_message_that_does_not_fit(comm: Communicator) -> None:
    if comm.size > 1 and comm.rank == 0:
        out = torch.zeros(5)
        for _ in range(2):
            sentence = message_of(CommunicationError, lambda: comm.recv(out, 1))
            assert "float32 [5]" in sentence
            assert "rank 1" in sentence
        assert comm.recv(out, 1) == 1
        assert out.tolist() == [2.0] * 5
    elif comm.size > 1 and comm.rank == 1:
        comm.send(torch.ones(3), 0)
        comm.send(torch.ones(100_000), 0)
        comm.send(torch.full((5,), 2.0), 0)


def check_isend_and_irecv_in_a_ring(comm: Communicator) -> None:
    if comm.size == 1:
        return
    following, previous = (comm.rank + 1) % comm.size, (comm.rank - 1) % comm.size
    for dtype in (torch.float32, torch.float64, torch.bfloat16, torch.int64, torch.bool):
        for length in (0, 1, 30_000, 500_000):
            x, out = input_of(comm.rank, length, dtype), torch.zeros(length, dtype=dtype)
            coming, going = comm.irecv(out, previous, tag=3), comm.isend(x, following, tag=3)
            coming.wait()
            going.wait()
            assert coming.done()
            assert going.done()
            coming.wait()
            assert torch.equal(out, input_of(previous, length, dtype)), (dtype, length)


def check_started_receives_take_messages_in_their_order(comm: Communicator) -> None:
    if comm.rank == 0:
        outs = [torch.zeros(length) for length in (1, 100_000, 1, 100_000) for _ in range(1, comm.size)]
        coming = [comm.irecv(out, 1 + i % (comm.size - 1)) for i, out in enumerate(outs)]
        for i in range(len(outs)):
            coming[i].wait()
            source, number = 1 + i % (comm.size - 1), i // (comm.size - 1)
            assert outs[i].eq(10 * source + number).all()
    else:
        for number, length in enumerate((1, 100_000, 1, 100_000)):
            comm.isend(torch.full((length,), 10.0 * comm.rank + number), 0).wait()


def check_started_messages_leave_other_operations_alone(comm: Communicator) -> None:
    if comm.size == 1:
        return
    following, previous = (comm.rank + 1) % comm.size, (comm.rank - 1) % comm.size
    out, other = torch.zeros(100_000), torch.ones(100_000)
    coming = comm.irecv(out, previous, tag=5)
    assert not coming.done()
    comm.allreduce(other)
    assert other.eq(comm.size).all()
    going = comm.isend(torch.full((100_000,), float(comm.rank)), following, tag=5)
    comm.barrier()
    coming.wait()
    going.wait()
    assert out.eq(previous).all()


def check_send_and_recv_meet_isend_and_irecv(comm: Communicator) -> None:
    if comm.size > 1 and comm.rank == 0:
        out = torch.zeros(50_000)
        comm.irecv(out, 1).wait()
        assert out.eq(1).all()
        assert comm.recv(out, None) == 1
        assert out.eq(2).all()
    elif comm.size > 1 and comm.rank == 1:
        comm.send(torch.ones(50_000), 0)
        comm.isend(torch.full((50_000,), 2.0), 0).wait()


def check_a_started_receive_of_another_size(comm: Communicator) -> None:
    if comm.size > 1 and comm.rank == 0:
        for _ in range(3):
            coming = comm.irecv(torch.zeros(5), 1)
            sentence = message_of(CommunicationError, coming.wait)
            assert "float32 [5]" in sentence
            assert "rank 1" in sentence
            for ask in (coming.done, coming.wait):
                assert message_of(CommunicationError, ask) == sentence
        out = torch.zeros(5)
        comm.irecv(out, 1).wait()
        assert out.tolist() == [2.0] * 5
    elif comm.size > 1 and comm.rank == 1:
        for length in (3, 6, 100_000):
            comm.isend(torch.ones(length), 0).wait()
        comm.isend(torch.full((5,), 2.0), 0).wait()


def check_alone_waits_for_nobody(comm: Communicator) -> None:
    if comm.rank == comm.size - 1:
        own = comm.alone()
        assert (own.rank, own.size) == (0, 1)
        x = torch.full((3,), 7.0)
        own.allreduce(x)
        own.broadcast(x, 0)
        own.barrier()
        assert x.tolist() == [7.0] * 3
        assert own.gather("mine") == ["mine"]
        with own.window(x) as window:
            window.accumulate(0, x)
            assert window.local.tolist() == [14.0] * 3
        again = own.alone().split(0)
        assert again is not None
        assert again.size == 1
        assert own.clock() >= 0
        message_of(UsageError, lambda: own.irecv(x, 1))
    comm.barrier()


def check_shared_memory_is_one(comm: Communicator) -> None:
    assert Feature.SHARED in comm.provides
    for dtype in (torch.float32, torch.bfloat16, torch.int64, torch.bool):
        with comm.shared(torch.full((100,), comm.rank == 0, dtype=dtype)) as memory:
            assert memory.dtype == dtype
            assert memory.eq(1).all()
            assert len(memory) == 100
            comm.barrier()
            memory[comm.rank] = 0
            comm.barrier()
            assert memory.tolist() == [0] * comm.size + [1] * (100 - comm.size)
    with comm.shared(torch.zeros(0)) as nothing:
        assert len(nothing) == 0


def check_shared_memory_is_not_what_it_was_made_of(comm: Communicator) -> None:
    local = torch.arange(4.0)
    with comm.shared(local) as memory:
        comm.barrier()
        if comm.rank == 0:
            memory.fill_(9)
        comm.barrier()
        assert memory.tolist() == [9.0] * 4
        assert local.tolist() == [0.0, 1.0, 2.0, 3.0]


def check_shared_memory_sentences(comm: Communicator) -> None:
    assert "one dimension" in message_of(UsageError, lambda: comm.shared(torch.zeros(2, 2)).__enter__())
    assert "contiguous" in message_of(UsageError, lambda: comm.shared(torch.zeros(4, 4)[:, 0]).__enter__())


def check_split_parts_and_orders(comm: Communicator) -> None:
    part = comm.split(comm.rank % 2, key=-comm.rank)
    assert part is not None
    mine = [rank for rank in range(comm.size) if rank % 2 == comm.rank % 2][::-1]
    assert (part.rank, part.size) == (mine.index(comm.rank), len(mine))
    out = torch.zeros(part.size)
    part.allgather(torch.tensor([float(comm.rank)]), out)
    assert out.tolist() == mine
    assert part.clock() >= 0
    assert part.provides <= frozenset(Feature)


def check_split_leaves_out_who_gives_none(comm: Communicator) -> None:
    part = comm.split(0 if comm.rank == 0 else None)
    assert (part is not None) == (comm.rank == 0)
    if part is not None:
        assert part.size == 1
        part.barrier()


def check_gather_of_records(comm: Communicator) -> None:
    for root in {0, comm.size - 1}:
        everything = comm.gather({"rank": comm.rank, "list": [1.5, None, "ü" * comm.rank]}, root)
        expected = [{"rank": rank, "list": [1.5, None, "ü" * rank]} for rank in range(comm.size)]
        assert everything == (expected if comm.rank == root else None)


def check_the_clock_goes_forward(comm: Communicator) -> None:
    before = comm.clock()
    comm.barrier()
    assert 0 <= before <= comm.clock()


def check_window_get_put_and_local(comm: Communicator) -> None:
    for dtype in (torch.float32, torch.float64, torch.int64, torch.int32):
        start = torch.arange(4, dtype=dtype) + 10 * comm.rank
        with comm.window(start) as window:
            owner = (comm.rank + 1) % comm.size
            out = torch.zeros(2, dtype=dtype)
            window.get(owner, out, 1)
            assert out.tolist() == [10 * owner + 1, 10 * owner + 2]
            comm.barrier()
            window.put(owner, torch.tensor([7, 8], dtype=dtype), 2)
            comm.barrier()
            assert window.local.tolist() == [10 * comm.rank, 10 * comm.rank + 1, 7, 8]
        assert start.tolist() == [10 * comm.rank + i for i in range(4)]
        assert window.local.tolist()[2:] == [7, 8]


def check_window_keeps_all_additions(comm: Communicator) -> None:
    for dtype in (torch.float32, torch.int64):
        with comm.window(torch.zeros(1000, dtype=dtype)) as window:
            for _ in range(20):
                for owner in range(comm.size):
                    window.accumulate(owner, torch.ones(1000, dtype=dtype))
            comm.barrier()
            out = torch.zeros(1000, dtype=dtype)
            window.get(comm.size - 1, out)
            assert out.eq(20 * comm.size).all()


def check_window_loses_none_of_many_small_additions(comm: Communicator) -> None:
    with comm.window(torch.zeros(5)) as window:
        for _ in range(50):
            window.start_accumulate(0, torch.ones(3), start=1).wait()
        comm.barrier()
        out = torch.zeros(5)
        window.get(0, out)
        assert out.tolist() == [0.0, *[50.0 * comm.size] * 3, 0.0]


def check_window_tells_what_was_there_before_an_addition(comm: Communicator) -> None:
    for dtype in (torch.float32, torch.int64):
        with comm.window(torch.zeros(1000, dtype=dtype)) as window:
            before = torch.full((998,), -1, dtype=dtype)
            window.get_accumulate(0, torch.ones(998, dtype=dtype), before, start=1)
            everyone = torch.empty(comm.size * 998, dtype=dtype)
            comm.allgather(before, everyone)
            taken = everyone.view(comm.size, 998).sort(dim=0).values
            assert torch.equal(taken, torch.arange(comm.size, dtype=dtype).view(-1, 1).expand(-1, 998))
            after = torch.empty(1000, dtype=dtype)
            window.get(0, after)
            assert after[1:-1].eq(comm.size).all()
            assert after[[0, -1]].eq(0).all()


def check_window_operations_that_were_started(comm: Communicator) -> None:
    start = torch.arange(6.0) + 10 * comm.rank
    with comm.window(start) as window:
        owner = (comm.rank + 1) % comm.size
        out, later = torch.zeros(3), torch.zeros(6)
        fetching = window.start_get(owner, out, 2)
        fetching.wait()
        assert fetching.done()
        assert out.tolist() == [10 * owner + 2, 10 * owner + 3, 10 * owner + 4]
        comm.barrier()
        adding = [window.start_accumulate(owner, torch.full((2,), value), start=4) for value in (1.0, 100.0)]
        for request in adding:
            request.wait()
        assert all(request.done() for request in adding)
        comm.barrier()
        window.get(owner, later)
        assert later.tolist() == [10 * owner + i + (101 if i >= 4 else 0) for i in range(6)]
        comm.barrier()
        assert window.local.tolist() == [10 * comm.rank + i + (101 if i >= 4 else 0) for i in range(6)]


def check_window_hands_out_distinct_numbers(comm: Communicator) -> None:
    with comm.window(torch.zeros(3, dtype=torch.int64)) as window:
        mine = [window.fetch_add(0, 2, 1) for _ in range(25)]
        everything = comm.gather([*mine])
        if everything is not None:
            numbers = sorted(n for row in everything if isinstance(row, list) for n in row if isinstance(n, int))
            assert numbers == list(range(25 * comm.size))
        comm.barrier()
        assert window.fetch_add(0, 2, 0) == 25 * comm.size


def check_window_sizes_may_differ(comm: Communicator) -> None:
    with comm.window(torch.zeros(6 if comm.rank == 0 else 0)) as window:
        window.accumulate(0, torch.ones(2), start=3)
        comm.barrier()
        out = torch.zeros(6)
        window.get(0, out)
        assert out.tolist() == [0, 0, 0, comm.size, comm.size, 0]
        assert len(window.local) == (6 if comm.rank == 0 else 0)


def check_window_sentences(comm: Communicator) -> None:
    message_of(UsageError, lambda: comm.window(torch.zeros(2, dtype=torch.bfloat16)).__enter__())
    message_of(UsageError, lambda: comm.window(torch.zeros(2, 2)).__enter__())
    with comm.window(torch.zeros(4)) as window:
        out = torch.zeros(3)
        assert "elements 2 to 5" in message_of(UsageError, lambda: window.get(0, out, 2))
        assert "window of 4" in message_of(UsageError, lambda: window.put(0, out, -1))
        assert "float64" in message_of(UsageError, lambda: window.accumulate(0, out.double()))
        assert "int64" in message_of(UsageError, lambda: window.fetch_add(0, 0, 1))
        assert f"rank {comm.size}" in message_of(UsageError, lambda: window.get(comm.size, out))
        assert "elements 2 to 5" in message_of(UsageError, lambda: window.start_get(0, out, 2))
        assert "float64" in message_of(UsageError, lambda: window.start_accumulate(0, out.double()))
        assert "elements 2 to 5" in message_of(UsageError, lambda: window.get_accumulate(0, out, out.clone(), 2))
        assert "float64" in message_of(UsageError, lambda: window.get_accumulate(0, out, out.double()))
        assert f"rank {comm.size}" in message_of(UsageError, lambda: window.start_get(comm.size, out))
    with comm.window(torch.zeros(4, dtype=torch.int64)) as counters:
        assert "element 4" in message_of(UsageError, lambda: counters.fetch_add(0, 4, 1))


def check_tensor_sentences(comm: Communicator) -> None:
    strided = torch.zeros(4, 4)[:, 0]
    assert "contiguous" in message_of(UsageError, lambda: comm.allreduce(strided))
    assert "contiguous" in message_of(UsageError, lambda: comm.broadcast(strided, 0))
    assert "detach" in message_of(UsageError, lambda: comm.allreduce(torch.zeros(2, requires_grad=True)))
    assert "int64" in message_of(UsageError, lambda: comm.allreduce(torch.zeros(2, dtype=torch.int64), "mean"))
    assert "bool" in message_of(UsageError, lambda: comm.allreduce(torch.zeros(2, dtype=torch.bool)))
    if comm.size > 1:
        other = (comm.rank + 1) % comm.size
        assert "contiguous" in message_of(UsageError, lambda: comm.isend(strided, other))
        assert "contiguous" in message_of(UsageError, lambda: comm.irecv(strided, other))
    wrong = torch.zeros(2 * comm.size + 1)
    assert str(2 * comm.size) in message_of(UsageError, lambda: comm.allgather(torch.zeros(2), wrong))


def check_rank_and_tag_sentences(comm: Communicator) -> None:
    x = torch.zeros(1)
    assert str(comm.size) in message_of(UsageError, lambda: comm.broadcast(x, comm.size))
    assert str(comm.size) in message_of(UsageError, lambda: comm.gather(None, comm.size))
    assert str(comm.size) in message_of(UsageError, lambda: comm.send(x, comm.size))
    assert "itself" in message_of(UsageError, lambda: comm.send(x, comm.rank))
    assert "itself" in message_of(UsageError, lambda: comm.recv(x, comm.rank))
    assert str(comm.size) in message_of(UsageError, lambda: comm.isend(x, comm.size))
    assert str(comm.size) in message_of(UsageError, lambda: comm.irecv(x, comm.size))
    assert "itself" in message_of(UsageError, lambda: comm.isend(x, comm.rank))
    assert "itself" in message_of(UsageError, lambda: comm.irecv(x, comm.rank))
    assert "-1" in message_of(UsageError, lambda: comm.recv(x, timeout=-1))
    assert "-3" in message_of(UsageError, lambda: comm.split(-3))
    if comm.size > 1:
        other = (comm.rank + 1) % comm.size
        assert "tag 40000" in message_of(UsageError, lambda: comm.send(x, other, tag=40000))
        assert "tag 40000" in message_of(UsageError, lambda: comm.isend(x, other, tag=40000))
        assert "tag -1" in message_of(UsageError, lambda: comm.irecv(x, other, tag=-1))
    else:
        assert "1 rank" in message_of(UsageError, lambda: comm.recv(x))
    unknown: Op = "product"  # type: ignore[assignment]
    assert "product" in message_of(UsageError, lambda: comm.allreduce(x, unknown))


def check_shrink_without_a_death(comm: Communicator) -> None:
    assert comm.failed() == frozenset()
    if Feature.FAILURES not in comm.provides:
        message_of(Unsupported, comm.shrink)
        return
    survivors = comm.shrink()
    assert (survivors.rank, survivors.size) == (comm.rank, comm.size)
    x = torch.ones(3)
    survivors.allreduce(x)
    assert x.tolist() == [comm.size] * 3


CHECKS: dict[str, Callable[[Communicator], None]] = {
    name.removeprefix("check_"): check for name, check in sorted(globals().items()) if name.startswith("check_")
}
