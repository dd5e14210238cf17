"""What a run was given: all options, and the machine and versions that it ran on."""

from collections.abc import Iterator, Mapping
from typing import Any

from anabranch.report.page import Section, Table
from anabranch.report.records import Json

NAMES = {
    "anabranch": "Anabranch",
    "python": "Python",
    "torch": "PyTorch",
    "numpy": "NumPy",
    "numba": "Numba",
    "mpi4py": "mpi4py",
    "mpi": "MPI library",
    "system": "system",
    "machine": "architecture",
    "processor": "processor",
    "host": "host",
    "cores": "cores",
    "commit": "git commit of the folder",
    "began": "began",
}


def setup_section(config: Mapping[str, Any], environment: Json | None) -> Section:
    """Options and environment."""
    text = []
    if environment is None:
        text.append("Versions and machine are not known: this was made by an earlier version, which kept none.")
    tables = [environment_table(environment)] if environment else []
    return Section("setup", "How it was set up", tuple(text), (*tables, *option_tables(config)), dense=True)


def environment_table(environment: Json) -> Table:
    """Versions and machine, where they are known."""
    known = {NAMES.get(key, key): value for key, value in environment.items() if value is not None}
    return pairs("Environment", "what", known)


def option_tables(config: Mapping[str, Any]) -> list[Table]:
    """All options, as `config.toml` has them, a table for each group."""
    return [
        pairs(f"Options, [{group}]", "option", {f"--{name.replace('_', '-')}": v for name, v in options.items()})
        for group, options in config.items()
    ]


def pairs(caption: str, what: str, values: Mapping[str, Any]) -> Table:
    """Names and values, those of tables inside with dots between the names."""
    rows = tuple((name, written(value)) for name, value in _flat(values))
    return Table(caption, (what, "value"), rows, words=True)


def _flat(values: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for name, value in values.items():
        if isinstance(value, list) and value and isinstance(value[0], Mapping):
            value = {str(number): one for number, one in enumerate(value, 1)}
        if isinstance(value, Mapping):
            yield from ((f"{name}.{inner}", one) for inner, one in _flat(value))
        else:
            yield name, value


def written(value: object) -> str:
    """An option's value, as a person reads it."""
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:g}" if isinstance(value, float) else str(value)
