"""What the operating system refuses wherever it is asked, as a sentence."""

import errno

from anabranch.errors import AnabranchError, UsageError

_OF_A_PLACE = frozenset({errno.EACCES, errno.EPERM, errno.EROFS, errno.ENAMETOOLONG, errno.ENOTDIR, errno.ELOOP})
_OF_MEMORY = ("alloc_cpu", "not enough memory", "Storage size calculation overflowed")  # in torch's words


def refusal(error: Exception) -> AnabranchError | None:
    """The sentence for `error`, if it is such a refusal.

    A path is looked at in many places, any of which may meet a folder that this user must not enter.
    """
    if isinstance(error, OSError) and error.filename is not None and error.errno in _OF_A_PLACE:
        return UsageError(f"{error.filename}: {error.strerror}; name another place, or change its permissions.")
    if isinstance(error, OSError) and error.errno == errno.ENOSPC:
        return AnabranchError("no space left for what is to be written: free some, then start again.")
    if isinstance(error, MemoryError) or any(words in str(error) for words in _OF_MEMORY):
        return AnabranchError("there is not enough memory: use a smaller model, smaller batches or fewer workers.")
    return None
