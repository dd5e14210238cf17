"""docs/commands.md: all of its commands, and the files that they leave."""

from running import Ran
from safetensors.torch import load_file

PAGE = "docs/commands.md"


def test_its_commands_leave_their_files(ran: Ran) -> None:
    named = {each.command[1] for each in ran.of_commands("anabranch")}
    assert named == {"train", "evaluate", "sample", "export", "doctor"}
    assert {path.name for path in (ran.folder / "runs/digits").iterdir()} >= {
        "exported.safetensors",
        "samples.png",
        "samples.safetensors",
    }
    assert load_file(ran.folder / "runs/digits/samples.safetensors")["samples"].shape == (64, 64)
