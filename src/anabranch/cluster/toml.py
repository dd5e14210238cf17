"""Clusters as TOML files: those that Anabranch ships, and a user's own, which may be based on another."""

import tomllib
from importlib import resources
from pathlib import Path
from typing import Any

import tomli_w

from anabranch.cluster.collective_modes import OPERATIONS
from anabranch.cluster.description import Cluster
from anabranch.cluster.tables import build, tables
from anabranch.errors import UsageError, unknown_name

ENDING = ".toml"
_SHIPPED = resources.files("anabranch.cluster") / "examples"


def shipped() -> list[str]:
    """The names of the clusters that Anabranch ships."""
    return sorted(entry.name.removesuffix(ENDING) for entry in _SHIPPED.iterdir() if entry.name.endswith(ENDING))


def load_cluster(name_or_path: str) -> Cluster:
    """The cluster that Anabranch ships under this name, or that a file ending in .toml describes.

    Raises:
        UsageError: no such name or file, no TOML, or an option that is missing, does not exist or cannot be.
    """
    return _load(name_or_path, Path(), ())


def from_toml(text: str, source: str = "the text", folder: Path | None = None) -> Cluster:
    """The cluster that `text` describes; what it is based on is looked for in `folder`, the current one unless given.

    Raises:
        UsageError: as `load_cluster`, naming `source`.
    """
    return from_tables(_merged(text, source, folder or Path(), ()), source)


def from_tables(content: dict[str, Any], source: str) -> Cluster:
    """The cluster that complete tables describe, without `based_on`.

    Raises:
        UsageError: an option that is missing, does not exist or cannot be; naming `source`, the table and the option.
    """
    cluster = build(Cluster, content, source)
    for measured in cluster.measured:
        if measured.operation not in (known := ["allreduce", *OPERATIONS]):
            raise unknown_name(f"operation in {source}, [[measured]]:", measured.operation, known)
    return cluster


def to_toml(cluster: Cluster) -> str:
    """`cluster` as a file, from which `from_toml` makes the same again."""
    content = tables(cluster)
    # As several lines for people; TOML would make \r\n the same as \n there.
    return tomli_w.dumps(content, multiline_strings="\r" not in cluster.name + cluster.about)


def _load(name: str, folder: Path, users: tuple[str, ...]) -> Cluster:
    source, text, own = _read(name, folder)
    return from_tables(_merged(text, source, own, users), source)


def _read(name: str, folder: Path) -> tuple[str, str, Path]:
    """Where the description `name` is found, its text, and the folder to which its own paths are relative."""
    if not name.endswith(ENDING):
        if name not in shipped():
            raise unknown_name("cluster", name, shipped())
        return f"the shipped cluster {name}", (_SHIPPED / f"{name}{ENDING}").read_text(encoding="utf-8"), folder
    path = folder / name
    try:
        return str(path), path.read_text(encoding="utf-8"), path.parent
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is no text"
        raise UsageError(f"cannot read the cluster {path}: {reason}.") from error


def _merged(text: str, source: str, folder: Path, users: tuple[str, ...]) -> dict[str, Any]:
    """The tables of `text`, over those that it is based on. `users` are the files that are based on it."""
    try:
        content = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"{source} is not valid TOML: {error}.") from error
    base = content.pop("based_on", None)
    if base is None:
        return content
    if not isinstance(base, str):
        raise UsageError(f'{source}: based_on = {base!r} must be a name or a path, such as "ethernet-1g".')
    found, base_text, base_folder = _read(base, folder)
    if found in (chain := (*users, source)):
        raise UsageError(f"{source} is based on {base}, in a circle: let one of {', '.join(chain)} stand alone.")
    below = _merged(base_text, found, base_folder, chain)
    from_tables(below, found)  # so that a mistake is reported of the file in which it is
    return _over(below, content)


def _over(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    """`below`, with what `above` names changed: tables option by option, lists as a whole."""
    both = dict(below)
    for name, value in above.items():
        old = below.get(name)
        both[name] = _over(old, value) if isinstance(old, dict) and isinstance(value, dict) else value
    return both
