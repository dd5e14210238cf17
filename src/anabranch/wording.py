"""Numbers as a person reads them."""

UNITS = (("s", 1.0), ("ms", 1e3), ("µs", 1e6), ("ns", 1e9))


def counted(number: int, noun: str) -> str:
    """For example '1 worker', '8 workers'."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def seconds_text(seconds: float) -> str:
    """Three digits and a unit, such as '1.23 s' or '45.6 ms'; hours from 10,000 s on."""
    if seconds >= 9999.5:
        return f"{seconds / 3600:,.1f} h"
    unit, scale = unit_of(seconds)
    return f"{digits(seconds * scale)} {unit}"


def unit_of(seconds: float) -> tuple[str, float]:
    """The unit in which to write so long a time, and how many of it make a second."""
    return next((unit for unit in UNITS if seconds * unit[1] >= 0.9995), UNITS[-1])


def digits(value: float) -> str:
    """`value` to three significant digits, but with all those of its whole part, and at most three after the point."""
    if 0 < value < 0.0005:
        return "<0.001"
    places = 0 if value >= 99.95 else 1 if value >= 9.995 else 2 if value >= 0.9995 else 3
    return f"{value:.{places if value else 0}f}"
