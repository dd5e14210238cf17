"""The results of a run: `model.safetensors`, `summary.json`, and the few lines that a person reads at the end."""

import hashlib
import json
import platform
from typing import Any

import torch
from torch import Tensor, nn

from anabranch import __version__
from anabranch.config import Config
from anabranch.files import write_bytes, write_json
from anabranch.models import DBN
from anabranch.plans import hosting, servers
from anabranch.runfolder import RunFolder
from anabranch.tensorfile import tensor_bytes
from anabranch.wording import counted


def write_results(
    folder: RunFolder | None,
    config: Config,
    model: nn.Module,
    network: nn.Module | None,
    tasks: list[dict[str, Any]],
    test_error: float | None,
    process_seconds: float,
    earlier_seconds: float = 0.0,
) -> dict[str, Any]:
    """Write `model.safetensors` and `summary.json`, if there is a folder for them; return the summary.

    Args:
        folder: of the run.
        config: all options.
        model: what was trained: a DBN, or another network.
        network: what classifies: the fine-tuned copy of a DBN, or `model` itself; None for an unsupervised run.
        tasks: summaries of the tasks, with their speeds.
        test_error: a fraction, or None without labels.
        process_seconds: how long this process has run, evaluation included.
        earlier_seconds: of the tasks' seconds those of processes before this one, of a run that was resumed.
    """
    tensors = {f"{'dbn' if isinstance(model, DBN) else 'network'}.{k}": t for k, t in model.state_dict().items()}
    if network is not None and network is not model:
        tensors |= {f"network.{name}": tensor for name, tensor in network.state_dict().items()}
    metadata = {"model": config.model.model, "units": config.model.units, "anabranch": __version__}
    if folder:
        write_bytes(folder.model, tensor_bytes(tensors, {"anabranch": json.dumps(metadata)}))
    seconds = sum(task["seconds"] for task in tasks)
    examples = sum(task["examples"] for task in tasks)
    summary = {
        "test_error": test_error,
        "measured_on": "validation" if config.data.validation_fraction else "test",
        "seconds": round(seconds, 6),
        "samples_per_second": round(examples / seconds, 1) if seconds else None,
        "examples": examples,
        "weights_sha256": weights_sha256(tensors),
        "data": config.data.data,
        "model": config.model.model,
        "strategy": config.parallel.strategy,
        "every": config.parallel.every,
        "workers": config.parallel.workers,
        "server": str(hosting(config) or "none"),
        "servers": servers(config),
        "world": config.parallel.world,
        "seed": config.training.seed,
        "dtype": config.training.dtype,
        "threads": torch.get_num_threads(),
        "tasks": [task | {"seconds": round(task["seconds"], 6)} for task in tasks],
        "process_seconds": round(process_seconds, 3),
        "earlier_seconds": round(earlier_seconds, 6),
        "versions": {"anabranch": __version__, "torch": torch.__version__, "python": platform.python_version()},
    }
    if folder:
        write_json(folder.summary, summary)
    return summary


def weights_sha256(tensors: dict[str, Tensor]) -> str:
    """One hash over the bytes of all tensors, in the order of their names."""
    digest = hashlib.sha256()
    for name in sorted(tensors):
        digest.update(name.encode())
        digest.update(tensors[name].detach().contiguous().view(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def sentences(summary: dict[str, Any], folder: RunFolder) -> list[str]:
    """What a person wants to know at the end."""
    lines = []
    for task in summary["tasks"]:
        reached = f"{task['quantity']} {task['error']:.4g}"
        figures = f"{counted(task['epochs'], 'epoch')}, {reached}, {task['seconds']:.1f} s"
        lines.append(f"  {task['task']:<22} {figures}")
    error = summary["test_error"]
    lines.append("" if error is None else f"{summary.get('measured_on', 'test')} error {100 * error:.2f} %")
    rate = summary["samples_per_second"] or 0.0
    lines.append(f"{summary['seconds']:.1f} s of training, {rate:,.0f} samples/s")
    lines += [f"  {task['task']:<22} {_speed(task)}" for task in summary["tasks"]]
    lines += [line for task in summary["tasks"] for line in _traffic(task)]
    every = f" every {summary['every']} steps" if summary["every"] else ""
    staff = crew(summary["workers"], summary["servers"], summary["world"], summary["threads"])
    lines.append(f"{summary['strategy']}{every}, {staff}")
    lines.append(f"results in {folder.path}:")
    lines.append("  summary.json, model.safetensors, steps.jsonl, config.toml, checkpoints/")
    lines.append(f"  tensorboard/ (tensorboard --logdir {folder.path})" if folder.events.is_dir() else "")
    return [line for line in lines if line]


def crew(workers: int, servers: int, world: str, threads: int) -> str:
    """For example '2 workers, simulated world, 1 thread', '2 workers, 1 server, mpi world, 1 thread a process'."""
    each = " a process" if world == "mpi" else ""
    serving = f", {counted(servers, 'server')}" if servers else ""
    return f"{counted(workers, 'worker')}{serving}, {world} world, {counted(threads, 'thread')}{each}"


def _traffic(task: dict[str, Any]) -> list[str]:
    """What a person wants to know of a task whose workers went at their own pace, a line each."""
    books = task.get("traffic")
    if not books:
        return []
    used, mean, most = books["examples"], books["mean_staleness"], max(map(int, books["staleness"]), default=0)
    lines = [f"{books['pushes']:,} pushes, {mean or 0:.2f} versions late on average, at most {most}"]
    if books["pushes_per_second"]:
        rates = f"{books['fetches_per_second']:,.0f} fetches/s, {books['pushes_per_second']:,.0f} pushes/s"
        lines.append(f"{rates}, {books['bytes_per_second'] / 1e6:,.0f} MB/s, workers waited {books['waiting']:.1%}")
    lost = f", {used['lost']:,} lost with worker {', '.join(map(str, books['dead_workers']))}" if used["lost"] else ""
    lines.append(f"{used['computed']:,} examples computed, {used['applied']:,} applied{lost}")
    return [f"  {task['task']:<22} {line}" for line in lines]


def _speed(task: dict[str, Any]) -> str:
    rate, fraction = f"{task['samples_per_second'] or 0.0:,.0f} samples/s", task["fraction_of_limit"]
    return rate if fraction is None else f"{rate}, {fraction:.2f} of the matrix products' limit"
