r"""What the fields of a message and of a channel may hold: types whose rules JSON Schema can say.

Their patterns are anchored by ``^`` and ``\Z``: here ``$`` would let a last newline through, which it
does not in ECMA-262, by which JSON Schema reads patterns.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated, Final, Literal, TypeAlias, TypeVar, get_args

from msgspec import Meta

from caucus.errors import CHANNEL_NAME
from caucus.model.text import CONTROL_CODES, CONTROL_CODES_EXCEPT_TAB_NEWLINE, SURROGATE_CODES

SHORT_TEXT: Final = 1024
"""The most code points of a name, a target, an artifact or a purpose."""
BODY_TEXT: Final = 16_000
"""The most code points of a body."""
RECIPIENTS: Final = 32
"""The most entries of ``to``."""
RENDER_BUDGET: Final = 8000
"""The most characters of a channel's ``render_budget_chars``."""

_END: Final = r"\Z"
LINE_PATTERN: Final = rf"^[^{CONTROL_CODES}{SURROGATE_CODES}]*{_END}"
TEXT_PATTERN: Final = rf"^[^{CONTROL_CODES_EXCEPT_TAB_NEWLINE}{SURROGATE_CODES}]*{_END}"
ULID_PATTERN: Final = rf"^[0-9A-HJKMNP-TV-Z]{{26}}{_END}"
CHANNEL_PATTERN: Final = CHANNEL_NAME.removesuffix("$") + _END
SHA256_PATTERN: Final = rf"^[0-9a-f]{{64}}{_END}"

Name = Annotated[str, Meta(min_length=1, max_length=SHORT_TEXT, pattern=LINE_PATTERN)]
Body = Annotated[str, Meta(min_length=1, max_length=BODY_TEXT, pattern=TEXT_PATTERN)]
Purpose = Annotated[str, Meta(max_length=SHORT_TEXT, pattern=TEXT_PATTERN)]
Ulid = Annotated[str, Meta(pattern=ULID_PATTERN)]
Recipients = Annotated[tuple[Name, ...], Meta(min_length=1, max_length=RECIPIENTS)]
Target = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=SHORT_TEXT,
        pattern=LINE_PATTERN,
        description="Not blank. Two are one if equal after trimming and Unicode NFC.",
    ),
]
Lease = Annotated[int, Meta(ge=1, description="Seconds; without it, for ever.")]
Heartbeat = Annotated[bool, Meta(description="Renews a claim that the caller's owner holds.")]
Stamp = Annotated[str, Meta(min_length=1, description="The server's.")]
ChannelName = Annotated[str, Meta(pattern=CHANNEL_PATTERN)]
RenderBudget = Annotated[int, Meta(ge=1, le=RENDER_BUDGET)]
Cursor = Annotated[int, Meta(ge=0)]

if TYPE_CHECKING:
    T = TypeVar("T")
    Maybe: TypeAlias = T | None
else:

    class Maybe:
        """What may be absent, and is ``None`` then. JSON's ``null`` is not nothing, but a wrong value."""

        def __class_getitem__(cls, kind):
            return kind


MessageType = Literal["finding", "claim", "status", "question", "answer", "note", "steer"]
Status = Literal["needs-response", "resolved", "fyi"]
Verbosity = Literal["quiet", "normal", "chatty"]
TYPES: Final[frozenset[MessageType]] = frozenset(get_args(MessageType))
STATUSES: Final[frozenset[Status]] = frozenset(get_args(Status))
VERBOSITIES: Final[frozenset[Verbosity]] = frozenset(get_args(Verbosity))


_LARGEST: Final = int(sys.float_info.max)


def as_integer(value: object) -> int | None:
    """The integer that a JSON number is, or ``None``: ``2.0`` is one, ``true`` and ``1e999`` are not."""
    if type(value) is int:
        return value if -_LARGEST <= value <= _LARGEST else None
    if not isinstance(value, int | float) or isinstance(value, bool):
        return None
    if not abs(value) <= _LARGEST or int(value) != value:  # not <=, for NaN
        return None
    return int(value)
