"""What a journal refuses with."""

from __future__ import annotations

from typing import Literal

from attrs import frozen

from caucus.errors.root import CaucusError

__all__ = [
    "OutcomeUnknown",
    "StorageTrouble",
    "StorageUnavailable",
]

StorageTrouble = Literal["failed", "stalled", "closed"]
"""Why a journal takes nothing: its store failed, or it takes too long; or it is closed for good."""


@frozen
class StorageUnavailable(CaucusError):
    """The journal cannot record now and nothing was written. Retrying helps once storage is back.

    ``trouble`` says why: its store ``failed`` and is being opened anew, it has ``stalled``, or it is
    ``closed`` and stays so.
    ``retry_after`` is in whole seconds.
    """

    code = "storage_unavailable"
    trouble: StorageTrouble = "failed"
    retry_after: int = 1

    def __str__(self) -> str:
        return f"Storage has {self.trouble} and nothing was written. Wait ~{self.retry_after}s."


@frozen
class OutcomeUnknown(CaucusError):
    """The journal cannot tell whether the write was kept.

    Retrying is safe with the same idempotency key; without one, read the channel first.
    """

    code = "outcome_unknown"

    def __str__(self) -> str:
        return "It is not known whether this was written. Read the channel before you try again."
