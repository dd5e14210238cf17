"""docs/commands.md tells the truth: its commands run, in their order, and the README's too."""

import re
import shlex
from pathlib import Path

import numpy as np
import pytest
from safetensors.torch import load_file

from anabranch.cli.main import COMMANDS, main

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs" / "commands.md").read_text(encoding="utf-8")
SHORT = {
    "train": ["--model", "dbn:64-12-8", "--epochs", "1", "--finetune-epochs", "1"],
    "sample": ["--steps", "5"],
    "doctor": ["--no-self-test"],
}


def commands(page: str) -> list[list[str]]:
    blocks = re.findall(r"^```sh\n(.*?)^```", page, flags=re.MULTILINE | re.DOTALL)
    lines = [line.split("#")[0].strip() for block in blocks for line in block.splitlines()]
    return [shlex.split(line)[1:] for line in lines if line.startswith("anabranch ")]


def test_its_commands_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("anabranch.cli.sample.LEARNING_STEPS", 5)
    asked = [words for words in commands(PAGE) if "onnx" not in words]  # tests/cli/test_export.py does that
    assert {words[0] for words in asked} == {"train", "evaluate", "sample", "export", "doctor"}
    train, *others = asked
    assert main([*train, *SHORT["train"]]) == 0
    np.savez(tmp_path / "mine.npz", x=np.zeros((4, 64), dtype=np.float32), y=np.arange(4))
    for words in others:
        # A machine may have its problems, which the doctor's exit code tells.
        assert main([*words, *SHORT.get(words[0], [])]) <= int(words[0] == "doctor"), words
    assert {path.name for path in (tmp_path / "runs" / "digits").iterdir()} >= {
        "exported.safetensors",
        "samples.png",
        "samples.safetensors",
    }
    assert load_file(tmp_path / "runs" / "digits" / "samples.safetensors")["samples"].shape == (64, 64)


def test_the_readme_names_commands_that_exist() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    named = {words[0] for words in commands(readme) if not words[0].startswith("-")}
    assert {"evaluate", "sample", "export"} <= named <= set(COMMANDS)
    assert "docs/commands.md" in readme
