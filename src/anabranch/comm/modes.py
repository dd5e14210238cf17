"""torch's grad mode and inference mode, kept apart for greenlets, which share one thread and so its modes.

Not kept apart: autocast, the default random generator, the number of threads.
"""

import threading
from typing import NamedTuple

import torch


class Modes(NamedTuple):
    """What a `with torch.no_grad()` or `torch.inference_mode()` block changes in its thread."""

    grad: bool
    inference: bool


class _Guard(threading.local):
    """The inference guard in force. Its end would set the mode again, so it lives until the next one begins."""

    held: torch.inference_mode | None = None


_guard = _Guard()


def current() -> Modes:
    """The modes of this thread."""
    return Modes(torch.is_grad_enabled(), torch.is_inference_mode_enabled())


def restore(modes: Modes) -> None:
    """Put this thread into `modes`."""
    if torch.is_inference_mode_enabled() != modes.inference:
        _enter_inference(modes.inference)
    if torch.is_grad_enabled() != modes.grad:
        torch.set_grad_enabled(modes.grad)


def _enter_inference(on: bool) -> None:
    if _guard.held is not None:
        _guard.held.__exit__(None, None, None)
    _guard.held = torch.inference_mode(on)
    _guard.held.__enter__()
