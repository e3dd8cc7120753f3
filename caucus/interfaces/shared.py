"""What more a journal says that several backbones extend, each on a machine of its own. No code."""

from __future__ import annotations

from twisted.internet.defer import Deferred
from zope.interface import Attribute

from caucus.errors import CaucusError
from caucus.interfaces.journal import IJournal


class ISharedJournal(IJournal):
    """A journal whose log others extend, too: its time is the log's, and not that of any machine.

    While its store is away, what is not decided yet waits for a few seconds, and a read is answered from what
    is known here: ``is_stale`` says so.
    """

    boot_id: bytes = Attribute("Names the log's clock in an `Instant`, whoever's event it is.")
    spread: float = Attribute(
        "What is due is carried out up to so many seconds late, at random: by one of them, and not by all."
    )
    is_alone: bool = Attribute(
        "Whether no other backbone ran when this one came; known within a decision, also the first."
    )
    is_stale: bool = Attribute("Whether a read that fires now may have been answered without the present.")
    broken: Deferred[str] = Attribute(
        "Fires with a line if what is applied is not what the store has, or cannot be read: nothing is "
        "answered any more, and only a new start helps."
    )

    def require_standby() -> None:
        """Refuse, from now on, to write where a commit does not wait until a standby has it, too."""

    def seconds() -> float:
        """Seconds since the epoch by the log's clock; within a decision it stands still."""

    def why_not_ready() -> CaucusError | None:
        """Why writes wait or are refused now; ``None`` while they are not."""
