"""Imports run one way: a part may import only parts of lower levels, or itself."""

import ast
from pathlib import Path

import anabranch

ROOT = Path(anabranch.__file__).parent
LEVELS = [
    {"errors", "types", "seeding", "kernels", "wording"},
    {"data", "models", "comm", "optim", "files", "imports", "lasting", "signals", "tensorfile"},
    {"objectives", "server"},
    {"cluster", "strategies"},
    {"evaluate", "limit", "mosaic", "pretrain", "sampling", "testing"},
    {"config", "judgement", "launch", "rankview", "supervise"},
    {"autodtype", "environment", "plans", "build", "progress", "record", "runfolder", "checkpoint"},
    {"eventfiles", "gallery", "heeded", "journal", "samedata", "selection", "speed", "summary", "trained"},
    {"export"},
    {"trainer", "estimators"},
    {"serving", "session"},
    {"simulate"},
    {"calibrate", "fitting"},
    {"report"},
    {"doctor", "experiments"},
    {"compare"},
    {"cli"},
    {"__main__", "__init__"},
]
LEVEL = {part: number for number, parts in enumerate(LEVELS) for part in parts}


def part_of(path: Path) -> str:
    return path.relative_to(ROOT).parts[0].removesuffix(".py")


def imported_parts(path: Path) -> set[str]:
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute"
            modules = [
                f"{node.module}.{alias.name}" if node.module == "anabranch" else str(node.module)
                for alias in node.names
            ]
        elif isinstance(node, ast.Import):
            modules = [alias.name for alias in node.names]
        else:
            continue
        names |= {module.split(".")[1] for module in modules if module.startswith("anabranch.")}
    return {name for name in names if not name.startswith("__")}


def test_every_part_has_a_level() -> None:
    assert {part_of(path) for path in ROOT.rglob("*.py")} == set(LEVEL)


def test_imports_run_one_way() -> None:
    wrong = [
        f"{path.relative_to(ROOT)} imports {name}"
        for path in ROOT.rglob("*.py")
        if path != ROOT / "__init__.py"  # which names what a program may use, and imports it when it is looked up
        for name in imported_parts(path)
        if name != part_of(path) and LEVEL[name] >= LEVEL[part_of(path)]
    ]
    assert not wrong, wrong


def test_strategies_know_no_transport() -> None:
    for path in (ROOT / "strategies").glob("*.py"):
        text = path.read_text()
        assert not any(word in text for word in ("mpi4py", "torch.distributed", "comm.mpi", "comm.simulated")), path
