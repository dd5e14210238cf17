"""The JSON bytes in which `gather` carries records: readable, and never code, as pickles are."""

import json

from anabranch.comm.base import Json
from anabranch.errors import UsageError


def encode(record: Json) -> bytes:
    """`record` as UTF-8 JSON.

    Raises:
        UsageError: `record` holds something that JSON cannot.
    """
    try:
        return json.dumps(record).encode()
    except (TypeError, ValueError) as error:
        raise UsageError(
            f"gather cannot send this record ({error}): use dicts, lists, strings, numbers and None."
        ) from None


def decode(data: bytes | bytearray | memoryview) -> Json:
    """The record that `encode` was given; tuples have become lists."""
    record: Json = json.loads(bytes(data))
    return record
