"""Holds an archive against what its victims were promised: nothing acknowledged is lost in silence.

Three look: zlib and json by hand (by_hand.py), our readers, and `polyrecord verify`; they must agree.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, fields
from itertools import pairwise
from pathlib import Path
from typing import Any

from polyrecord import replay
from polyrecord.read.archive import Archive
from polyrecord.read.coverage import coverage
from polyrecord.read.explain import Explain
from polyrecord.upkeep.verify import verify
from tests.torture import by_hand
from tests.torture.events import TYPES, is_right
from tests.torture.journal import Journal, Told

_MOST_TOLD = 20


@dataclass(frozen=True, slots=True)
class Promise:
    """What a victim may rely on, by how it ended.

    `ended`: in order, so all that was recorded is there or declared lost. Else it died at `died_ns`
    (monotonic), and events older than `tail_seconds` then are there; None where nobody knows when. `durable`:
    the machine died with it, and only durable flushes count. `limits` says that the disk failed meanwhile,
    so what was not acknowledged may be of any age.
    """

    ended: bool = False
    died_ns: int | None = None
    tail_seconds: float = 1.0
    durable: bool = False
    failing: bool = False


@dataclass(slots=True)
class Tally:
    """What became of the events of a scenario. `lost`: acknowledged, missing, and nothing says so."""

    runs: int = 0
    recorded: int = 0
    acknowledged: int = 0
    read_back: int = 0
    lost: int = 0
    accounted: int = 0
    duplicates: int = 0
    out_of_order: int = 0
    wrong: int = 0
    torn_tails: int = 0
    longest_tail_ms: int = 0
    breaches: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def add(self, other: Tally) -> None:
        """Add another run."""
        for each in fields(self):
            mine, theirs = getattr(self, each.name), getattr(other, each.name)
            joined = max(mine, theirs) if each.name == "longest_tail_ms" else mine + theirs
            setattr(self, each.name, joined)

    def breach(self, what: str) -> None:
        """Note that a promise was broken."""
        self.breaches.append(what)

    @property
    def ok(self) -> bool:
        """Whether every promise was kept."""
        return not self.breaches


@dataclass(slots=True)
class _Found:
    """What the archive holds of one (victim, thread), and of its writer's losses."""

    numbers: list[int] = field(default_factory=list)
    writers: set[str] = field(default_factory=set)


def check(root: Path, victims: Sequence[tuple[Journal, Promise]]) -> Tally:
    """Look at an archive whose victims are all gone."""
    tally = Tally(runs=len(victims))
    shards = by_hand.read(root)
    found = _by_thread(shards, tally)
    declared = _declared(shards)
    _check_shards(shards, tally)
    for journal, promise in victims:
        _check_victim(journal, promise, found, declared, tally)
    _check_strangers({journal.who for journal, _ in victims}, found, tally)
    ended = {journal.writer for journal, promise in victims if promise.ended}
    _check_seqs(shards, ended, tally)
    _check_our_reader(root, shards, ended, tally)
    return tally


def _by_thread(shards: Iterable[by_hand.Shard], tally: Tally) -> dict[tuple[str, int], _Found]:
    found: dict[tuple[str, int], _Found] = defaultdict(_Found)
    for shard in shards:
        for event in shard.events:
            if event["event_type"] not in TYPES:
                continue
            if not is_right(event):
                tally.wrong += 1
                tally.breach(f"an event that was never recorded in {shard.path}: {event}")
                continue
            data = event["data"]
            entry = found[data["who"], data["t"]]
            entry.numbers.append(data["n"])
            entry.writers.add(shard.writer)
    return found


def _declared(shards: Iterable[by_hand.Shard]) -> Counter[tuple[str, str]]:
    """Events declared lost, by writer and event type."""
    declared: Counter[tuple[str, str]] = Counter()
    for shard in shards:
        for event in shard.events:
            if event["event_type"] == "loss":
                for kind, count in event["data"]["event_types"].items():
                    declared[shard.writer, kind] += count
    return declared


def _check_shards(shards: Iterable[by_hand.Shard], tally: Tally) -> None:
    for shard in shards:
        if shard.tail:
            tally.torn_tails += 1
        if shard.tail and shard.sealed:
            tally.breach(f"{shard.path} is sealed and {shard.tail} bytes of it are no whole member")
        if shard.buried:
            tally.breach(f"{shard.path} has whole members behind {shard.tail} bytes that are none")
        dates = {event["ts"][:10] for event in shard.events}
        if dates - {shard.date}:
            tally.breach(f"{shard.path} holds events of {sorted(dates)}")


def _check_victim(
    journal: Journal,
    promise: Promise,
    found: dict[tuple[str, int], _Found],
    declared: Counter[tuple[str, str]],
    tally: Tally,
) -> None:
    for number, told in enumerate(journal.threads):
        mine = found.get((journal.who, number), _Found())
        _check_order(f"{journal.who}, thread {number}", mine.numbers, tally)
        if mine.writers - {journal.writer}:
            tally.breach(f"events of {journal.who} are with writers {sorted(mine.writers)}")
        kind = TYPES[number % len(TYPES)]
        known = declared[journal.writer, kind]
        _check_thread(f"{journal.who}, thread {number}", told, promise, set(mine.numbers), known, tally)


def _check_order(name: str, numbers: list[int], tally: Tally) -> None:
    twice = [number for number, times in Counter(numbers).items() if times > 1]
    back = [pair for pair in pairwise(numbers) if pair[1] < pair[0]]
    tally.duplicates += len(twice)
    tally.out_of_order += len(back)
    if twice:
        tally.breach(f"{name}: events {twice[:5]} are there more than once")
    if back:
        tally.breach(f"{name}: out of order at {back[:5]}")


def _check_thread(
    name: str, told: Told, promise: Promise, there: set[int], declared: int, tally: Tally
) -> None:
    """`declared` events of this thread's kind were declared lost, by count; which, nobody knows."""
    last = max(told.calls, max(there, default=0))  # one may be there whose call had not returned
    promised = _promised(told, promise)
    missing = sum(1 for number in range(1, last + 1) if number not in there)
    broken = sum(1 for number in range(1, promised + 1) if number not in there)
    inside = sum(1 for number in range(1, max(there, default=0) + 1) if number not in there)
    lost = max(0, broken - declared)
    tally.recorded += last
    tally.acknowledged += promised
    tally.read_back += len(there)
    tally.lost += lost
    tally.accounted += missing - lost
    if lost:
        tally.breach(f"{name}: {lost} events of {promised} acknowledged are lost, {declared} were declared")
    if inside > declared and not lost:
        tally.breach(f"{name}: {inside} events are missing between others, {declared} were declared")
    if promise.ended and missing != declared:
        tally.breach(f"{name}: {missing} events are missing after an orderly end, {declared} were declared")
    _check_tail(name, told, promise, there, tally)


def _promised(told: Told, promise: Promise) -> int:
    if promise.ended:
        return told.calls
    return told.durable if promise.durable else told.acknowledged


def _check_tail(name: str, told: Told, promise: Promise, there: set[int], tally: Tally) -> None:
    """Whether what a crash took was recorded just before."""
    if promise.ended or promise.failing or promise.died_ns is None:
        return
    last = max(there, default=0)
    first_missing = next((at for at, number in told.marks if number > last), None)
    if first_missing is None:
        return
    age_ns = max(0, promise.died_ns - first_missing)
    tally.longest_tail_ms = max(tally.longest_tail_ms, age_ns // 1_000_000)
    if age_ns > promise.tail_seconds * 1e9:
        tally.breach(f"{name}: events recorded {age_ns / 1e9:.2f} s before the end are missing")


def _check_strangers(known: set[str], found: dict[tuple[str, int], _Found], tally: Tally) -> None:
    for who in {who for who, _ in found} - known:
        tally.breach(f"events of {who}, whom nobody knows")


def _check_seqs(shards: Iterable[by_hand.Shard], ended: set[str], tally: Tally) -> None:
    """Within a writer each seq is there once, in order, with times that do not go back."""
    streams: dict[tuple[str, str], list[dict[str, Any]]] = defaultdict(list)
    for shard in shards:
        streams[shard.writer, shard.stream] += shard.events
    writers: dict[str, list[int]] = defaultdict(list)
    for (writer, stream), events in streams.items():
        writers[writer] += [event["seq"] for event in events]
        for before, after in pairwise(events):
            if after["seq"] <= before["seq"]:
                tally.out_of_order += 1
                tally.breach(f"{writer}, {stream}: seq {after['seq']} after {before['seq']}")
    _check_times(shards, tally)
    lost = _lost_seqs(shards)
    for writer, seqs in writers.items():
        both = Counter(seqs)
        both.update(seq for first, last in lost[writer] for seq in range(first, last + 1))
        if any(times > 1 for times in both.values()):
            tally.breach(f"{writer}: a seq is there more than once, or both there and declared lost")
        if writer in ended and set(both) != set(range(1, max(both) + 1)):
            tally.breach(f"{writer}: {max(both) - len(both)} seqs are neither there nor declared lost")


def _check_times(shards: Iterable[by_hand.Shard], tally: Tally) -> None:
    """By seq, times do not go back, over all streams of a writer."""
    events: dict[str, list[tuple[int, str]]] = defaultdict(list)
    for shard in shards:
        events[shard.writer] += [(event["seq"], event["ts"]) for event in shard.events]
    for writer, found in events.items():
        for before, after in pairwise(sorted(found)):
            if after[1] < before[1]:
                tally.breach(f"{writer}: time goes back from {before} to {after}")


def _lost_seqs(shards: Iterable[by_hand.Shard]) -> dict[str, list[tuple[int, int]]]:
    lost: dict[str, list[tuple[int, int]]] = defaultdict(list)
    for shard in shards:
        for event in shard.events:
            if event["event_type"] == "loss":
                lost[shard.writer].append((event["data"]["first_seq"], event["data"]["last_seq"]))
    return lost


def _check_our_reader(root: Path, shards: Sequence[by_hand.Shard], ended: set[str], tally: Tally) -> None:
    """It gives the same lines, counts the same losses, and calls unclean who did not end in order."""
    mine = Counter(line for shard in shards for line in shard.lines)
    if not shards:  # an archive without events is none, to our reader
        return
    theirs = Counter(event.line for event in replay(root))
    if mine != theirs:
        only = list((mine - theirs).elements())[:2], list((theirs - mine).elements())[:2]
        tally.breach(f"replay and gunzip disagree: only in files {only[0]}, only replayed {only[1]}")
    declared = sum(_counts(shards))
    _check_verify(root, mine.total(), declared, tally)
    told = coverage(Archive(root), None, Explain())
    if (told.events, told.lost) != (mine.total(), declared):
        tally.breach(f"coverage says {told.events} + {told.lost} lost, files {mine.total()} + {declared}")
    if ended & set(told.unclean):
        tally.breach(f"{sorted(ended & set(told.unclean))} ended in order, and coverage denies it")


def _check_verify(root: Path, events: int, declared: int, tally: Tally) -> None:
    """It counts the same, and finds no loss where none was met; a torn end is one."""
    found = verify(root)
    told = found.coverage
    if (told.events, told.lost) != (events, declared):
        tally.breach(f"verify says {told.events} + {told.lost} lost, files {events} + {declared}")
    if (found.loses or told.unknown) and tally.ok and not tally.torn_tails:
        tally.breach(f"verify misses {told.unknown} events and finds {found.problems[:3]}")


def _counts(shards: Iterable[by_hand.Shard]) -> Iterator[int]:
    for shard in shards:
        yield from (event["data"]["count"] for event in shard.events if event["event_type"] == "loss")


def brief(tally: Tally) -> list[str]:
    """The first breaches, for people."""
    return tally.breaches[:_MOST_TOLD]
