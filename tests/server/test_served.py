"""Servers and workers: the protocol by hand, and what deaths leave of it."""

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from anabranch.comm import RankDied, SimulatedCommunicator, SimulatedWorld
from anabranch.comm.costs import Costs, Transfer, ZeroCosts
from anabranch.comm.failures import Fate
from anabranch.errors import PeerLost, ReceiveTimeout
from anabranch.objectives import Objective
from anabranch.optim import Rule
from anabranch.server.client import Client
from anabranch.server.keeper import Books, Keeper, Shelf, Worker
from anabranch.server.messages import Ask, Final, Kind, Tag
from anabranch.server.partition import Partition, Piece, hashed
from anabranch.server.traffic import Labour
from anabranch.server.transport import FINISHED, Heard, Note
from anabranch.server.update import Add, Descend, Put, Update
from anabranch.strategies import Downpour, EpochReport, FixedEpochs, Hosting, Shard, Silent, Task
from anabranch.strategies.shard import SERVES
from anabranch.testing.tasks import Books as Record
from anabranch.testing.tasks import Quadratic, make_shard, train
from anabranch.types import Batch, Step

P = 6
LABOUR = Labour(computed=5, pushed=5)
RANKS = Hosting("ranks", 1)


class Ledger(Books):
    """Books of one task, as a server hears of it."""

    def __init__(self) -> None:
        self.used, self.loss, self.stop = 0, 0.0, 0
        self.dead: list[Worker] = []

    def heard(self) -> Heard:
        return Heard(self.used, self.stop, len(self.dead))

    def applied(self, examples: int, loss: float) -> None:
        self.used, self.loss = self.used + examples, self.loss + loss

    def stopped(self, why: int) -> None:
        self.stop = self.stop or why

    def died(self, worker: Worker) -> None:
        self.dead.append(worker)

    @property
    def lost(self) -> int:
        return sum(worker.taken - worker.applied for worker in self.dead)


class Served:
    """What the servers have at the end, in a world of `servers` and `workers` that do as their programs say."""

    def __init__(
        self,
        *programs: Callable[[SimulatedCommunicator, Client], object],
        servers: int = 1,
        update: Update | None = None,
        seconds: float = 0.0,
        shards: Partition | None = None,
        costs: Costs | None = None,
    ) -> None:
        self.ledger, self.shards = Ledger(), shards or hashed(P, servers, 2)  # of 3 servers each has one
        self.shelves: list[Shelf] = []
        self.yielded: list[tuple[int, float]] = []
        self.labours: list[Labour] = []
        self._programs, self._update, self._seconds = programs, update or Add(), seconds
        self.results = SimulatedWorld(servers + len(programs), costs).run(self._program)[servers:]

    def _program(self, comm: SimulatedCommunicator) -> object:
        if comm.rank >= self.shards.owners:
            return self._programs[comm.rank - self.shards.owners](comm, Client(comm, self.shards))
        mine = self.shards.of(comm.rank)
        shelf = Shelf(mine, torch.zeros(P), self._update, lambda update, part: update.rule.build(part))
        self.shelves.append(shelf)
        workers = {rank: Worker(rank - self.shards.owners) for rank in range(self.shards.owners, comm.size)}
        books = self.ledger if comm.rank == 0 else Books()
        keeper = Keeper(
            comm, self.shards, shelf, workers, len(workers), books, lambda _: comm.elapse(self._seconds), lambda _: None
        )
        for done in keeper.serve():
            self.yielded.append(done)
        if comm.rank == 0:
            keeper.call(0, close=True)
            self.labours = keeper.labours
        keeper.dismiss(Final(FINISHED, 2), [0.5, 0.25])
        return None


def fetch(client: Client, taken: int = 0) -> tuple[Tensor, list[int]]:
    out = torch.full((P,), 99.0)
    fetching = client.start_fetch(out, taken)
    fetching.wait()
    return out, list(fetching.versions)


def push(client: Client, x: float, versions: list[int], examples: int = 5, loss: float = 1.5) -> None:
    client.start_push(torch.full((P,), x), versions, Note(examples, loss)).wait()


def farewell(client: Client) -> tuple[Final, list[float], Tensor]:
    out = torch.full((P,), 99.0)
    return *client.farewell(LABOUR, out), out


def works(comm: SimulatedCommunicator, client: Client) -> tuple[Final, list[float], Tensor]:
    """The life of a worker of one push."""
    comm.elapse(3)
    _, versions = fetch(client, 5)
    push(client, 1.0, versions)
    return farewell(client)


@pytest.mark.parametrize("servers", [1, 2, 3, 5])
def test_versions_and_staleness_by_hand(servers: int) -> None:
    """Three shards, so each push counts thrice.

    worker 0   fetch (0) at 0 s   push 1 at 1 s, stale by 0                      fetch (2), push 4 at 4 s, stale by 0
    worker 1   fetch (0) at 0 s                   push 2 at 2 s, stale by 1
    """

    def first(comm: SimulatedCommunicator, client: Client) -> object:
        seen = [fetch(client)]
        comm.elapse(1)
        push(client, 1.0, seen[0][1])
        comm.elapse(3)
        seen.append(fetch(client))
        push(client, 4.0, seen[1][1])
        return [(w.tolist(), versions) for w, versions in seen], farewell(client)

    def second(comm: SimulatedCommunicator, client: Client) -> object:
        _, versions = fetch(client)
        comm.elapse(2)
        push(client, 2.0, versions)
        return versions, farewell(client)

    run = Served(first, second, servers=servers)
    results: list[Any] = run.results
    (seen, ended), (versions, other) = results
    assert seen == [([0] * P, [0] * 3), ([3] * P, [2] * 3)]
    assert versions == [0] * 3
    for final, errors, w in (ended, other):
        assert (final, errors, w.tolist()) == (Final(FINISHED, 2), [0.5, 0.25], [7] * P)
    assert sum((shelf.staleness for shelf in run.shelves), Counter()) == Counter({0: 6, 1: 3})
    assert (run.yielded, run.ledger.used, run.ledger.loss) == ([(5, 1.5)] * 3, 15, 4.5)
    assert run.labours == [LABOUR] * 2
    assert run.ledger.dead == []


@pytest.mark.parametrize(
    ("update", "left"),
    [(Add(), 3.0), (Put(), 2.0), (Descend(Rule("sgd", 0.5, momentum=0.5)), -0.5 * (1 + (0.5 + 2)))],
    ids=["add", "put", "momentum"],
)
def test_what_a_push_does(update: Update, left: float) -> None:
    def program(comm: SimulatedCommunicator, client: Client) -> Tensor:
        for x in (1.0, 2.0):
            push(client, x, fetch(client)[1])
        return farewell(client)[2]

    (w,) = Served(program, servers=3, update=update).results
    assert isinstance(w, Tensor)
    assert w.tolist() == [left] * P


def test_a_worker_hears_of_all_examples_its_own_last_push_included() -> None:
    """The first knows of its own at once, and of the other's with the next fetch."""

    def first(comm: SimulatedCommunicator, client: Client) -> list[Heard]:
        heard = []
        _, versions = fetch(client)
        push(client, 1.0, versions)
        heard.append(client.heard)
        comm.elapse(2)
        fetch(client)
        heard.append(client.heard)
        comm.elapse(2)
        under_way = client.start_fetch(torch.zeros(P), 0)
        push(client, 1.0, versions, examples=7)
        under_way.wait()  # it was answered before the push came
        heard.append(client.heard)
        farewell(client)
        return heard

    def second(comm: SimulatedCommunicator, client: Client) -> None:
        comm.elapse(1)
        push(client, 1.0, fetch(client)[1], examples=3)
        comm.elapse(2)
        client.wish(130)
        fetch(client)
        farewell(client)

    heard, _ = Served(first, second).results
    assert heard == [Heard(5), Heard(8), Heard(15, 130)]


def test_who_pushes_and_does_not_fetch_hears_and_is_heard() -> None:
    """With the second push, which no fetch has preceded; the first follows a fetch, which brings the news."""

    def seldom(comm: SimulatedCommunicator, client: Client) -> list[Heard]:
        heard = []
        _, versions = fetch(client)
        comm.elapse(2)
        for _ in range(2):
            push(client, 1.0, versions)
            heard.append(client.heard)
        client.wish(130)
        push(client, 1.0, versions)
        heard.append(client.heard)
        farewell(client)
        return heard

    def often(comm: SimulatedCommunicator, client: Client) -> Heard:
        push(client, 1.0, fetch(client)[1], examples=3)
        comm.elapse(4)
        fetch(client)
        farewell(client)
        return client.heard

    heard, other = Served(seldom, often).results
    assert heard == [Heard(5), Heard(13), Heard(18, 130)]
    assert other == Heard(18, 130)


def test_an_old_answer_does_not_undo_a_newer_one() -> None:
    def program(comm: SimulatedCommunicator, client: Client) -> list[Heard]:
        pushing = client.start_push(torch.ones(P), [0] * 3, Note(5, 1.0))
        client.wish(130)
        fetch(client)
        heard = [client.heard]
        pushing.wait()
        heard.append(client.heard)
        farewell(client)
        return heard

    (heard,) = Served(program).results
    assert heard == [Heard(5, 130)] * 2


class Sized(ZeroCosts):
    """A message takes a second a byte."""

    def transfer(self, operation: str, size: int, source: int, to: int, now: float) -> Transfer:
        return Transfer(now, now + size)


class Late(ZeroCosts):
    """The first message that rank 1 sends from 1 s on comes 10 s later than the others."""

    def __init__(self) -> None:
        self._used = False

    def transfer(self, operation: str, size: int, source: int, to: int, now: float) -> Transfer:
        late = source == 1 and now >= 1 and not self._used
        self._used = self._used or late
        return Transfer(now, now + 10 * late)


def pushes_a_ramp(comm: SimulatedCommunicator, client: Client) -> tuple[Tensor, Tensor]:
    """1, 2, 3, ...; and what a fetch and the farewell bring of it."""
    comm.elapse(1)
    client.start_push(torch.arange(1.0, P + 1), [0, 0, 0], Note(5, 1.5)).wait()
    return fetch(client)[0], farewell(client)[2]


@pytest.mark.parametrize("costs", [ZeroCosts, Sized, Late])
def test_shards_of_one_server_do_not_overtake_each_other(costs: Callable[[], Costs]) -> None:
    """Nor does the last one, which is shorter: MPI keeps the messages between two ranks in order."""
    shards = Partition((Piece(0, 3, 0, 0, 0), Piece(3, 5, 0, 3, 1), Piece(5, P, 0, 5, 2)), 1)
    for cut in (shards, hashed(P, 1, 2)):
        results: list[Any] = Served(pushes_a_ramp, shards=cut, costs=costs()).results
        ((fetched, final),) = results
        assert fetched.tolist() == final.tolist() == [1, 2, 3, 4, 5, 6]


def test_a_push_does_not_overtake_the_question_before_it() -> None:
    """Or its examples would count twice: as used, and as not yet heard of."""

    def program(comm: SimulatedCommunicator, client: Client) -> Heard:
        comm.elapse(1)
        under_way = client.start_fetch(torch.zeros(P), 0)
        push(client, 1.0, [0], examples=7)
        under_way.wait()
        farewell(client)
        return client.heard

    assert Served(program, shards=hashed(P, 1, P), costs=Late()).results == [Heard(7)]


def begins_a_push(comm: SimulatedCommunicator, client: Client) -> None:
    """Dies with the header sent, and the weights not."""
    fetch(client, 5)
    comm.elapse(1)
    client.ask(0, Ask(Kind.PUSH, 0, 0, 5, 1.5, taken=5)).wait()
    raise RankDied


def pushes_a_part(comm: SimulatedCommunicator, client: Client) -> None:
    """Dies with the first shard pushed, and the second's header sent. Its examples have counted with the first."""
    fetch(client, 5)
    client.ask(0, Ask(Kind.PUSH, 0, 0, 5, 1.5, taken=5)).wait()
    comm.send(torch.ones(2), 0, Tag.PAYLOAD)
    client.ask(client._shards.pieces[1].owner, Ask(Kind.PUSH, 1)).wait()
    raise RankDied


def leaves_an_answer(comm: SimulatedCommunicator, client: Client) -> None:
    """Pushes, asks again, and dies before it takes the answer."""
    _, versions = fetch(client, 5)
    push(client, 1.0, versions)
    comm.elapse(1)
    client.ask(0, Ask(Kind.FETCH, 0, taken=12)).wait()
    raise RankDied


def asks_and_is_gone(comm: SimulatedCommunicator, client: Client) -> None:
    """Is dead when its question comes to the server, if ever."""
    fetch(client, 5)
    client.start_fetch(torch.zeros(P), 12)
    raise RankDied


def says_nothing(comm: SimulatedCommunicator, client: Client) -> None:
    """Dies before anybody has heard of it."""
    raise RankDied


def goes_without_farewell(comm: SimulatedCommunicator, client: Client) -> None:
    """Has pushed all that it had."""
    push(client, 1.0, fetch(client, 5)[1])
    raise RankDied


def is_lost_in_its_farewell(comm: SimulatedCommunicator, client: Client) -> None:
    """Says it, and dies before it tells what it did."""
    push(client, 1.0, fetch(client, 5)[1])
    client.ask(0, Ask(Kind.FAREWELL, taken=5)).wait()
    raise RankDied


DEATHS: list[tuple[Any, list[float], int]] = [  # who dies, what it leaves at the server, which examples are lost
    (begins_a_push, [0.0] * P, 5),
    (pushes_a_part, [1.0] * 2 + [0.0] * 4, 0),
    (leaves_an_answer, [1.0] * P, 7),
    (asks_and_is_gone, [0.0] * P, 12),
    (says_nothing, [0.0] * P, 0),
    (goes_without_farewell, [1.0] * P, 0),
    (is_lost_in_its_farewell, [1.0] * P, 0),
]


@pytest.mark.parametrize("servers", [1, 3])
@pytest.mark.parametrize(("dying", "left", "lost"), DEATHS, ids=lambda value: getattr(value, "__name__", ""))
def test_a_death_disturbs_nobody(dying: Any, left: list[float], lost: int, servers: int) -> None:
    run = Served(works, dying, works, servers=servers)
    assert [worker.number for worker in run.ledger.dead] == [1]
    assert run.ledger.lost == lost
    assert run.labours == [LABOUR] * 2
    for result in (run.results[0], run.results[2]):
        assert isinstance(result, tuple)
        assert result[0] == Final(FINISHED, 2)
        assert result[2].tolist() == [2 + value for value in left]


def test_one_that_has_said_farewell_and_dies_is_not_missed() -> None:
    """Its work is done and counted; the server must not wait to hand it the weights."""

    def leaves(comm: SimulatedCommunicator, client: Client) -> None:
        push(client, 1.0, fetch(client, 5)[1])
        client.ask(0, Ask(Kind.FAREWELL, taken=5)).wait()
        comm.send(torch.tensor(LABOUR.numbers(), dtype=torch.float64), 0, Tag.PAYLOAD)
        raise RankDied

    run = Served(leaves, works)
    assert run.ledger.dead == []
    assert run.labours == [LABOUR] * 2
    assert run.results[1][2].tolist() == [2.0] * P  # type: ignore[index]


def test_all_may_die() -> None:
    run = Served(begins_a_push, asks_and_is_gone, says_nothing, servers=3)
    assert sorted(worker.number for worker in run.ledger.dead) == [0, 1, 2]
    assert run.ledger.lost == 17
    assert run.labours == []


def test_the_roster_names_the_dead() -> None:
    def asks(comm: SimulatedCommunicator, client: Client) -> object:
        before = client.roster(4)
        comm.elapse(5)
        after = client.roster(4)
        farewell(client)
        return before, after

    def dies_late(comm: SimulatedCommunicator, client: Client) -> None:
        comm.elapse(3)
        raise RankDied

    def ends_early(comm: SimulatedCommunicator, client: Client) -> None:
        farewell(client)

    assert Served(dies_late, asks, ends_early, dies_late).results[1] == (frozenset(), {0, 3})


def takes_everything(comm: SimulatedCommunicator) -> None:
    """What a server does that gives no answers, until nobody has asked for 10 s."""
    header = Ask.room()
    while True:
        try:
            source = comm.recv(header, None, Tag.REQUEST, timeout=10)
            if Ask.read(header).kind == Kind.PUSH:
                comm.recv(torch.zeros(2), source, Tag.PAYLOAD)
        except PeerLost:
            continue
        except ReceiveTimeout:
            return


@pytest.mark.parametrize("doomed", [0, 1, 2])
@pytest.mark.parametrize("at", [0.0, 2.0], ids=["before", "meanwhile"])
@pytest.mark.parametrize("step", ["fetch", "push", "farewell"])
def test_the_death_of_a_server_is_told_to_the_workers(doomed: int, at: float, step: str) -> None:
    """Whatever a worker does then, from 1 s on."""
    told: list[frozenset[int]] = []

    def program(comm: SimulatedCommunicator) -> None:
        if comm.rank == doomed:
            comm.elapse(at)
            raise RankDied
        if comm.rank < 3:
            takes_everything(comm)
            return
        client = Client(comm, hashed(P, 3, 2))
        comm.elapse(1)
        try:
            if step == "fetch":
                fetch(client)
            elif step == "push":
                push(client, 1.0, [0] * 3)
            else:
                farewell(client)
        except PeerLost as lost:
            told.append(lost.ranks)

    SimulatedWorld(5).run(program)
    assert told == [{doomed}] * 2


@pytest.mark.parametrize("doomed", [0, 1])
def test_the_death_of_a_server_ends_a_task(doomed: int) -> None:
    with pytest.raises(PeerLost) as caught:
        downpour([1.0, 1.0], {doomed: 3.5}, Downpour(hosting=Hosting("ranks", 2)))
    assert caught.value.ranks == {doomed}


def test_a_chatty_worker_has_no_precedence() -> None:
    """The update of three shards takes 3 s, and the chatty one has its next push there before the last is done."""

    def chatty(comm: SimulatedCommunicator, client: Client) -> None:
        for _ in range(100):
            push(client, 1.0, [0] * 3)
        farewell(client)

    def quiet(comm: SimulatedCommunicator, client: Client) -> list[tuple[float, list[int]]]:
        seen = []
        comm.elapse(0.5)
        for _ in range(10):
            _, versions = fetch(client)
            seen.append((comm.clock(), versions))
        farewell(client)
        return seen

    _, seen = Served(chatty, quiet, seconds=1.0).results
    assert isinstance(seen, list)
    waits = [after - before for (before, _), (after, _) in zip([(0.5, None), *seen], seen, strict=False)]
    assert max(waits) <= 6
    assert all(sum(versions) <= clock for clock, versions in seen)  # at most one update a second
    assert sum(seen[-1][1]) <= 60 < 300


class Clocked(Quadratic):
    """Every gradient takes some seconds."""

    def __init__(self, comm: SimulatedCommunicator, seconds: float) -> None:
        super().__init__()
        self._comm, self._seconds = comm, seconds

    def gradient(self, batch: Batch) -> tuple[float, Tensor]:
        self._comm.elapse(self._seconds)
        return super().gradient(batch)


def downpour(
    seconds: list[float], stops: dict[int, float], strategy: Downpour, epochs: int = 3, costs: Costs | None = None
) -> tuple[Record, list[Tensor | None]]:
    """Workers whose steps take these `seconds`; ranks that stop at these times, which is known 10 ms later."""
    record, servers = Record(), strategy.hosting.servers

    def program(comm: SimulatedCommunicator) -> Tensor:
        worker = comm.rank - servers
        task = Task(
            Clocked(comm, seconds[worker] if worker >= 0 else 0.0),
            make_shard(max(worker, SERVES), len(seconds)),
            FixedEpochs(epochs),
            monitor=record if comm.rank == 0 else None,
        )
        for _ in strategy.run(task, comm):
            pass
        return task.objective.weights.clone()

    fates = {rank: Fate(at, at + 0.01) for rank, at in stops.items()}
    return record, [*SimulatedWorld(servers + len(seconds), costs, fates=fates).run(program)]


@pytest.mark.parametrize(
    ("stops", "n_push", "applied", "lost"),
    [
        (2.5, 1, 10, 5),  # in its third step
        (2.5, 3, 5, 10),  # the first batch was pushed, the next three would have been after the fourth
        (0.5, 1, 0, 5),
        (3.5, 3, 5, 15),
        (4.5, 3, 20, 5),
    ],
)
def test_what_a_dead_worker_has_begun_is_counted(stops: float, n_push: int, applied: int, lost: int) -> None:
    """Worker 1 makes a step of five examples a second. What it pushed before is used, the rest is lost."""
    record, _ = downpour([0.01, 1.0], {2: stops}, Downpour(n_push=n_push, hosting=RANKS), epochs=100)
    used = record.traffic["examples"]
    assert record.traffic["dead_workers"] == [1]
    assert used["lost"] == lost
    assert used["computed"] == used["applied"] + lost
    assert used["pushed"] == used["applied"] >= applied


@pytest.mark.parametrize("servers", [1, 2])
def test_when_all_workers_are_dead_the_run_says_so(servers: int) -> None:
    stops = {servers: 1.5, servers + 1: 2.5, servers + 2: 3.5}
    with pytest.raises(PeerLost, match="no worker of training lives any more: start again with --resume") as caught:
        downpour([1.0] * 3, stops, Downpour(hosting=Hosting("ranks", servers)), epochs=50)
    assert caught.value.ranks == set(stops)


def test_a_dead_leader_of_a_warm_start_keeps_nobody_waiting() -> None:
    """It dies 3.5 s into its first epoch alone; the others begin when they hear of it."""
    record, weights = downpour([1.0] * 3, {1: 3.5}, Downpour(warm_start=1.0, hosting=RANKS))
    assert record.traffic["dead_workers"] == [0]
    assert record.traffic["examples"]["lost"] == 5
    assert weights[1] is None
    assert sum(w is not None for w in weights) == 3


def test_a_worker_that_is_awaited_may_die_before_the_start_is_given() -> None:
    record, _ = downpour([1.0] * 3, {2: 3.5}, Downpour(warm_start=1.0, hosting=RANKS))
    assert record.traffic["dead_workers"] == [1]
    assert record.traffic["examples"]["lost"] == 0


def test_a_death_that_an_answer_meets_first_is_heard_of_all_the_same() -> None:
    """A dies while the server is busy, with an answer under way to it; what the server does next is answer B."""

    def dies(comm: SimulatedCommunicator, client: Client) -> None:
        client.start_fetch(torch.zeros(P), 5)
        comm.elapse(0.5)
        raise RankDied

    def lives(comm: SimulatedCommunicator, client: Client) -> list[int]:
        comm.elapse(0.1)
        client.start_push(torch.ones(P), [0, 0, 0], Note(5, 1.0))  # the server is busy with it until 3.1
        asked = client.start_fetch(torch.zeros(P), 5)
        asked.wait()
        farewell(client)
        return list(asked.versions)

    done = Served(dies, lives, seconds=1.0)
    assert done.results == [None, [1, 1, 1]]
    assert [worker.number for worker in done.ledger.dead] == [0]
    assert done.ledger.lost == 5


def test_what_the_dead_have_under_way_is_not_applied_once_they_are_buried() -> None:
    """As above; and A has a push under way, which comes after the question that B asks."""

    def dies(comm: SimulatedCommunicator, client: Client) -> None:
        client.start_fetch(torch.zeros(P), 5)
        comm.elapse(0.2)
        client.start_push(torch.ones(P), [0, 0, 0], Note(5, 1.0))
        comm.elapse(0.3)
        raise RankDied

    def lives(comm: SimulatedCommunicator, client: Client) -> list[int]:
        comm.elapse(0.1)
        client.start_push(torch.ones(P), [0, 0, 0], Note(5, 1.0))
        client.start_fetch(torch.zeros(P), 5).wait()
        return [int(w) for w in farewell(client)[2]]

    done = Served(dies, lives, seconds=1.0)
    assert done.results == [None, [1] * P]
    assert (done.ledger.used, done.ledger.lost) == (5, 5)


@pytest.mark.parametrize("n_fetch", [4, 10])
@pytest.mark.parametrize("overlap", [False, True])
def test_a_dead_worker_has_begun_what_it_has_pushed(n_fetch: int, overlap: bool) -> None:
    """It makes a step and a push a second, and tells what it has begun when it fetches: last before its fifth step, or
    its first. Of its eighth nobody has heard."""
    strategy = Downpour(n_fetch=n_fetch, overlap=overlap, hosting=RANKS)
    record, _ = downpour([0.1, 1.0], {2: 7.5}, strategy, epochs=10)
    used = record.traffic["examples"]
    assert record.traffic["dead_workers"] == [1]
    assert used["lost"] == 0
    assert used["computed"] == used["applied"] >= 600


@pytest.mark.parametrize("overlap", [False, True])
def test_who_never_fetches_again_ends_with_the_others(overlap: bool) -> None:
    """Three workers of one speed share three epochs of 60 examples; each hears of the last with its own next push."""
    strategy = Downpour(n_fetch=10**6, overlap=overlap, hosting=RANKS)
    record, _ = downpour([1.0] * 3, {}, strategy, epochs=3)
    batch, workers = 5, 3
    assert 180 <= record.traffic["examples"]["computed"] <= 180 + workers * batch * (1 + overlap)


@pytest.mark.parametrize("hosting", [RANKS, Hosting()], ids=str)
def test_with_overlap_every_gradient_lacks_the_push_before(hosting: Hosting) -> None:
    """Its parameters were asked for before that push. The first two gradients are of the same parameters."""
    record, _ = downpour([1.0], {}, Downpour(overlap=True, hosting=hosting))
    assert record.traffic["staleness"] == {"0": 1, "1": 35}


def test_with_overlap_staleness_is_that_of_the_parameters_that_a_gradient_was_computed_from() -> None:
    """Four workers push by turns, in every second: between the fetch for a gradient and its push lie seven pushes."""
    record, _ = downpour([1.0] * 4, {}, Downpour(overlap=True, hosting=RANKS))
    assert record.traffic["staleness"] == {**{str(age): 1 for age in range(7)}, "7": 35}


@pytest.mark.parametrize("dies", [3.37, 8.37, 14.37])
def test_whose_fetch_is_under_way_hears_who_is_dead_all_the_same(dies: float) -> None:
    """A message takes longer than half a step, so that the roster is asked for while a fetch is being answered."""

    class Slow(ZeroCosts):
        def transfer(self, operation: str, size: int, source: int, to: int, now: float) -> Transfer:
            return Transfer(now, now + 0.7)

    strategy = Downpour(overlap=True, hosting=Hosting("ranks", 1, reassign=True))
    record, results = downpour([1.0] * 3, {2: dies}, strategy, epochs=10, costs=Slow())
    assert record.traffic["dead_workers"] == [1]
    assert [result is None for result in results] == [False, False, True, False]


def test_what_is_pushed_after_the_last_epoch_has_its_rate() -> None:
    """A rate that falls to nothing over three epochs is a third of itself in the last one."""
    task = Task(Quadratic(), make_shard(0, 1), FixedEpochs(3))
    optimizer = task.optimizer(Rule("sgd", 0.3, schedule="linear", epochs=3), torch.zeros(1))
    rates = []
    for epoch in range(5):
        task.advance(epoch)
        rates.append(optimizer.learning_rate)
    assert rates == pytest.approx([0.3, 0.2, 0.1, 0.1, 0.1])


class Told(Task):
    """Notes the epochs to which its learning rates were brought."""

    def __init__(self, objective: Objective, part: Shard, stopping: FixedEpochs) -> None:
        self.told: list[int] = []
        super().__init__(objective, part, stopping)

    def advance(self, epoch: int) -> None:
        super().advance(epoch)
        self.told.append(epoch)


def test_servers_know_how_many_epochs_a_push_has_ended() -> None:
    """Pushes of 24 batches of five end two epochs of 60 examples: the learning rates of all shards fall by two."""
    strategy = Downpour(Rule("sgd", 0.1), n_fetch=24, n_push=24, hosting=Hosting("ranks", 2))

    def program(comm: SimulatedCommunicator) -> list[int]:
        task = Told(Quadratic(), make_shard(comm.rank - 2, 1), FixedEpochs(6))
        for _ in strategy.run(task, comm):
            pass
        return task.told

    assert SimulatedWorld(3).run(program)[:2] == [[0, 2, 4, 6]] * 2


class Course(Silent):
    """The epochs of steps, and the ends of epochs with the steps so far."""

    def __init__(self) -> None:
        self.events: list[object] = []

    def on_step(self, step: Step) -> None:
        self.events.append(step.epoch)

    def on_epoch(self, report: EpochReport) -> None:
        self.events.append(("end", report.epoch, report.steps))


@pytest.mark.parametrize("servers", [1, 2])
def test_the_push_that_ends_an_epoch_belongs_to_it(servers: int) -> None:
    course, hosting = Course(), Hosting("ranks", servers)
    train(Downpour(hosting=hosting), 1, journals=[course, *[Silent()] * servers], servers=servers)
    assert course.events == [*[0] * 12, ("end", 0, 12), *[1] * 12, ("end", 1, 24), *[2] * 12, ("end", 2, 36)]
