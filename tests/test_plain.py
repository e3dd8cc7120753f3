"""Texts that need not be searched for control characters are found good or not as if they were."""

from __future__ import annotations

import json

import msgspec
import pytest
from hypothesis import example, given, strategies as st

from caucus.model import drafts, wanted
from caucus.model.plain import is_plain, unsearched
from caucus.model.targets import readable_targets

ULID = "01JD0000000000000000000000"
TEXTS = st.text(st.characters(codec="utf-8"), max_size=40) | st.text("ab\\\t\n\x7f\x80", max_size=8)


@given(TEXTS, st.booleans())
@example("a\x7fb", True)
@example("a\x85b", True)
@example("", False)
@example("x" * 16_001, False)
def test_a_message_is_read_as_if_it_were_searched(text: str, escapes: bool) -> None:
    said = {"type": "claim", "msg_id": ULID, "body": text, "target": "t" + text[:9], "to": [text[:3] or "a"]}
    body = json.dumps(said, ensure_ascii=escapes).encode()
    found = drafts.read_draft(body)
    try:
        searched = drafts._decode(body)
    except msgspec.DecodeError:
        assert found is None
    else:
        assert found is not None
        assert msgspec.json.encode(found) == msgspec.json.encode(searched)


@given(TEXTS, st.booleans())
@example("a\x7fb", True)
def test_a_claim_that_is_asked_for_is_read_as_if_it_were_searched(text: str, escapes: bool) -> None:
    asked = {"targets": ["t" + text], "note": text, "artifact": text, "msg_id": ULID}
    body = json.dumps(asked, ensure_ascii=escapes).encode()
    found = wanted.read_asked(body)
    try:
        searched = wanted._decode(body)
    except msgspec.DecodeError:
        assert found is None
    else:
        good = readable_targets(searched.targets) is not None
        assert (None if found is None else msgspec.json.encode(found)) == (
            msgspec.json.encode(searched) if good else None
        )


@pytest.mark.parametrize("number", [*range(0x20), 0x7F])
def test_no_control_character_is_in_a_plain_text(number: int) -> None:
    """Neither as it is, nor escaped."""
    raw = b'"a%cb"' % number
    if is_plain(raw):
        with pytest.raises(msgspec.DecodeError):
            msgspec.json.decode(raw)
    assert not is_plain(b'"a\\u%04xb"' % number)


def test_what_is_not_searched_has_the_same_fields_in_the_same_order() -> None:
    for kind in (drafts.Draft, wanted.Asked):
        same = unsearched(kind)
        assert same.__struct_fields__ == kind.__struct_fields__
        assert same.__struct_config__.forbid_unknown_fields
        assert msgspec.structs.fields(same)[0].required == msgspec.structs.fields(kind)[0].required
