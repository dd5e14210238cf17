"""Places, ties and the verdict."""

from collections.abc import Sequence

import pytest

from anabranch.compare.curves import Run
from anabranch.compare.ranking import Result, answer, default_target, distinct, in_haste, ranking, speed_up, verdict
from anabranch.compare.terms import ALONE, Contender


def result(name: str, seconds: Sequence[float], finals: Sequence[float] | None = None, epochs: int = 20) -> Result:
    """Of runs whose last epoch alone is good enough."""
    finals = finals or [0.05] * len(seconds)
    runs = tuple(_run(at, error, epochs) for at, error in zip(seconds, finals, strict=True))
    return Result(Contender(name, "averaging", 4), 0.1, runs)


def _run(whole: float, final: float, epochs: int) -> Run:
    seconds = tuple(whole * (at + 1) / epochs for at in range(epochs))
    return Run(seconds, (*[1.0] * (epochs - 1), final), epochs, whole, final)


def places(*results: Result, target: float = 0.06) -> dict[str, int]:
    return {place.result.contender.name: place.number for place in ranking(results, target)}


SLOW = result(ALONE, [10, 10.1, 9.9])


def test_by_time_where_the_runs_tell_them_apart() -> None:
    fast, faster = result("fast", [5, 5.1, 4.9]), result("faster", [2, 2.1, 2.2])
    assert places(SLOW, fast, faster) == {"faster": 1, "fast": 2, ALONE: 3}


def test_a_place_is_shared_with_its_first_alone() -> None:
    a, b = result("a", [4.0, 4.5, 5.0]), result("b", [4.6, 4.4, 5.3])
    assert not distinct(a, b, 0.06)
    assert places(SLOW, b, a) == {"a": 1, "b": 1, ALONE: 3}


def test_who_does_not_always_arrive_comes_after_by_the_error() -> None:
    late = result("late", [1, 1, 1], [0.05, 0.05, 0.09])
    worse = result("worse", [1, 1, 1], [0.2, 0.21, 0.22])
    assert places(worse, late, SLOW) == {ALONE: 1, "late": 1, "worse": 3}
    (*_, last) = ranking([worse, late, SLOW], 0.06)
    assert last.seconds is None
    assert last.error.mean == pytest.approx(0.21)


def test_one_seed_tells_nothing() -> None:
    one, other = result(ALONE, [10]), result("fast", [1])
    assert places(one, other) == {"fast": 1, ALONE: 1}
    assert "with one seed" in verdict(ranking([one, other], 0.06), 0.06)


def test_verdicts() -> None:
    fast, also = result("fast", [5, 5.1, 4.9]), result("also", [5.2, 4.9, 5.0])
    assert verdict(ranking([SLOW, fast], 0.06), 0.06) == "fast reaches 6.00 % first, 2 times as fast as one process."
    shared = verdict(ranking([SLOW, fast, also], 0.06), 0.06)
    assert (
        shared
        == "fast, also: all reach 6.00 % first, and cannot be told apart; fast is 2 times as fast as one process."
    )
    alone = verdict(ranking([SLOW, result("slower", [20, 21, 22])], 0.06), 0.06)
    assert alone == "Do not distribute: nobody reaches 6.00 % sooner than one process beyond the noise."
    tie = verdict(ranking([SLOW, result("like", [9.9, 10.2, 9.8])], 0.06), 0.06)
    assert tie.endswith("beyond the noise; like cannot be told from it.")
    assert verdict(ranking([SLOW, fast], 0.01), 0.01).startswith("Nobody reaches 1.00 % with every seed")


def test_who_beats_one_process_is_told_though_a_noisy_leader_does_not() -> None:
    alone = result(ALONE, [10, 10.4, 9.7, 10.1, 9.9])
    noisy, steady = result("noisy", [3, 10, 9, 10.5, 3.5]), result("steady", [8, 8.4, 7.7, 8.1, 7.9])
    said = verdict(ranking([alone, noisy, steady], 0.06), 0.06)
    assert said == (
        "Faster than one process to 6.00 %, beyond the noise: steady (1.2 times). noisy has the least mean time, but "
        "cannot be told from one process."
    )


def test_a_hair_is_no_difference_where_times_come_in_epochs() -> None:
    """Two strategies with epochs of 1 s: in the eighth all arrive, of one always 0.1 ms later."""
    one, other = (result(name, [8 + more] * 5, epochs=8) for name, more in (("one", 0.0), ("other", 1e-4)))
    assert not distinct(one, other, 0.06)
    assert distinct(one, result("an epoch later", [9.0] * 5, epochs=9), 0.06)
    # 1/8 of the time, twice: 0.177, over sqrt(12): 0.051; times 2.776 (t of 4 degrees) over sqrt(5): 0.063
    assert not distinct(one, result("too near", [8.5] * 5, epochs=8), 0.06)  # log(8.5 / 8) = 0.061
    assert distinct(one, result("far enough", [8.55] * 5, epochs=8), 0.06)  # 0.066


def test_one_process_may_be_the_one_that_never_arrives() -> None:
    never = result(ALONE, [10, 10, 10], [0.2, 0.21, 0.22])
    found = verdict(ranking([never, result("fast", [5, 5.1, 4.9])], 0.06), 0.06)
    assert found == "fast reaches 6.00 % first, where one process does not always arrive."


def test_speed_up_is_the_geometric_mean_over_the_seeds() -> None:
    assert speed_up(result("a", [1, 4]), result(ALONE, [2, 2]), 0.06) == pytest.approx(1)
    assert speed_up(result("a", [1, 4], [0.5, 0.05]), SLOW, 0.06) is None


def test_the_target_is_a_tenth_above_one_process() -> None:
    assert default_target(result(ALONE, [1, 1], [0.04, 0.06])) == pytest.approx(0.055)


def learning(name: str, first: Sequence[float], last: Sequence[float]) -> Result:
    """Errors after one and after ten seconds."""
    runs = tuple(Run((1.0, 10.0), errors, 2, 10.0, errors[1]) for errors in zip(first, last, strict=True))
    return Result(Contender(name, "averaging", 4), 0.1, runs)


ALONE_AT_FIRST = learning(ALONE, [0.30, 0.31, 0.32], [0.02, 0.021, 0.022])


def test_who_has_less_time_is_told_who_is_better_then() -> None:
    sooner = learning("sooner", [0.10, 0.11, 0.12], [0.05, 0.051, 0.052])
    places = ranking([ALONE_AT_FIRST, sooner], 0.03)
    assert answer(places, 0.03, 1.5) == (
        "Do not distribute: nobody reaches 3.00 % sooner than one process beyond the noise. "
        "With 1.5 s and no more it is sooner: 11.00 % wrong, where one process is at 31.00 %."
    )
    assert answer(places, 0.03, 10.0) == verdict(places, 0.03)
    nobody = answer(ranking([ALONE_AT_FIRST, sooner], 0.001), 0.001, 1.5)
    assert nobody.startswith("Nobody reaches 0.10 %")
    assert nobody.endswith("where one process is at 31.00 %.")


def test_who_is_better_in_haste_must_be_beyond_the_noise() -> None:
    like = learning("like", [0.10, 0.31, 0.50], [0.05, 0.05, 0.05])
    assert in_haste([ALONE_AT_FIRST, like], 1.5) is None
    assert in_haste([ALONE_AT_FIRST, result("late", [20, 20, 20])], 1.5) is None
    assert in_haste([ALONE_AT_FIRST], 0.5) is None  # no epoch has ended


def test_who_cannot_be_told_from_the_best_in_haste_is_named() -> None:
    best, like = learning("best", [0.10, 0.11, 0.12], [0.05] * 3), learning("like", [0.12, 0.10, 0.13], [0.05] * 3)
    said = in_haste([ALONE_AT_FIRST, best, like], 1.5)
    assert said is not None
    assert said.endswith("where one process is at 31.00 %; like cannot be told from it.")


def test_where_a_strategy_wins_nothing_is_added() -> None:
    faster = learning("faster", [0.01, 0.011, 0.012], [0.01, 0.01, 0.01])
    places = ranking([ALONE_AT_FIRST, faster], 0.03)
    assert (
        answer(places, 0.03, 1.5)
        == verdict(places, 0.03)
        == "faster reaches 3.00 % first, 10 times as fast as one process."
    )
