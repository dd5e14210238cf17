"""The arithmetic of one number in float32, float64 or bfloat16, for use inside kernels."""

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar, cast

import numba
import numpy as np
from numba import types
from numba.extending import overload, register_jitable

Kernel = TypeVar("Kernel", bound=Callable[..., Any])

# Sums may be taken in any order and products fused, as in any BLAS. NaN and infinity must survive: they are how a
# diverged run is noticed.
_FASTMATH = {"reassoc", "contract", "arcp", "nsz"}


def _forget_stale() -> None:
    """Delete compiled code older than any source here, for Numba notices only changes of a kernel's own file."""
    folder = Path(__file__).parent
    newest = max(source.stat().st_mtime for source in folder.glob("*.py"))
    for kept in (folder / "__pycache__").glob("*.nb[ic]"):
        with suppress(OSError):
            if kept.stat().st_mtime < newest:
                kept.unlink()


_forget_stale()


def compiled(function: Kernel) -> Kernel:
    """`function` as machine code, made at its first call for each combination of types and kept on the disk.

    It holds no lock while it runs. Division by zero gives infinity, as in NumPy, for a check would keep the compiler
    from vector instructions.
    """
    options: dict[str, Any] = {"nogil": True, "error_model": "numpy", "fastmath": _FASTMATH}
    try:
        kernel = numba.njit(cache=True, **options)(function)
    except RuntimeError:  # no folder that the compiled code could be kept in
        kernel = numba.njit(**options)(function)
    return cast(Kernel, kernel)


def load(x: Any) -> Any:
    """The value of `x`, an element of an array: float32 where that is bfloat16."""
    raise NotImplementedError("for use inside kernels only")


def store(x: Any, array: Any) -> Any:
    """`x` as an element of `array`: rounded to the nearest, ties to even, where that is of bfloat16."""
    raise NotImplementedError("for use inside kernels only")


def sigmoid(x: Any) -> Any:
    """1 / (1 + exp(-x)), within 2e-7 in float32, where it may leave [0, 1] by as much."""
    raise NotImplementedError("for use inside kernels only")


# Numba wants these with the bare signatures of the functions that they return.
@overload(load, inline="always")
def _load(x):
    if x == types.uint16:
        return lambda x: np.uint32(np.uint32(x) << np.uint32(16)).view(np.float32)
    return lambda x: x


@overload(store, inline="always")
def _store(x, array):  # noqa: ARG001
    if array.dtype == types.uint16:
        return lambda x, array: _to_bfloat16(np.float32(x))  # noqa: ARG005
    return lambda x, array: x  # noqa: ARG005


@overload(sigmoid, inline="always")
def _sigmoid(x):
    if x == types.float32:
        return lambda x: _sigmoid_float32(x)
    return lambda x: 1.0 / (1.0 + np.exp(-x))


@register_jitable(inline="always")  # type: ignore[untyped-decorator,unused-ignore]
def _to_bfloat16(x: np.float32) -> np.uint16:
    # The NaN that arithmetic makes (0x7FC00000) stays one.
    bits = np.float32(x).view(np.uint32)
    return np.uint16((bits + np.uint32(0x7FFF) + ((bits >> np.uint32(16)) & np.uint32(1))) >> np.uint32(16))


_LIMIT = np.float32(9.0)  # of x/2: tanh is 1 beyond it, to the last bit of a float32
# Rational approximation of tanh on [-9, 9], odd over even, as in Eigen and XLA: free of branches and of exp, so that
# the compiler makes vector instructions of it.
_A1, _A3, _A5, _A7, _A9, _A11, _A13 = (
    np.float32(a)
    for a in (
        4.89352455891786e-03,
        6.37261928875436e-04,
        1.48572235717979e-05,
        5.12229709037114e-08,
        -8.60467152213735e-11,
        2.00018790482477e-13,
        -2.76076847742355e-16,
    )
)
_B0, _B2, _B4, _B6 = (
    np.float32(b) for b in (4.89352518554385e-03, 2.26843463243900e-03, 1.18534705686654e-04, 1.19825839466702e-06)
)
_HALF = np.float32(0.5)


@register_jitable(inline="always")  # type: ignore[untyped-decorator,unused-ignore]
def _sigmoid_float32(x: np.float32) -> np.float32:
    y = _HALF * x  # σ(x) = ½ + ½ tanh(x/2)
    y = _LIMIT if y > _LIMIT else y
    y = -_LIMIT if y < -_LIMIT else y
    s = y * y
    odd = y * (_A1 + s * (_A3 + s * (_A5 + s * (_A7 + s * (_A9 + s * (_A11 + s * _A13))))))
    even = _B0 + s * (_B2 + s * (_B4 + s * _B6))
    return _HALF + _HALF * (odd / even)
