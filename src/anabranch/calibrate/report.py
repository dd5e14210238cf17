"""What was measured, in sentences: for the file, and for the terminal."""

import platform
from collections.abc import Sequence
from datetime import date
from pathlib import Path

from anabranch import __version__
from anabranch.calibrate.assemble import Computing
from anabranch.calibrate.findings import Findings
from anabranch.calibrate.fit import Fit
from anabranch.cluster import Cluster
from anabranch.cluster.collective_measured import interpolate

TYPICAL = 1_600_000  # bytes: the gradient of a layer of 784 by 500 units


def about(fit: Fit, found: Sequence[Findings], like: Cluster, day: date) -> str:
    """Where the figures of a cluster file come from."""
    linked = any(each.inside or each.between for each in found)
    links = "" if linked else f" The links were not measured: they are those of the shipped cluster {like.name}."
    return (
        f"Measured by anabranch calibrate {__version__} on {platform.node()}, {day.isoformat()}. {errors(fit)}{links}\n"
    )


def errors(fit: Fit) -> str:
    """How well the speeds explain the steps that were measured."""
    return (
        f"Its speeds meet the training steps that were measured with a median error of {_percent(fit.median_error)}, "
        f"at worst {_percent(fit.worst_error)}."
    )


def sentences(computing: Computing, found: Sequence[Findings], like: Cluster, path: Path) -> list[str]:
    """What a person wants to know at the end, in lines for 80 columns."""
    fit = computing.fit
    rates = [
        f"{speed.flop_per_second / 1e9:.0f} GFLOP/s in {speed.precision}"
        for speed in fit.speeds
        if speed.kind == "contrastive"
    ]
    lines = [
        f"computing: {', '.join(rates)}",
        f"  error of the fit {_percent(fit.median_error)} (median; worst {_percent(fit.worst_error)})",
    ]
    for each in sorted(found, key=lambda each: each.ranks):
        lines += _of_ranks(each)
    if not found:
        lines.append(f"no MPI found: the links are guesses, those of the shipped cluster {like.name}")
    return [*lines, f"written to {path}; now:", f"  anabranch simulate --cluster {path}"]


def _of_ranks(found: Findings) -> list[str]:
    parts = [
        f"{place} nodes: latency {link.latency * 1e6:.1f} µs, {link.bandwidth / 1e9:.1f} GB/s"
        for place, link in (("inside", found.inside), ("between", found.between))
        if link
    ]
    parts += [
        f"allreduce of {TYPICAL / 1e6:g} MB {interpolate(table, TYPICAL) * 1e3:.2f} ms"
        for table in found.measured
        if table.operation == "allreduce"
    ]
    if found.most > 1:
        parts.append(f"computing together {found.slowdown:.2f} times slower")
    first, *others = parts or ["nothing to measure"]
    return [f"{found.ranks} ranks: {first}", *(f"  {part}" for part in others)]


def _percent(fraction: float) -> str:
    return f"{100 * fraction:.1f} %"
