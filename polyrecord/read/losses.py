"""What is missing of one writer: declared by its `loss` events, or gone without a word."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from polyrecord.read.archive import ShardInfo
from polyrecord.read.explain import Explain
from polyrecord.read.notices import Declared, declared
from polyrecord.read.ordinals import Account
from polyrecord.read.pieces import is_unbounded
from polyrecord.read.pruned import PrunedShard
from polyrecord.read.selection import Selection
from polyrecord.times import format_ts

_EVERY = 1 << 64


@dataclass(frozen=True, slots=True)
class Lost:
    """Events of one writer declared lost: in all, by stream, and how many of the missing that explains."""

    total: int
    explained: int
    streams: dict[str, int]


def split_missing(
    accounts: Mapping[str, Account],
    window: Selection,
    ledger: Sequence[ShardInfo],
    gone: Sequence[PrunedShard],
    explain: Explain,
    *,
    renumbered: bool,
) -> Lost:
    """What was declared lost of a writer's streams, by its accounts, its shards of `loss` events, and those
    of its shards that are gone.

    Headers say how many were declared, of all streams together. Where that is not what is missing, the events
    themselves say of which stream and ordinals; what only headers say still, as those of deleted shards do,
    is given to what is missing otherwise. A stream that is not asked about explains nothing. In a cut the
    ordinals are `renumbered`, but not in the events: then their counts are all there is.
    """
    asked = {stream: account for stream, account in accounts.items() if window.takes_stream(stream)}
    missing = sum(account.missing for account in asked.values())
    told = sum(account.declared for account in accounts.values())
    since = min((account.since for account in asked.values() if account.missing), default=window.lowest_ns)
    told_pruned = sum(shard.lost for shard in gone if shard.max_ts >= since)
    if not missing and not told + told_pruned:
        return Lost(0, 0, {})
    if not window.streams and missing == told + told_pruned:
        return Lost(missing, missing, {stream: account.missing for stream, account in asked.items()})
    later = Selection(None if is_unbounded(window) else _on_calendar(since))
    shards = [info for info in ledger if info.may_hold(later)]
    events = list(declared(shards, later, explain))
    if renumbered:
        events = [replace(event, first=1, last=_EVERY) for event in events]
    return _by_ordinals(asked, window, events, told, told_pruned)


def _on_calendar(ns: int) -> int | None:
    """A time that has a date, None for one before all dates."""
    try:
        format_ts(ns)
    except (OverflowError, ValueError):
        return None
    return ns


def _by_ordinals(
    asked: Mapping[str, Account], window: Selection, events: list[Declared], told: int, told_pruned: int
) -> Lost:
    lost: Counter[str] = Counter()
    beyond: Counter[str] = Counter()
    for event in events:
        account = asked.get(event.stream)
        if account is None:
            continue
        within = event.within(account.low, account.high)
        lost[event.stream] += within
        beyond[event.stream] += event.count - within
    for stream, account in asked.items():
        beyond[stream] += max(lost[stream] - account.missing, 0)
        lost[stream] = min(lost[stream], account.missing)
    _share(max(told - sum(event.count for event in events), 0) + told_pruned, asked, lost)
    explained = lost.total()
    streams = dict(lost + beyond if is_unbounded(window) else lost)
    total = sum(streams.values())
    least = 0 if window.streams else told + (told_pruned if is_unbounded(window) else 0)
    return Lost(max(total, least), explained, streams)


def _share(count: int, asked: Mapping[str, Account], lost: Counter[str]) -> None:
    """Let so many more declared losses explain what is missing still."""
    for stream, account in asked.items():
        more = min(account.missing - lost[stream], count)
        lost[stream] += more
        count -= more
