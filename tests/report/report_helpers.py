"""Records as runs, simulations and reproductions leave them, made by hand: the pages are made from these alone."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import tomli_w
from safetensors.numpy import save_file

EVIL = "<script>alert(1)</script>"
LAYER, TUNING = "layer 1 (16-8)", "fine-tuning"
CONFUSION = [[5, 1, 0], [0, 6, 0], [2, 0, 4]]


def config(out: str = "run", strategy: str = "averaging", data: str = "digits") -> dict[str, dict[str, Any]]:
    return {
        "data": {"data": data},
        "model": {"model": "dbn:16-8", "units": "bernoulli"},
        "parallel": {"strategy": strategy, "workers": 2, "world": "simulated", "every": 4},
        "training": {"epochs": 2, "seed": 0, "learning_rate": 0.1},
        "run": {"out": out, "test_each_epoch": True},
    }


def epoch(task: str, number: int, error: float, quantity: str, **more: Any) -> dict[str, Any]:
    line = {"kind": "epoch", "task": task, "epoch": number, "error": error, "loss": error, "examples": 48}
    return line | {"quantity": quantity, "last": number == 1, "seconds": 0.5 * (number + 1)} | more


def step(task: str, number: int, loss: float) -> dict[str, Any]:
    return {"kind": "step", "task": task, "epoch": number // 150, "step": number, "loss": loss, "examples": 8}


def traffic(task: str = TUNING) -> dict[str, Any]:
    return {
        "kind": "traffic",
        "task": task,
        "examples": {"computed": 96, "pushed": 96, "applied": 92, "lost": 4},
        "dead_workers": [1],
        "fetches": 12,
        "pushes": 12,
        "waiting": 0.25,
        "bytes_per_second": 2e6,
        "staleness": {"0": 3, "1": 6, "3": 3},
        "mean_staleness": 1.25,
    }


def record() -> list[dict[str, Any]]:
    lines = [step(LAYER, n, 9.0 - n / 100) for n in range(300)]
    lines += [epoch(LAYER, n, 8.0 - n, "reconstruction error") for n in range(2)]
    lines += [step(TUNING, n, 1 / (n + 1)) for n in range(6)]
    lines += [epoch(TUNING, n, 0.5 / (n + 1), "loss", test_error=0.4 - 0.2 * n) for n in range(2)]
    return [*lines, traffic()]


def summary(test_error: float | None = 3 / 18) -> dict[str, Any]:
    task = {"epochs": 2, "samples_per_second": 96.0, "gflop_per_second": 1.5, "fraction_of_limit": None}
    return {
        "test_error": test_error,
        "seconds": 2.0,
        "samples_per_second": 96.0,
        "workers": 2,
        "servers": 0,
        "threads": 1,
        "dtype": "float32",
        "process_seconds": 2.5,
        "tasks": [
            task | {"task": LAYER, "quantity": "reconstruction error", "error": 7.0, "seconds": 1.0},
            task | {"task": TUNING, "quantity": "loss", "error": 0.25, "seconds": 1.0},
        ],
    }


def evaluation() -> dict[str, Any]:
    mistakes = [
        {"row": 7, "label": 2, "predicted": 0, "probability": 0.9, "own_probability": 0.05},
        {"row": 3, "label": 0, "predicted": 1, "probability": 0.6, "own_probability": 0.3},
    ]
    content = {"image_shape": [4, 4], "gibbs_steps": 100, "examples": 18, "wrong": 3}
    return content | {"confusion": CONFUSION, "mistakes": mistakes}


def write_run(folder: Path, *, strategy: str = "averaging", data: str = "digits") -> Path:
    """A finished run, with all that a run leaves."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(0)
    (folder / "config.toml").write_text(tomli_w.dumps(config(str(folder), strategy, data)))
    (folder / "steps.jsonl").write_text("".join(json.dumps(line) + "\n" for line in record()))
    (folder / "summary.json").write_text(json.dumps(summary()))
    (folder / "evaluation.json").write_text(json.dumps(evaluation()))
    environment = {"anabranch": "0.1.0", "torch": "2.8.0", "mpi": None, "commit": "abc-dirty", "cores": 2}
    (folder / "environment.json").write_text(json.dumps(environment))
    names = {"originals": 16, "reconstructions.1": 16, "samples.1": 16, "mistakes": 2}
    images = {name: rng.integers(0, 256, (n, 4, 4), dtype=np.uint8) for name, n in names.items()}
    save_file(images, folder / "pictures.safetensors")
    weight = rng.normal(size=(8, 16)).astype(np.float32)
    save_file({"dbn.rbms.0.weight": weight, "dbn.rbms.0.hidden_bias": np.zeros(8)}, folder / "model.safetensors")
    return folder


def write_old_run(folder: Path) -> Path:
    """A run as earlier versions left it."""
    write_run(folder)
    for name in ("evaluation.json", "environment.json", "pictures.safetensors"):
        (folder / name).unlink()
    return folder


def row(workers: int, seconds: float | None, **more: Any) -> dict[str, Any]:
    speed_up = None if seconds is None else 8.0 / seconds
    return {
        "workers": workers,
        "outcome": "finished" if seconds else "rank 1 was lost at 3 s",
        "oversubscribed": workers == 16,
        "seconds_per_epoch": seconds,
        "speed_up": speed_up,
        "efficiency": None if speed_up is None else speed_up / workers,
        "bytes_per_worker": 1e6 * workers,
        "computing": 0.7,
        "waiting": 0.2,
        "communicating": 0.1,
    } | more


def write_sweep(folder: Path, *, runs: bool = True) -> Path:
    """A simulation on 1, 4 and 16 workers, of which the last was broken off."""
    folder.mkdir(parents=True, exist_ok=True)
    rows = [row(1, 8.0, test_error=0.2), row(4, 2.5, test_error=0.1, staleness={"0": 1, "2": 3}), row(16, None)]
    (folder / "sweep.json").write_text(json.dumps(rows))
    (folder / "simulation.json").write_text(json.dumps({"tasks_per_node": None, "target_error": None}))
    cluster = {"name": "ours", "about": "Two nodes.", "nodes": {"count": 2}, "compute": [{"flop_per_second": 1e9}]}
    (folder / "cluster.toml").write_text(tomli_w.dumps(cluster))
    (folder / "options.toml").write_text(tomli_w.dumps(config()))
    for workers in (1, 4) if runs else ():
        write_run(folder / f"workers-{workers}")
    return folder


def write_reproduction(folder: Path) -> Path:
    """A reproduction of a paper with a table and a figure."""
    folder.mkdir(parents=True, exist_ok=True)
    both = {"label": "2 workers", "series": "error", "paper": 5.0, "ours": 4.5, "deviation": None, "runs": [4.5]}
    ours = {"label": "4 workers", "series": "error", "paper": None, "ours": 4.0, "deviation": 0.1, "runs": [3.9, 4.1]}
    curve = {"name": "ours", "x": [1, 2, 4], "y": [9.0, 5.0, 4.0], "spread": [0.1, 0.0, 0.2], "paper": False}
    theirs = {"name": "paper", "x": [1, 4], "y": [8.0, 4.5], "spread": [], "paper": True}
    panel = {"x": "workers", "y": "error, %", "log_x": True, "log_y": False, "from_zero": True}
    entries = [both | {"difference": -0.5, "note": "measured"}, ours | {"difference": None, "note": "simulated"}]
    content = {
        "paper": "Nobody 1999, A paper",
        "quick": True,
        "left_out": ["most of it"],
        "environment": {"anabranch": "0.1.0", "cores": 2},
        "notes": ["A note & more."],
        "tables": [{"name": "Table 1", "title": "Errors", "unit": "%", "entries": entries}],
        "pictures": [{"name": "figure-1", "title": "Errors", "panels": [panel | {"lines": [curve, theirs]}]}],
        "cells": [{"name": "one", "command": "anabranch train", "seconds": 12.0}],
    }
    (folder / "results.json").write_text(json.dumps(content))
    return folder
