"""The recorder's own ledger: what is missing, and where time or a connection broke."""

from __future__ import annotations

from typing import Final, Literal

from pydantic import Field

from polyrecord.events.fields import Count, Integer, Milliseconds, Name, Ordinal, Stamp, Text
from polyrecord.events.names import EventType
from polyrecord.events.spec import EventData, EventSpec


class StreamLoss(EventData):
    """What one stream lost."""

    count: Ordinal = Field(description="events lost in this stream")
    first_ordinal: Ordinal = Field(description="number, within writer and stream, of the first one lost")
    last_ordinal: Ordinal = Field(description="number of the last one lost")


class Loss(EventData):
    """The recorder dropped events: how many, of which types, and which numbers are missing because of it."""

    reason: Name = Field(description="why: overload, disk_full, write_error, ...")
    count: Ordinal = Field(description="events lost")
    first_seq: Ordinal = Field(description="seq of the first one lost")
    last_seq: Ordinal = Field(description="seq of the last one lost")
    event_types: dict[str, Ordinal] = Field(description="events lost by event type")
    streams: dict[str, StreamLoss] = Field(description="events lost by stream")
    since_ts: Stamp = Field(description="time of the earliest one lost")
    until_ts: Stamp = Field(description="time of the latest one lost")


class Gap(EventData):
    """A feed left something out, or was silent for too long; nothing was lost by the recorder."""

    source: Name = Field(description="feed or connection with the gap")
    reason: Name = Field(
        description="how it was noticed: sequence, silence, reconnect, no_snapshot, checksum, ..."
    )
    token_id: Name | None = Field(None, description="asset id or symbol concerned; null for the whole feed")
    expected: Integer | None = Field(None, description="the venue's number that should have come")
    received: Integer | None = Field(None, description="the venue's number that came")
    missing: Count | None = Field(None, description="messages left out; null when that is not known")
    silent_ms: Milliseconds | None = Field(None, description="time without a message, ms")
    since_ts: Stamp | None = Field(None, description="time of the last message before the gap")
    until_ts: Stamp | None = Field(None, description="time of the first message after it")


class ClockStep(EventData):
    """The wall clock jumped against the monotonic clock.

    After a step back the `ts` of events go on from where they were; after a step forward they follow.
    """

    step_ns: Integer | None = Field(None, description="how far the wall clock jumped, ns; negative: back")
    offset_ns: Integer = Field(
        description="wall clock minus the time events had until then, ns; negative: back"
    )
    direction: Literal["back", "forward"] = Field(description="which way the wall clock jumped")
    wall_ts: Stamp = Field(description="what the wall clock said after it")


class Reconnect(EventData):
    """A connection to a venue was lost and is back: books before and after it do not join."""

    source: Name = Field(description="feed or connection")
    reason: Text | None = Field(None, description="why it was lost")
    attempt: Ordinal | None = Field(None, description="tries until it was back, from 1")
    down_ms: Milliseconds | None = Field(None, description="time without a connection, ms")
    since_ts: Stamp | None = Field(None, description="time of the last message before it")
    until_ts: Stamp | None = Field(None, description="time from which on the feed is whole again")


class Stale(EventData):
    """A feed has been silent for too long, or a book did not come; a `gap` follows when it is over."""

    source: Name = Field(description="feed or connection that is silent")
    reason: Name = Field(description="what is amiss: silence, no_snapshot, ...")
    token_id: Name | None = Field(None, description="asset id or symbol concerned; null for the whole feed")
    silent_ms: Milliseconds | None = Field(None, description="time without a message until now, ms")
    since_ts: Stamp | None = Field(None, description="time of the last message")


class Unsealed(EventData):
    """A shard that recovery left as it was."""

    file: Name = Field(description="name of the shard's file")
    reason: Text = Field(description="why it could not be sealed")


class Recovered(EventData):
    """Shards that another writer left open were made whole and sealed."""

    writer: Name = Field(description="writer that left them")
    reason: Name | None = Field(
        None, description="why it was taken for dead: dead, other_boot, other_host, no_manifest"
    )
    shards: Count = Field(description="shards sealed")
    events: Count = Field(description="events in them")
    torn_bytes: Count = Field(description="bytes behind the last whole blocks, cut off")
    damaged_bytes: Count = Field(0, description="bytes of damage among whole blocks, left where they are")
    removed: Count = Field(0, description="shards without a whole block, removed")
    last_seq: Ordinal | None = Field(None, description="last seq found; what came after it is lost")
    quarantine: list[Name] = Field(
        default_factory=list, description="reports of what was cut off, in logs/_quarantine of the archive"
    )
    failed: list[Unsealed] = Field(default_factory=list, description="shards that could not be sealed")


SPECS: Final = (
    EventSpec(
        EventType.LOSS,
        Loss,
        {
            "reason": "overload",
            "count": 3,
            "first_seq": 1040,
            "last_seq": 1042,
            "event_types": {"orderbook_delta": 2, "signal": 1},
            "streams": {
                "data/books": {"count": 2, "first_ordinal": 811, "last_ordinal": 812},
                "data/events": {"count": 1, "first_ordinal": 97, "last_ordinal": 97},
            },
            "since_ts": "2026-11-20T12:34:55.100000000Z",
            "until_ts": "2026-11-20T12:34:55.103500000Z",
        },
    ),
    EventSpec(
        EventType.GAP,
        Gap,
        {
            "source": "binance.depth",
            "reason": "sequence",
            "token_id": "ETHUSDT",
            "expected": 5041,
            "received": 5044,
            "missing": 3,
        },
    ),
    EventSpec(
        EventType.CLOCK_STEP,
        ClockStep,
        {"offset_ns": -1_270_000_000, "direction": "back", "wall_ts": "2026-11-20T12:34:55.519000000Z"},
    ),
    EventSpec(
        EventType.RECONNECT,
        Reconnect,
        {"source": "polymarket.market", "reason": "no data for 30 s", "attempt": 2, "down_ms": 1480.25},
    ),
    EventSpec(
        EventType.STALE,
        Stale,
        {
            "source": "polymarket.market",
            "reason": "silence",
            "silent_ms": 5003.5,
            "since_ts": "2026-11-20T12:34:51.785600000Z",
        },
    ),
    EventSpec(
        EventType.RECOVERED,
        Recovered,
        {
            "writer": "20261120t080000.bot1.4711.9f3c",
            "shards": 3,
            "events": 20511,
            "reason": "dead",
            "torn_bytes": 1024,
            "last_seq": 20511,
            "quarantine": ["data-events-0003-81920.json"],
        },
    ),
)
