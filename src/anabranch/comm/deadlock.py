"""A deadlock in one sentence of bearable length, whatever the number of ranks."""

from collections.abc import Iterable, Mapping

MAX_STATES = 8
MAX_SPANS = 6


def deadlock_sentence(states: Mapping[int, str]) -> str:
    """The sentence for `states`: what each rank does, such as `waits for barrier #2 (1 of 2 arrived)`.

    Ranks that do the same are named together; at most `MAX_STATES` different things are told.
    """
    groups: dict[str, list[int]] = {}
    for rank in sorted(states):
        groups.setdefault(states[rank], []).append(rank)
    # Waiting ranks first: those that have finished explain the others, and would read oddly alone in front.
    order = sorted(groups, key=lambda state: (not state.startswith("waits"), groups[state][0]))
    told = [f"{name_ranks(groups[state])} {_verb(state, len(groups[state]))}" for state in order[:MAX_STATES]]
    left = sum(len(groups[state]) for state in order[MAX_STATES:])
    if left:
        told.append(f"and {left} more {'rank' if left == 1 else 'ranks'}")
    return f"deadlock: {'; '.join(told)}"


def name_ranks(ranks: Iterable[int]) -> str:
    """`rank 3`, or `ranks 0-4 and 7`, or with very many gaps `ranks 0, 2, 4, 6, 8, 10 and 34 more`."""
    numbers = sorted(ranks)
    spans = _spans(numbers)
    names = [str(first) if first == last else f"{first}-{last}" for first, last in spans[:MAX_SPANS]]
    left = sum(last - first + 1 for first, last in spans[MAX_SPANS:])
    if left:
        names.append(f"{left} more")
    listed = names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
    return f"{'rank' if len(numbers) == 1 else 'ranks'} {listed}"


def _spans(numbers: list[int]) -> list[tuple[int, int]]:
    spans: list[tuple[int, int]] = []
    for number in numbers:
        if spans and number == spans[-1][1] + 1:
            spans[-1] = (spans[-1][0], number)
        else:
            spans.append((number, number))
    return spans


def _verb(state: str, count: int) -> str:
    if count == 1:
        return state
    verb, _, rest = state.partition(" ")
    plural = {"waits": "wait", "has": "have", "is": "are"}[verb]
    return f"{plural} {rest}"
