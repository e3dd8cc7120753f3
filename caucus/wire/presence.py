"""Who is there, and what is addressed to whom, on the wire: bodies of answers, and back."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import msgspec

from caucus.model.messages import Message
from caucus.model.presence import (
    Acknowledged,
    InboxItem,
    InboxPage,
    Presence,
    Receipt,
    State,
    ToldMessage,
    Whoami,
)
from caucus.wire.answers import Codec, listed, plain

_encode = msgspec.json.Encoder().encode


class Agents(msgspec.Struct, frozen=True):
    """Who is there, last seen first."""

    agents: list[Presence]


class _Item(msgspec.Struct):
    channel: str
    cursor: int
    message: msgspec.Raw
    state: State


class _Page(msgspec.Struct):
    items: list[_Item]
    since: str


class _Told(msgspec.Struct):
    channel: str
    cursor: int
    message: msgspec.Raw
    receipts: tuple[Receipt, ...]
    unreachable: tuple[str, ...]


_decode_agents = msgspec.json.Decoder(Agents).decode
_decode_page = msgspec.json.Decoder(_Page).decode
_decode_told = msgspec.json.Decoder(_Told).decode


def _item_json(item: InboxItem) -> bytes:
    given = (item.channel.encode(), item.cursor, item.message_json, item.state.encode())
    return b'{"channel":"%b","cursor":%d,"message":%b,"state":"%b"}' % given


def _parts(page: InboxPage) -> Iterator[bytes]:
    yield b'{"items":['
    for number, item in enumerate(page.items):
        yield (b"," if number else b"") + _item_json(item)
    yield b'],"since":%b}' % _encode(page.since)


def _read_page(body: bytes, _status: int) -> InboxPage:
    read = _decode_page(body)
    items = (InboxItem(one.channel, one.cursor, _message(one.message), one.state) for one in read.items)
    return InboxPage(tuple(items), read.since)


def _told(told: ToldMessage) -> bytes:
    receipts, unreachable = _encode(told.receipts), _encode(told.unreachable)
    given = (told.channel.encode(), told.cursor, told.message_json, receipts, unreachable)
    return b'{"channel":"%b","cursor":%d,"message":%b,"receipts":%b,"unreachable":%b}' % given


def _read_told(body: bytes, _status: int) -> ToldMessage:
    read = _decode_told(body)
    return ToldMessage(read.channel, read.cursor, _message(read.message), read.receipts, read.unreachable)


def _message(raw: msgspec.Raw) -> bytes:
    data = bytes(raw)
    Message.from_json(data)  # what is no message must not be found out only when it is read
    return data


AGENTS: Final[Codec[list[Presence]]] = listed(
    "agents", "Agents", '`{"agents": [...]}`, last seen first', lambda body: _decode_agents(body).agents
)
WHOAMI: Final[Codec[Whoami]] = plain(
    Whoami, "`{agent_id, owner, ends, holding, waiting, budgets, limits}`", "Whoami"
)
INBOX: Final[Codec[InboxPage]] = Codec(
    encode=lambda page: b"".join(_parts(page)),
    decode=_read_page,
    schema="Inbox",
    shown='`{"items": [{channel, cursor, message, state}, ...], "since"}`, oldest first',
)
ACKED: Final[Codec[Acknowledged]] = plain(Acknowledged, '`{"acked": true}`')
TOLD: Final[Codec[ToldMessage]] = Codec(
    encode=_told,
    decode=_read_told,
    schema="ToldMessage",
    shown='`{"channel", "cursor", "message", "receipts": [{name, state, seen_ago}, ...], "unreachable"}`',
)
