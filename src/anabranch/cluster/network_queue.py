"""Something that does one thing at a time: a network card, a memory."""

from bisect import bisect_right


class Queue:
    """Whoever comes first is served first, also if it made its booking later.

    A message books the target's card for a time that is still to come; a later call may come to that card before it,
    and then takes a gap that is long enough. What is booked stays booked.
    """

    def __init__(self) -> None:
        self._begins: list[float] = []
        self._ends: list[float] = []

    def take(self, at: float, seconds: float) -> float:
        """Book the first `seconds` that are free from `at` on, and return when they begin."""
        place = bisect_right(self._ends, at)
        begin = at
        while place < len(self._begins) and self._begins[place] < begin + seconds:
            begin = self._ends[place]
            place += 1
        if seconds > 0:
            self._book(place, begin, begin + seconds)
        return begin

    def forget(self, now: float) -> None:
        """Drop what is over: nobody will ask for a time before `now` again."""
        over = bisect_right(self._ends, now)
        del self._begins[:over], self._ends[:over]

    def _book(self, place: int, begin: float, end: float) -> None:
        """Bookings that touch become one, so that a long queue is a short list."""
        if place > 0 and self._ends[place - 1] == begin:
            place -= 1
            begin = self._begins[place]
            del self._begins[place], self._ends[place]
        if place < len(self._begins) and self._begins[place] == end:
            end = self._ends[place]
            del self._begins[place], self._ends[place]
        self._begins.insert(place, begin)
        self._ends.insert(place, end)
