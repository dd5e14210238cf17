"""Everything a user can do wrong ends in one sentence, and spoils nothing that was there."""

import errno
import gzip
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from cli_helpers import (
    EXAMPLES,
    TINY,
    WIDTH,
    assert_same_result,
    broken_off,
    checkpoints,
    resume,
    sentence,
    train,
    write_data,
)

from anabranch.checkpoint import load_newest
from anabranch.cli.main import main

Captured = pytest.CaptureFixture[str]


@pytest.fixture
def data(tmp_path: Path) -> str:
    return write_data(tmp_path / "data")


@pytest.fixture
def refused(data: str, tmp_path: Path, capsys: Captured) -> Callable[..., str]:
    """The sentence with which `anabranch train` refuses options; no folder is left of such a run."""

    def refuse(*options: str, code: int = 2, data: str = data) -> str:
        out = tmp_path / "refused"
        said = sentence(capsys, code, "train", "--data", data, *TINY, "--out", str(out), *options)
        assert code != 2 or not out.exists()
        return said

    return refuse


Refused = Callable[..., str]


# --- data


def idx_folder(folder: Path, *, images: bytes | None = None, labels: bytes | None = None) -> str:
    def idx(array: np.ndarray[tuple[int, ...], np.dtype[np.uint8]]) -> bytes:
        sizes = b"".join(size.to_bytes(4, "big") for size in array.shape)
        return bytes([0, 0, 8, array.ndim]) + sizes + array.tobytes()

    folder.mkdir(parents=True)
    pixels, digits = np.zeros((30, 4, 4), np.uint8), (np.arange(30) % 3).astype(np.uint8)
    for part in ("train", "t10k"):
        (folder / f"{part}-images-idx3-ubyte").write_bytes(idx(pixels))
        (folder / f"{part}-labels-idx1-ubyte").write_bytes(idx(digits))
    if images is not None:
        (folder / "train-images-idx3-ubyte").write_bytes(images)
    if labels is not None:
        (folder / "train-labels-idx1-ubyte").write_bytes(labels)
    return str(folder)


HEAD = bytes([0, 0, 8, 3, 0, 0, 0, 30, 0, 0, 0, 4, 0, 0, 0, 4])


@pytest.mark.parametrize(
    ("images", "labels", "says"),
    [
        (b"", None, "is empty: expected an IDX file; fetch it again."),
        (HEAD + b"x" * 100, None, "need 480 bytes of values, found 100; fetch it again."),
        (HEAD[:7], None, "is cut off: a header of 3 dimensions"),
        (b"PNG!" + HEAD, None, "is no IDX file: expected the magic number"),
        (None, bytes([0, 0, 8, 1, 0, 0, 0, 2, 0, 1]), "has 30 images but"),
        (gzip.compress(HEAD, mtime=0), None, "is no IDX file"),
    ],
)
def test_damaged_idx_files(
    images: bytes | None, labels: bytes | None, says: str, tmp_path: Path, refused: Refused
) -> None:
    folder = idx_folder(tmp_path / "idx", images=images, labels=labels)
    said = refused(data=folder, code=1)
    assert says in said
    assert f"{folder}/train-" in said


def test_missing_data(tmp_path: Path, refused: Refused) -> None:
    assert refused(data=str(tmp_path / "no.npz")) == (
        f"there is no data at {tmp_path}/no.npz: give the path of an existing file or folder."
    )
    folder = tmp_path / "idx"
    idx_folder(folder)
    (folder / "t10k-images-idx3-ubyte").unlink()
    assert refused(data=str(folder)).endswith(
        "has no t10k-images-idx3-ubyte (with or without .gz): put the missing file there."
    )


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 and no more", b"no archive at all"])
def test_damaged_npz(content: bytes, tmp_path: Path, refused: Refused) -> None:
    (tmp_path / "bad.npz").write_bytes(content)
    assert "bad.npz" in refused(data=str(tmp_path / "bad.npz"), code=1)


def test_counts_labels_and_values_that_do_not_fit(tmp_path: Path, refused: Refused) -> None:
    def said(code: int = 1, options: tuple[str, ...] = (), **arrays: object) -> str:
        return refused(*options, data=write_data(tmp_path, "odd.npz", **arrays), code=code)

    x = np.full((EXAMPLES, WIDTH), 0.5, np.float32)
    assert "60 rows of features but 59 labels" in said(y=np.zeros(59, np.int64))
    keys = said(y=np.arange(60) * 50_000_000)
    assert "has labels up to 2,950,000,000, but only 60 examples: number the classes from 0" in keys
    assert "must be whole numbers from 0 to 1 for 2 classes" in said(options=("--classes", "2"))
    for bad in (np.nan, np.inf):
        spoilt = x.copy()
        spoilt[7, 3] = bad
        assert "row 7" in said(x=spoilt)
    assert "use --scale minmax or" in said(x=x * 9)
    assert "from 0.5 to 4.5" in said(x=np.concatenate([x[:30], x[30:] * 9]))
    assert "has none" in said(code=2, options=("--model", "mlp"), y=None)
    assert "is empty" in said(x=x[:0], y=None)


# --- options


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--data", "digts"], "unknown data set 'digts': did you mean 'digits'?"),
        (["--strategy", "average"], "unknown strategy 'average': did you mean 'averaging'?"),
        (["--strategy", "qqq"], "unknown strategy 'qqq': choose one of: a"),
        (["--model", "dbm:16-8"], "unknown model 'dbm': did you mean 'dbn'?"),
        (["--model", "dnb"], "unknown model 'dnb': did you mean 'dbn'?"),
        (["--preset", "de-grazia"], "unknown preset 'de-grazia': did you mean 'degrazia'?"),
        (["--model", "dbn:64-8"], "the model has 64 input units, but * has 16 features: use --model dbn:16-8."),
        (["--model", "mlp:16-8-4"], "the model has 4 output units, but * has 3 classes: use --model mlp:16-8-3."),
        (["--model", "dbn:16-eight"], "'dbn:16-eight' is no list of layer sizes: write two or more"),
        (["--workers", "0"], "training needs at least one worker, not 0: use --workers 1 or more."),
        (["--workers", "49", "--batch-size", "1"], "49 workers but only 48 examples: use 48 workers or fewer"),
        (["--batch-size", "49"], "batch size 49 is larger than the 48 examples: use --batch-size 48 or fewer."),
        (["--workers", "6", "--batch-size", "9"], "larger than the smallest shard (8 examples on each of 6 workers)"),
        (["--world", "single", "--workers", "2"], "a single process is one worker, not 2: use --world simulated or"),
        (["--every", "3", "--strategy", "allreduce"], "--every 3 does not go with --strategy allreduce"),
        (["--every", "0"], "replicas can be averaged every 1 or more batches, not every 0."),
        (["--strategy", "bmuf", "--outer-momentum", "1"], "the outer momentum must lie in [0, 1), not 1.0: try 0.9."),
        (["--strategy", "post-local", "--local-after", "-1"], "after 0 or more epochs, not after -1."),
        (
            ["--outer-learning-rate", "1"],
            "--outer-learning-rate 1.0 does not go with --strategy averaging: it goes with",
        ),
        (["--threads", "0"], "a process needs at least one thread, not 0: use --threads 1 or more."),
        (["--checkpoint-seconds", "nan"], "--checkpoint-seconds must be 0 or more, not nan."),
        (["--initial-std", "-1"], "the weights' standard deviation must be 0 or more, not -1.0"),
        (["--epochs", "0"], "training needs at least one epoch, not 0."),
        (["--learning-rate", "-1"], "the learning rate must be a positive number, not -1.0."),
        (["--momentum", "1"], "momentum must lie in [0, 1), not 1.0."),
        (["--optimizer", "adam", "--momentum", "0.5"], "momentum 0.5 is for sgd, but the update rule is adam: leave"),
        (["--optimizer", "adam", "--early-momentum", "0.5"], "momentum 0.5 is for sgd, but the update rule is adam"),
        (["--finetune-optimizer", "adagrad", "--finetune-momentum", "0.5"], "sgd, but the update rule is adagrad"),
        (["--gibbs-steps", "0"], "contrastive divergence needs at least one Gibbs step, not 0: use 1 or more."),
        (["--weight-cost", "-1"], "the weight cost must be 0 or more, not -1.0: try 0.0002."),
        (
            ["--model", "dbn", "--activation", "tanh"],
            "--activation tanh is for an mlp, which dbn:16-200-200-500 is not",
        ),
        (
            ["--model", "dbn", "--mlp-start", "glorot", "--activation", "tanh"],
            "--activation tanh, --mlp-start glorot are for an mlp, which dbn:16-200-200-500 is not: leave them out",
        ),
        (["--model", "mlp", "--initial-std", "0.1"], "--initial-std 0.1 is for the RBMs of a dbn, of which mlp:16"),
        (["--model", "mlp", "--persistent"], "--persistent is for the RBMs of a dbn, of which mlp:16-200-3 has none"),
        (
            ["--model", "mlp", "--weight-cost", "5", "--gibbs-steps", "7", "--units", "gaussian"],
            "--units gaussian, --weight-cost 5.0, --gibbs-steps 7 are for the RBMs of a dbn, of which mlp:16-200-3 has",
        ),
        (
            ["--model", "mlp", "--finetune-dropout", "0.2", "--finetune-momentum", "0.3"],
            "--finetune-momentum 0.3, --finetune-dropout 0.2 are for the fine-tuning of a dbn, which mlp:16-200-3",
        ),
        (
            ["--model", "mlp", "--finetune-optimizer", "adam"],
            "--finetune-optimizer adam is for the fine-tuning of a dbn, which mlp:16-200-3 is not: leave it out.",
        ),
        (
            ["--model", "mlp", "--strategy", "sampled-averaging", "--optimizer", "adam", "--learning-rate", "0.2"],
            "--optimizer adam, --learning-rate 0.2 are for an update rule, and --strategy sampled-averaging has none",
        ),
        (
            ["--model", "mlp", "--strategy", "sampled-averaging", "--momentum", "0.5"],
            "--momentum 0.5 is for an update rule, and --strategy sampled-averaging has none: leave it out.",
        ),
        (["--shards", "hashed"], "--shards hashed does not go with --strategy averaging: it goes with downpour, "),
        (["--finetune-dropout", "1"], "dropout is a probability in [0, 1), not 1.0."),
        (["--batch-size", "0"], "the batch size is 0: it must be 1 or more."),
        (["--test-fraction", "1"], "the test fraction is 1.0: it must be above 0 and below 1."),
        (["--resume", "nowhere"], "there is no run in nowhere (no config.toml): give the folder of a run to --resume."),
        (["--config", "no.toml"], "cannot read the configuration no.toml: No such file or directory."),
    ],
)
def test_wrong_options(options: list[str], says: str, refused: Refused) -> None:
    said = refused(*options)
    assert all(part in said for part in says.split(" * ")), said


@pytest.mark.parametrize(
    ("arguments", "near"),
    [
        (["train", "--epoks", "3"], "--epochs"),
        (["train", "--learning-rat", "3"], "--learning-rate"),
        (["train", "--epochs", "many"], "--epochs"),
        (["train", "--optimizer", "sdg"], "sgd"),
        (["train", "--out"], "--out"),
        (["simulate", "--epoks", "3"], "--epochs"),
    ],
)
def test_misspelt_options_are_refused_with_the_nearest(arguments: list[str], near: str, capsys: Captured) -> None:
    assert main(arguments) == 2
    said = capsys.readouterr()
    assert near in said.err
    assert said.out == ""


def test_unknown_commands(capsys: Captured) -> None:
    assert sentence(capsys, 2, "trian") == "unknown command 'trian': did you mean 'train'?"
    assert sentence(capsys, 2, "dance").startswith("unknown command 'dance': ")


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("[training\nepochs = 3", "is not valid TOML: "),
        ("[trainin]\nepochs = 3", "'trainin': did you mean 'training'?"),
        ("[training]\nepoks = 3", "'epoks': did you mean 'epochs'?"),
        ("[training]\nepochs = '3'", "[training]: epochs = '3' does not fit"),
        ("[training]\noptimizer = 'sdg'", "[training]: optimizer = 'sdg' does not fit"),
        ("training = 3", "'training' must be a table of options"),
        ("\x00", "is not valid TOML: "),
    ],
)
def test_wrong_configuration_files(content: str, says: str, tmp_path: Path, refused: Refused) -> None:
    (tmp_path / "c.toml").write_text(content)
    said = refused("--config", str(tmp_path / "c.toml"))
    assert says in said
    assert "c.toml" in said


# --- models of a user's own

MODELS = {
    "raises": "def net():\n    raise ValueError('my own bug')\n",
    "number": "def net():\n    return 7\n",
    "wide": "from torch import nn\ndef net():\n    return nn.Linear(99, 3)\n",
    "few": "from torch import nn\ndef net():\n    return nn.Linear(16, 2)\n",
    "empty": "from torch import nn\ndef net():\n    return nn.Flatten()\n",
    "mixed": (
        "import torch\nfrom torch import nn\n\nclass Net(nn.Linear):\n    def forward(self, x):\n"
        "        return x.no_such_method()\n\ndef net():\n    return Net(16, 3)\n"
    ),
    "pair": (
        "from torch import nn\n\nclass Net(nn.Linear):\n    def forward(self, x):\n        return x, x\n\n"
        "def net():\n    return Net(16, 3)\n"
    ),
    "syntax": "def net(:\n",
}


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("nothing_there:net", "cannot import 'nothing_there' for --model"),
        ("number:nett", "'number' has no function 'nett': --model wants module:function."),
        ("number:net", "number:net returned int: it must return a torch.nn.Module."),
        ("raises:net", "raises:net() raised ValueError (my own bug) in * raises.py, line 2: mend it there."),
        ("wide:net", "given a batch [2, 16] of * raised RuntimeError (mat1 and mat2 shapes cannot be multiplied"),
        ("few:net", "gives [2, 2] for a batch of 2, but * needs logits [2, 3], one for each class."),
        ("empty:net", "a model needs parameters of one dtype on one device, but its parameters are: none."),
        ("mixed:net", "raised AttributeError * mixed.py, line 6: mend it there."),
        ("pair:net", "gives tuple for a batch of 2"),
        ("syntax:net", "raised SyntaxError"),
    ],
)
def test_models_of_a_users_own(
    name: str, says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, refused: Refused
) -> None:
    for module, code in MODELS.items():
        (tmp_path / f"{module}.py").write_text(code)
        monkeypatch.delitem(sys.modules, module, raising=False)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.chdir(tmp_path)
    said = refused("--model", name)
    assert all(part in said for part in says.split(" * ")), said


# --- divergence


@pytest.mark.parametrize(
    ("options", "where"),
    [
        (
            ["--units", "gaussian", "--scale", "standard", "--learning-rate", "1e6"],
            "layer 1 (16-8), epoch 1, at learning rate 1e+06",
        ),
        (["--finetune-learning-rate", "3e38", "--workers", "3"], "fine-tuning, epoch 1, at learning rate 3e+38"),
        (["--model", "mlp:16-8-3", "--learning-rate", "1e38"], "training, epoch 1, at learning rate 1e+38"),
    ],
)
def test_divergence(options: list[str], where: str, tmp_path: Path, data: str, capsys: Captured) -> None:
    said = sentence(capsys, 1, "train", "--data", data, *TINY, *options, "--out", str(tmp_path / "run"))
    assert said.startswith(("the loss became ", "the weights became infinite or NaN"))
    assert where in said
    assert "use a lower learning rate (try " in said
    assert said.endswith("checkpoints from before are kept.")
    assert not (tmp_path / "run" / "summary.json").exists()
    found = load_newest(tmp_path / "run" / "checkpoints", 0)
    assert "fine-tuning" not in where or (found is not None and found.progress.running["task"] == "layer 2 (8-6)")
    assert found is None or all(bool(tensor.isfinite().all()) for tensor in found.model.values())


def test_outputs_that_overflow_after_finite_weights_are_divergence_too(
    tmp_path: Path, data: str, capsys: Captured
) -> None:
    """The only step of the only epoch has a finite loss, and leaves huge, but finite weights."""
    options = ["--data", data, "--model", "mlp:16-8-3", "--epochs", "1", "--learning-rate", "1e30"]
    said = sentence(capsys, 1, "train", *options, "--batch-size", "48", "--out", str(tmp_path / "run"))
    assert said == "the loss on the test part is nan after training: use a lower learning rate."
    assert not (tmp_path / "run" / "summary.json").exists()
    watched = [*options, "--batch-size", "24", "--stop", "convergence", "--workers", "2"]
    said = sentence(capsys, 1, "train", *watched, "--out", str(tmp_path / "watched"))
    assert "became nan in training, epoch 1, at learning rate 1e+30: use a lower learning rate" in said


# --- folders and disks


def test_existing_folders_are_left_alone(tmp_path: Path, data: str, capsys: Captured) -> None:
    out = tmp_path / "full"
    out.mkdir()
    (out / "thesis.txt").write_text("mine")
    for path in (out, out / "thesis.txt"):
        said = sentence(capsys, 2, "train", "--data", data, *TINY, "--out", str(path))
        assert said == f"{path} exists and is not empty: choose another --out, or go on with it by --resume {path}."
    assert [path.name for path in out.iterdir()] == ["thesis.txt"]
    (tmp_path / "empty").mkdir()
    assert train(data, tmp_path / "empty") == 0


def test_folders_that_cannot_be_written(
    tmp_path: Path, data: str, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("in the way")
    said = sentence(capsys, 1, "train", "--data", data, *TINY, "--out", str(tmp_path / "file" / "run"))
    assert said == f"cannot write {tmp_path}/file/run: Not a directory; choose a place that is writable."

    def refuse(_self: Path, *_rest: object, **_more: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(Path, "mkdir", refuse)  # root may write everywhere
    said = sentence(capsys, 1, "train", "--data", data, *TINY, "--out", str(tmp_path / "run"))
    assert said == f"cannot write {tmp_path}/run: Permission denied; choose a place that is writable."


@pytest.mark.parametrize("after", [0, 3, 9, 20, 41, 55])
def test_full_disks_spoil_nothing(
    after: int, tmp_path: Path, data: str, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The disk is full from the n-th flush on; with space again, the run ends as if it had always had it."""
    often = ["--checkpoint-seconds", "0", "--workers", "2"]
    assert train(data, tmp_path / "whole", *often) == 0
    flush, left = os.fsync, after

    def failing(handle: int) -> None:
        nonlocal left
        left -= 1
        if left < 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        flush(handle)

    broken = tmp_path / "broken"
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", failing)
        said = sentence(capsys, 1, "train", "--data", data, *TINY, *often, "--out", str(broken))
    assert said.startswith(f"no space left to write {broken}")
    assert said.endswith(": free some, then start again; a run goes on with --resume.")
    if (broken / "config.toml").exists():
        assert resume(broken) == 0
    else:
        assert train(data, broken, *often) == 0
    assert_same_result(tmp_path / "whole", broken)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    place = tmp_path / "small"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(place)]
    try:
        done = subprocess.run(mount, capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        done = False
    if not done:
        pytest.skip("a small file system can be mounted only by root")
    yield place
    subprocess.run(["umount", str(place)], check=True)


def test_a_disk_that_is_really_full(small_disk: Path, tmp_path: Path, data: str, capsys: Captured) -> None:
    often = ["--epochs", "6", "--checkpoint-seconds", "0"]
    assert train(data, tmp_path / "whole", *often) == 0
    out = small_disk / "run"
    ballast = small_disk / "ballast"
    ballast.write_bytes(bytes(16 << 10))
    said = sentence(capsys, 1, "train", "--data", data, *TINY, *often, "--out", str(out))
    assert said.startswith(f"no space left to write {out}/")
    assert checkpoints(out)
    assert load_newest(out / "checkpoints", 0) is not None
    subprocess.run(["mount", "-o", "remount,size=10m", str(small_disk)], check=True)
    assert resume(out) == 0
    assert_same_result(tmp_path / "whole", out)


# --- resuming


@pytest.fixture
def run(tmp_path: Path, data: str, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A run that was broken off after its fifth checkpoint."""
    with broken_off(monkeypatch, saves=5):
        assert train(data, tmp_path / "run", "--checkpoint-seconds", "0") == 130
    return tmp_path / "run"


@pytest.mark.parametrize(
    ("option", "value", "then"),
    [
        ("model", "dbn:16-8", "dbn:16-8-6"),
        ("model", "mlp", "dbn:16-8-6"),
        ("epochs", "20", "3"),
        ("strategy", "allreduce", "averaging"),
        ("workers", "2", "1"),
        ("seed", "1", "0"),
        ("data", "digits", "*"),
    ],
)
def test_resumed_runs_keep_their_options(option: str, value: str, then: str, run: Path, capsys: Captured) -> None:
    said = sentence(capsys, 2, "train", "--resume", str(run), f"--{option}", value)
    end = "a resumed run keeps its options; leave that one out, or start a new run."
    assert said.startswith(f"the run in {run} has --{option} {then.rstrip('*')}")
    assert said.endswith(f", not {value}: {end}")


def test_resumed_runs_keep_their_folder_and_options_of_files(run: Path, tmp_path: Path, capsys: Captured) -> None:
    said = sentence(capsys, 2, "train", "--resume", str(run), "--out", str(tmp_path / "other"))
    assert said == f"--out {tmp_path}/other does not go with --resume {run}, which goes on there: leave --out out."
    (tmp_path / "c.toml").write_text("[training]\nmomentum = 0.3\n")
    assert "--momentum 0.9, not 0.3" in sentence(
        capsys, 2, "train", "--resume", str(run), "--config", str(tmp_path / "c.toml")
    )
    assert "--model" in sentence(capsys, 2, "train", "--resume", str(run), "--preset", "degrazia")


def flip_a_byte(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def cut_in_half(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


@pytest.mark.parametrize(
    ("name", "damage", "what"),
    [
        ("rank-0.safetensors", flip_a_byte, "rank-0.safetensors does not match its checksum"),
        ("model.safetensors", flip_a_byte, "model.safetensors does not match its checksum"),
        ("model.safetensors", cut_in_half, "model.safetensors does not match its checksum"),
        ("rank-0.safetensors", Path.unlink, "rank-0.safetensors cannot be read"),
        ("state.json", cut_in_half, "state.json cannot be read"),
        ("state.json", Path.unlink, "state.json cannot be read"),
        ("state.json", lambda path: path.write_text("[]"), "state.json cannot be read"),
        ("state.json", lambda path: path.write_text('{"format": 1, "progress": {}}'), "state.json cannot be read"),
    ],
)
def test_damaged_checkpoints(
    name: str, damage: Callable[[Path], object], what: str, run: Path, capsys: Captured
) -> None:
    newest = checkpoints(run)[-1]
    damage(newest / name)
    said = sentence(capsys, 1, "train", "--resume", str(run))
    assert said == (
        f"checkpoint {newest} is damaged ({what}): delete that folder to go on from the checkpoint before it."
    )


def test_checkpoints_of_another_version(run: Path, capsys: Captured) -> None:
    state = checkpoints(run)[-1] / "state.json"
    state.write_text(state.read_text().replace('"format": 1', '"format": 2'))
    assert "has format 2, but this version reads format 1" in sentence(capsys, 1, "train", "--resume", str(run))


@pytest.mark.parametrize(
    ("change", "how"),
    [
        (cut_in_half, "bytes shorter"),
        (flip_a_byte, "its content differs"),
        (Path.unlink, "No such file or directory"),
    ],
)
def test_changed_records(change: Callable[[Path], object], how: str, run: Path, capsys: Captured) -> None:
    change(run / "steps.jsonl")
    said = sentence(capsys, 1, "train", "--resume", str(run))
    assert said.startswith(f"{run}/steps.jsonl was changed since the checkpoint was written (")
    assert how in said
    assert said.endswith("): put it back as it was, or start the run anew.")


def test_a_damaged_summary(tmp_path: Path, data: str, capsys: Captured) -> None:
    assert train(data, tmp_path / "run") == 0
    cut_in_half(tmp_path / "run" / "summary.json")
    said = sentence(capsys, 1, "train", "--resume", str(tmp_path / "run"))
    assert said == f"{tmp_path}/run/summary.json cannot be read: delete it to compute it anew."
    (tmp_path / "run" / "summary.json").unlink()
    assert resume(tmp_path / "run") == 0


def test_a_model_whose_code_was_changed(
    tmp_path: Path, data: str, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.chdir(tmp_path)
    code = "from torch import nn\ndef net():\n    return nn.Sequential(nn.Linear(16, {0}), nn.Linear({0}, 3))\n"
    for width in (4, 5):
        (tmp_path / "changing.py").write_text(code.format(width))
        monkeypatch.delitem(sys.modules, "changing", raising=False)
        sys.path_importer_cache.clear()
        if width == 4:
            monkeypatch.setattr(sys, "dont_write_bytecode", True)
            with broken_off(monkeypatch, saves=1):
                assert train(data, tmp_path / "run", "--model", "changing:net", "--checkpoint-seconds", "0") == 130
    said = sentence(capsys, 1, "train", "--resume", str(tmp_path / "run"))
    assert said.startswith(f"the checkpoints in {tmp_path}/run are of another model (0.bias differs): ")


# --- worlds


def test_no_mpirun(tmp_path: Path, data: str, capsys: Captured, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    said = sentence(capsys, 2, "train", "--data", data, *TINY, "--world", "mpi", "--workers", "2")
    assert said == (
        "no mpirun found: load your cluster's MPI module, or install one with  pip install 'anabranch[mpi]'."
    )


@pytest.mark.parametrize("counts", ["", "1,two", "0", "1,-2", "1.5", "1;2"])
def test_bad_lists_of_workers(counts: str, capsys: Captured) -> None:
    said = sentence(capsys, 2, "simulate", f"--workers={counts}")
    assert said == (f"'{counts}' is no list of worker counts: write positive numbers with commas, as in 1,2,4,8.")


@pytest.mark.parametrize("command", [["simulate", "--workers", "1,2"], ["compare"]], ids=["simulate", "compare"])
def test_what_resumes_by_itself_says_so(command: list[str], tmp_path: Path, capsys: Captured) -> None:
    """Of its own folder, which is not that of a run."""
    said = sentence(capsys, 2, *command, "--resume", str(tmp_path))
    assert said == f"anabranch {command[0]} resumes by itself: start it again with the same --out."


def test_simulations_that_cannot_be(tmp_path: Path, data: str, capsys: Captured) -> None:
    out = tmp_path / "sweep"
    common = ["simulate", "--data", data, *TINY, "--out", str(out)]
    assert sentence(capsys, 2, *common, "--workers", "1,49").startswith(
        ("49 workers but only 48 examples", "batch size 8 is larger than")
    )
    assert sentence(capsys, 2, *common, "--world", "mpi") == "anabranch simulate has no --world mpi: leave --world out."
    assert "same --out" in sentence(capsys, 2, *common, "--resume", str(run_folder(tmp_path, data)))
    assert sentence(capsys, 2, "simulate", "--workers") == "--workers wants a list of worker counts, such as 1,2,4,8."
    assert not out.exists()


def run_folder(tmp_path: Path, data: str) -> Path:
    assert train(data, tmp_path / "run") == 0
    return tmp_path / "run"
