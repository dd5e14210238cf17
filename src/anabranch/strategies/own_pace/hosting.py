"""Where the parameters of an asynchronous strategy are."""

from dataclasses import dataclass
from typing import Literal

from anabranch.errors import UsageError
from anabranch.server.onesided import check_one_sided
from anabranch.server.partition import Placing
from anabranch.server.update import Update


@dataclass(frozen=True)
class Hosting:
    """Where the parameters are.

    Attributes:
        kind: "window": in windows of the workers themselves; "ranks": on ranks that serve and do nothing else;
            "shared": in memory that all workers share.
        servers: ranks that serve, before all workers.
        placing: how shards find their owners.
        reassign: whether the other workers take over the examples of one that died (with servers alone).
    """

    kind: Literal["window", "ranks", "shared"] = "window"
    servers: int = 0
    placing: Placing = "contiguous"
    reassign: bool = False

    def __post_init__(self) -> None:
        if (self.kind == "ranks") != (self.servers > 0):
            raise UsageError(f"{self.servers} server ranks do not go with --server {self.kind}: try ranks:1.")
        if self.reassign and self.kind != "ranks":
            raise UsageError(
                "--reassign goes with --server ranks:1 or more: without server ranks no run goes on after a death."
            )

    def __str__(self) -> str:
        return f"ranks:{self.servers}" if self.kind == "ranks" else self.kind

    @classmethod
    def parse(cls, text: str, placing: Placing = "contiguous", *, reassign: bool = False) -> "Hosting":
        """From "window" or "ranks:S".

        Raises:
            UsageError: it is neither.
        """
        kind, _, count = text.partition(":")
        if kind == "window" and not count:
            return cls("window", 0, placing, reassign)
        if kind == "ranks" and count.isascii() and count.isdigit() and int(count) > 0:
            return cls("ranks", int(count), placing, reassign)
        raise UsageError(f"--server {text} is neither window nor ranks:S with S servers, as in ranks:1.")

    def check(self, update: Update) -> None:
        """Refuse an update that cannot be done there.

        Raises:
            UsageError: naming what to use instead.
        """
        if self.kind != "ranks":
            check_one_sided(update)


WINDOW = Hosting()
