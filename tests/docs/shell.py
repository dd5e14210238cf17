"""A block of shell as the commands in it; what is more than commands one after another is for a real shell."""

import re
import shlex
from dataclasses import dataclass

ASSIGNMENT = re.compile(r"(?P<name>[A-Za-z_]\w*)=(?P<value>.*)", re.DOTALL)
CONTROL = {"if", "for", "while", "until", "case", "{", "function", "!"}


class NeedsShell(ValueError):
    """There is a pipe, a redirection, a loop: shell beyond commands in a row."""


@dataclass(frozen=True)
class Command:
    """One command, its variables not yet replaced.

    Attributes:
        line: in its block, from 1.
        settings: the variables that are set before it, for it alone; or for all that follow, where `words` is empty.
        words: the program and its arguments.
    """

    line: int
    settings: tuple[tuple[str, str], ...]
    words: tuple[str, ...]


def commands(text: str) -> list[Command]:
    """The commands of a block, those joined by `&&` and `;` one by one.

    Raises:
        NeedsShell: it has more than commands.
    """
    return [_command(number, words) for number, line in _whole_lines(text) for words in _split(_words(line)) if words]


def _whole_lines(text: str) -> list[tuple[int, str]]:
    """Lines with their numbers; one that ends in a backslash goes on in the next."""
    found: list[tuple[int, str]] = []
    goes_on = False
    for number, line in enumerate(text.splitlines(), 1):
        if goes_on:
            first, before = found.pop()
            found.append((first, before[:-1] + line))
        else:
            found.append((number, line))
        goes_on = line.endswith("\\")
    return found


def _words(line: str) -> list[str]:
    reader = shlex.shlex(line, posix=True, punctuation_chars=True)
    reader.whitespace_split = True
    try:
        return list(reader)
    except ValueError as error:  # a quotation that goes on in the next line
        raise NeedsShell(line) from error


def _split(words: list[str]) -> list[list[str]]:
    parts: list[list[str]] = [[]]
    for word in words:
        if word in ("&&", ";"):
            parts.append([])
        elif set(word) <= set("();<>|&") or "$(" in word or "`" in word or (not parts[-1] and word in CONTROL):
            raise NeedsShell(" ".join(words))
        else:
            parts[-1].append(word)
    return parts


def _command(line: int, words: list[str]) -> Command:
    settings = []
    rest = list(words[1:] if words[0] == "export" else words)
    while rest and (found := ASSIGNMENT.fullmatch(rest[0])):
        settings.append((found["name"], found["value"]))
        rest.pop(0)
    return Command(line, tuple(settings), tuple(rest))
