"""How much a run's training steps ask of a core: from the matrix products of its networks, or counted by torch."""

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from anabranch.cluster import Load
from anabranch.cluster.description import LoadKind
from anabranch.config import Config
from anabranch.data import Dataset
from anabranch.limit import Products
from anabranch.models import DBN
from anabranch.objectives import Loss, back_propagation
from anabranch.objectives.feedforward import fits
from anabranch.plans import FINE_TUNING, TRAINING
from anabranch.pretrain import layer_name
from anabranch.speed import works

COUNTED = 2  # examples with which a module of the user's own is tried; batch normalisation needs two


def load_of(products: Products, kind: LoadKind) -> Load:
    """The load of a step that computes `products`.

    Its activities are those of the units that a product leads to: upwards the outputs, downwards the inputs.
    """
    activities = {"up": 1, "down": 0}
    units = sum(products.matrices[number][activities[call]] for number, call in products.calls if call in activities)
    biases = sum(inputs * (kind == "contrastive") + outputs for inputs, outputs in products.matrices)
    weights = sum(inputs * outputs for inputs, outputs in products.matrices)
    return Load(kind, weights + biases, products.flop, units)


def loads(
    config: Config, dataset: Dataset, model: nn.Module, network: nn.Module | None, loss: Loss | None = None
) -> dict[str, Load]:
    """The load of each task of a run, by its name.

    Args:
        config: all options, resolved.
        dataset: the data.
        model: what is trained: a DBN, or another network.
        network: what a DBN is fine-tuned as, if it is.
        loss: of a module, in place of the cross-entropy.
    """
    known = works(config, model, network, len(dataset.train))
    if isinstance(model, DBN):
        names = [layer_name(number, rbm) for number, rbm in enumerate(model.layers)]
        found = {name: load_of(known[name].products, "contrastive") for name in names}
        if network is not None:
            found[FINE_TUNING] = load_of(known[FINE_TUNING].products, _kind(network))
        return found
    if TRAINING in known:
        return {TRAINING: load_of(known[TRAINING].products, _kind(model))}
    return {TRAINING: counted(model, dataset, loss)}


def counted(module: nn.Module, dataset: Dataset, loss: Loss | None = None) -> Load:
    """The load of a gradient of `module`, whatever it computes: the FLOP that torch counts, and its parts' outputs."""
    batch = dataset.train.take(torch.arange(min(COUNTED, len(dataset.train))), next(module.parameters()).dtype)
    before = {name: tensor.clone() for name, tensor in module.state_dict().items()}
    units = 0

    def count(_module: nn.Module, _inputs: object, output: object) -> None:
        nonlocal units
        units += output.numel() if isinstance(output, Tensor) else 0

    hooks = [part.register_forward_hook(count) for part in module.modules() if not list(part.children())]
    objective = back_propagation(module, loss=loss)
    with FlopCounterMode(display=False) as counter:
        objective.gradient(batch)
    for hook in hooks:
        hook.remove()
    module.load_state_dict(before)  # running statistics must not remember the try
    flop, activities = counter.get_total_flops() // len(batch), 2 * units // len(batch)  # forward and back
    buffers = sum(buffer.nbytes for buffer in module.buffers())
    return Load("autograd", len(objective.weights), flop, activities, buffers)


def _kind(network: nn.Module) -> LoadKind:
    return "backprop" if fits(network) else "autograd"
