"""A finished run, read back from its folder: the RBMs that it trained, and the network that classifies."""

from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from torch import Tensor, nn

from anabranch.build import untried_model
from anabranch.config import Config, read_toml
from anabranch.errors import CheckpointError, UsageError
from anabranch.models import DBN
from anabranch.objectives.base import weight_dtype
from anabranch.runfolder import PROGRAM, RunFolder
from anabranch.tensorfile import tensors_from

M = TypeVar("M", bound=nn.Module)

DBN_PREFIX, NETWORK_PREFIX = "dbn.", "network."  # of the names in model.safetensors


@dataclass(frozen=True, eq=False)
class Trained:
    """What a run has left behind.

    Attributes:
        folder: of the run.
        config: its options, resolved.
        dbn: the stack of RBMs as contrastive divergence left it, before any fine-tuning; None for another model.
        network: [batch, inputs] to logits [batch, classes], in evaluation mode; None for an unsupervised run.
    """

    folder: RunFolder
    config: Config
    dbn: DBN | None
    network: nn.Module | None

    @property
    def inputs(self) -> int | None:
        """Features of an example; None for a module of the user's own, which does not tell."""
        if self.dbn is not None:
            return self.dbn.sizes[0]
        first = self.network[0] if isinstance(self.network, nn.Sequential) and len(self.network) else self.network
        return first.in_features if isinstance(first, nn.Linear) else None


def read_trained(path: Path) -> Trained:
    """The run in the folder `path`.

    Raises:
        UsageError: there is no run, it has not ended, or its model is a module that cannot be imported, or that a
            Python program gave to `anabranch.fit`.
        CheckpointError: its model is damaged, or another one than its options say.
    """
    folder = RunFolder(path)
    if not folder.config.is_file():
        raise UsageError(f"there is no run in {path} (no config.toml): give the folder that anabranch train wrote.")
    if not folder.model.is_file():
        raise UsageError(
            f"the run in {path} has not ended (no model.safetensors): go on with it by anabranch train --resume {path}."
        )
    config = read_toml(folder.config, Config())
    if config.model.model.startswith(PROGRAM):
        name = config.model.model.removeprefix(PROGRAM)
        raise UsageError(
            f"the model of {path} is a module that a Python program gave ({name}), and only that program has its code: "
            "load model.safetensors there."
        )
    tensors = _tensors(folder)
    model = untried_model(config.model, config.training.seed, weight_dtype(config.training.precision))
    if not isinstance(model, DBN):
        return Trained(folder, config, None, _filled(model, NETWORK_PREFIX, tensors, folder))
    dbn = _filled(model, DBN_PREFIX, tensors, folder)
    classes = _classes(tensors)
    if not classes:
        return Trained(folder, config, dbn, None)
    network = dbn.classifier(classes, dropout=config.finetuning.finetune_dropout)
    return Trained(folder, config, dbn, _filled(network, NETWORK_PREFIX, tensors, folder))


def _tensors(folder: RunFolder) -> dict[str, Tensor]:
    try:
        content = folder.model.read_bytes()
    except OSError as error:
        raise CheckpointError(f"{folder.model} cannot be read: {error.strerror}; restore it from a copy.") from error
    return tensors_from(content, folder.model)


def _classes(tensors: dict[str, Tensor]) -> int:
    """Outputs of the network that a DBN was fine-tuned as; 0 where it was not."""
    layers = {int(name.split(".")[1]): t for name, t in tensors.items() if name.startswith(NETWORK_PREFIX)}
    return len(layers[max(layers)]) if layers else 0


def _filled(module: M, prefix: str, tensors: dict[str, Tensor], folder: RunFolder) -> M:
    """`module` with its tensors, in evaluation mode, and without gradients."""
    own = {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}
    try:
        module.load_state_dict(own)
    except RuntimeError as error:
        raise CheckpointError(
            f"{folder.model} does not hold the model that {folder.config.name} describes: "
            "put both files, and a module's code, back as they were."
        ) from error
    return module.eval().requires_grad_(False)
