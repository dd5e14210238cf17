"""Between the dataclasses of a cluster and nested tables as TOML has them, with a check of every name and type."""

import dataclasses
import math
from dataclasses import is_dataclass
from types import UnionType
from typing import Any, Literal, TypeVar, get_args, get_origin, get_type_hints

from typeguard import TypeCheckError, check_type

from anabranch.errors import UsageError, unknown_name

T = TypeVar("T")


def build(kind: type[T], table: dict[str, Any], source: str, path: str = "") -> T:
    """An object of the dataclass `kind` with the values of `table`.

    Args:
        kind: a dataclass.
        table: its options by their names.
        source: the file, for messages.
        path: of the table in it, such as "network.between"; empty: the file's top.

    Raises:
        UsageError: an option that does not exist, is missing or has the wrong type, or a figure that cannot be.
    """
    where = f"{source}, [{path}]" if path else source
    hints = get_type_hints(kind)
    for name in table:
        if name not in hints:
            raise unknown_name(f"option in {where}:", name, hints)
    values = {name: _value(value, hints[name], source, path, name) for name, value in table.items()}
    for option in dataclasses.fields(kind):  # type: ignore[arg-type] # mypy cannot know that T is a dataclass
        if option.default is dataclasses.MISSING and option.name not in table:
            raise UsageError(
                f"{where} has no {option.name}: add it, or take it from a shipped cluster with based_on, "
                'such as based_on = "ethernet-1g".'
            )
    try:
        return kind(**values)
    except UsageError as error:
        raise UsageError(f"{where}: {error}") from error


def tables(thing: Any) -> dict[str, Any]:
    """The dataclass `thing` as nested tables, without what is absent or infinite by default: TOML has no null."""
    found = {}
    for option in dataclasses.fields(thing):
        value = getattr(thing, option.name)
        if value == option.default and value in (None, math.inf, (), ""):
            continue
        found[option.name] = _plain(value)
    return found


def _plain(value: Any) -> Any:
    if is_dataclass(value):
        return tables(value)
    return [_plain(each) for each in value] if isinstance(value, tuple) else value


def _value(value: Any, hint: Any, source: str, path: str, name: str) -> Any:
    """`value` as a field of type `hint` wants it."""
    if get_origin(hint) is UnionType or type(None) in get_args(hint):
        hint = next(each for each in get_args(hint) if each is not type(None))
    inner = f"{path}.{name}" if path else name
    if is_dataclass(hint):
        if not isinstance(value, dict):
            raise UsageError(f"{source}: {inner} = {value!r} must be a table of options, [{inner}].")
        return build(hint, value, source, inner)  # type: ignore[arg-type] # a dataclass's type, not an instance
    if get_origin(hint) is tuple:
        return tuple(_row(value, get_args(hint)[0], source, path, name))
    return _scalar(value, hint, f"{source}, [{path}]" if path else source, name)


def _row(value: Any, hint: Any, source: str, path: str, name: str) -> list[Any]:
    """The members of a list, all of type `hint`."""
    where = f"{source}, [{path}]" if path else source
    if not is_dataclass(hint):
        if not isinstance(value, list):
            raise UsageError(f"{where}: {name} = {value!r} must be a list of numbers, such as {name} = [1, 2].")
        return [_scalar(each, hint, where, name) for each in value]
    if not isinstance(value, list) or not all(isinstance(each, dict) for each in value):
        raise UsageError(f"{where}: {name} = {value!r} must be a list of tables, each under its own [[{name}]].")
    numbered = enumerate(value, 1)
    return [build(hint, each, f"{source}, entry {number}", f"[{name}]") for number, each in numbered]  # type: ignore[arg-type]


def _scalar(value: Any, hint: Any, where: str, name: str) -> Any:
    """A number, text or truth. What a text may be, its dataclass says."""
    wanted = str if get_origin(hint) is Literal else hint
    try:
        if isinstance(value, bool) and wanted is not bool:
            raise TypeCheckError(f"true and false are no {wanted.__name__}")
        check_type(value, wanted)
        return float(value) if wanted is float else value
    except (TypeCheckError, OverflowError) as error:
        raise UsageError(f"{where}: {name} = {value!r} does not fit: {error}.") from error
