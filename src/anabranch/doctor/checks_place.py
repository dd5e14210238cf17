"""Checks of where this process runs: the user, shared memory, Slurm, data, disk."""

from anabranch.doctor.findings import Finding, note, ok, problem
from anabranch.doctor.sights import Storage, Surroundings

MIB = 1 << 20
LITTLE_SHARED, TOO_LITTLE_SHARED = 256 * MIB, 32 * MIB
LITTLE_DISK, TOO_LITTLE_DISK = 2048 * MIB, 200 * MIB
NAMED = ("mnist", "coursera-digits")


def check_root(seen: Surroundings) -> Finding:
    """Open MPI does not like the superuser."""
    where = " in a container" if seen.container else ""
    if not seen.root:
        return ok("user", f"not root{where}")
    return note(
        "user",
        f"root{where}, as whom Open MPI does not start; Anabranch tells it to",
        "In your own commands, write  mpirun --allow-run-as-root.",
    )


def check_shared_memory(seen: Surroundings) -> Finding:
    """/dev/shm, through which the ranks of one machine talk."""
    name, memory = "/dev/shm", seen.shared_memory
    larger = (
        "Start the container with --shm-size=1g."
        if seen.container
        else "Have it mounted larger, or delete what fills it."
    )
    if memory is None:
        return note(name, "not there, or not writable: MPI uses the disk, and is slow", larger)
    text = f"{memory[1] / MIB:,.0f} MiB free of {memory[0] / MIB:,.0f}"
    if memory[1] < TOO_LITTLE_SHARED:
        return problem(name, f"{text}: ranks on one machine cannot talk", larger)
    if memory[1] < LITTLE_SHARED:
        return note(name, f"{text}: enough for small networks on a few ranks", larger)
    return ok(name, text)


def check_slurm(seen: Surroundings) -> Finding:
    """A job, and how srun starts MPI."""
    if not (seen.srun or seen.slurm_job):
        return ok("Slurm", "none")
    where = f"job {seen.slurm_job} of {seen.slurm_tasks or '1'} task(s)" if seen.slurm_job else "no job here"
    if seen.srun and not any("pmix" in plugin for plugin in seen.srun_plugins):
        kinds = ", ".join(seen.srun_plugins) or "none that could be listed"
        return note(
            "Slurm",
            f"{where}; srun's kinds of MPI: {kinds}",
            "Without pmix start Open MPI by its mpirun in the job's script.",
        )
    return ok("Slurm", f"{where}; start with srun --mpi=pmix anabranch train …")


def check_data(seen: Storage) -> Finding:
    """ANABRANCH_DATA, and what is there."""
    if seen.variable and not seen.is_folder:
        return problem(
            "data", f"ANABRANCH_DATA is {seen.variable}, which is no folder", "Create it, or unset the variable."
        )
    if seen.found is None:
        return note("data", "not looked for", "Mend torch first.")
    found = "; ".join(f"{name} in {path}" for name, path in seen.found.items())
    missing = [name for name in NAMED if name not in seen.found]
    if not missing:
        return ok("data", found)
    text = f"{found}; not here: {', '.join(missing)}" if found else f"not here: {', '.join(missing)}"
    if missing == ["coursera-digits"]:
        return ok("data", text)
    return note(
        "data",
        text,
        "--data mnist downloads it (12 MB); without a network set ANABRANCH_DATA to a folder with its four files.",
    )


def check_disk(seen: Storage) -> Finding:
    """Where runs go."""
    free = f"{seen.free / 1e9:,.1f} GB free in {seen.folder}"
    if not seen.writable:
        return note("disk", f"{seen.folder} is not writable", "Choose a folder with --out.")
    if seen.free < TOO_LITTLE_DISK:
        return problem("disk", free, "Free some, or choose a folder with --out: runs write checkpoints.")
    if seen.free < LITTLE_DISK:
        return note("disk", free, "That is little for checkpoints of large networks: choose a folder with --out.")
    return ok("disk", free)
