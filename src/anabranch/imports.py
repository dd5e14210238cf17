"""What a user names by a Python path, as in `--model module:function`: imported from the current folder or the path."""

import importlib
import sys
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from anabranch.errors import UsageError


@dataclass(frozen=True)
class Named:
    """How an option that takes a Python path speaks.

    Attributes:
        option: such as --model.
        kind: what the path leads to: function, class.
        instead: what else to give, where the module cannot be imported.
    """

    option: str
    kind: str
    instead: str


def imported(path: str, named: Named) -> Callable[..., Any]:
    """What `path`, as in module:function, leads to.

    Raises:
        UsageError: there is no such module, importing it fails, or it has no such function.
    """
    module_name, _, name = path.partition(":")
    if (here := str(Path.cwd())) not in sys.path:
        sys.path.insert(0, here)
    try:
        module = importlib.import_module(module_name)
    except ImportError as error:
        raise UsageError(f"cannot import '{module_name}' for {named.option} ({error}): {named.instead}") from error
    except (Exception, SystemExit) as error:  # a user's code may raise anything, and a script ends itself
        raise raised(f"importing '{module_name}' for {named.option}", error) from error
    found: Callable[..., Any] | None = getattr(module, name, None)
    if not callable(found):
        raise UsageError(f"'{module_name}' has no {named.kind} '{name}': {named.option} wants module:{named.kind}.")
    return found


def is_path(text: str) -> bool:
    """Whether `text` could be a Python path, module:name."""
    module, _, name = text.partition(":")
    return bool(module) and name.partition(".")[0].isidentifier()


def raised(what: str, error: Exception | SystemExit) -> UsageError:
    """The sentence for an exception that a user's own code has raised."""
    frame = traceback.extract_tb(error.__traceback__)[-1]
    text = (str(error).strip().splitlines() or ["no message"])[0]
    return UsageError(
        f"{what} raised {type(error).__name__} ({text}) in {frame.filename}, line {frame.lineno}: mend it there."
    )
