"""How a tensor is cut in chunks, one a rank; pure, so that it is tested without MPI."""


def chunks(length: int, size: int) -> tuple[list[int], list[int]]:
    """Lengths and starts of `size` chunks of `length` elements; the lengths differ by at most one."""
    base, extra = divmod(length, size)
    counts = [base + (rank < extra) for rank in range(size)]
    starts = [rank * base + min(rank, extra) for rank in range(size)]
    return counts, starts
