"""The page with which a command ends."""

from collections.abc import Callable
from pathlib import Path

from anabranch.errors import AnabranchError
from anabranch.report.wanted import wanted


def write_page(folder: Path, say: Callable[[str], None]) -> None:
    """Write `report.html` into `folder` and say so; nothing where pages are not wanted.

    What fails is said and no more: the results, which may have taken days, are there.
    """
    if not wanted():
        return
    from anabranch.report.draw import PAGE, draw  # templates and images: not needed before

    try:
        draw(folder)
    except AnabranchError as error:
        say(f"  no {PAGE}: {error}")
    except Exception as error:  # a bug of ours must not make a failure of a run that has ended well
        say(f"  no {PAGE}: unforeseen {type(error).__name__}; see it with  anabranch report {folder}")
    else:
        say(f"  {PAGE} (open it in a browser)")
