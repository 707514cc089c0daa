"""One event on its way from the caller to the drain."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, TypeAlias, TypeGuard

CLOSE: Final = b"}"  # of the line, behind its data
OVERHEAD: Final = 200  # bytes of an item beside its payload: tuple, bytes header, slot in the deque
LIGHT: Final = ""  # as the stream of an item: light
LIGHT_BYTES: Final = 4000  # of a light payload at most: with its header it fits the encoder's first buffer
LIGHT_COST: Final = 4096 + OVERHEAD  # bytes of memory that a light item holds, however short its payload is

Payload: TypeAlias = bytes | tuple[bytes, str, int | None]
"""Encoded data and CLOSE; or a raw frame, its source and its receive time, which the drain encodes."""

Envelope: TypeAlias = Mapping[str, str] | None

Item: TypeAlias = tuple[int, str, str | None, Payload, Envelope, str | None]
"""One event on its way to the drain: monotonic ns, type, trace id, payload, envelope fields, stream.

A light one, with LIGHT for a stream, has the payload as the encoder left it: without CLOSE, in a buffer of
4 KiB whatever its length. Copying and counting it is the drain's work. So that the bound holds, room for the
few that may wait is set aside.
"""


def is_light(item: object) -> TypeGuard[Item]:
    """Whether this is an item, and light."""
    return isinstance(item, tuple) and item[5] == LIGHT


def made_whole(item: Item) -> Item:
    """A light item as all others are."""
    mono_ns, event_type, trace_id, payload, envelope, _ = item
    assert isinstance(payload, bytes)
    return mono_ns, event_type, trace_id, payload + CLOSE, envelope, None


def text_of(value: Any) -> str:
    """A type or an id as text; a bot may hand over an enum's member, or anything."""
    if isinstance(value, str):
        return str.__str__(value)  # of a member of `class E(str, Enum)` its value, not its name
    try:
        return str(value)
    except Exception:  # noqa: BLE001 - __str__ may raise anything
        return f"<{type(value).__name__}>"


def item_size(item: Item) -> int:
    """What an event counts for against the bound."""
    payload = item[3]
    return OVERHEAD + (len(payload) if isinstance(payload, bytes) else len(payload[0]))
