"""Which shards have to go, and why: decided from footers and the time it is. Nothing is touched here."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from polyrecord.errors import ConfigError
from polyrecord.format.layout import CURSORS, ERRORS, QUARANTINE, REJECTS, ShardName, is_stream
from polyrecord.times import SECOND

ALL: Final = "*"
FOLDERS: Final = (REJECTS, QUARANTINE, ERRORS, CURSORS)
"""What is no stream and has an age all the same; files there are judged by when they were last written."""


@dataclass(frozen=True, slots=True)
class Policy:
    """The limits of one stream; what is None does not limit. `told_age` is `max_age_ns` as it was given.

    Where `archive_to` is set, what has to go is moved to that archive.
    """

    max_age_ns: int | None = None
    max_shards: int | None = None
    max_bytes: int | None = None
    archive_to: Path | None = None
    told_age: str = ""

    @property
    def limits(self) -> bool:
        """Whether anything can ever have to go."""
        return self.max_age_ns is not None or self.max_shards is not None or self.max_bytes is not None


@dataclass(frozen=True, slots=True)
class Retention:
    """Policies by stream, `*` for all streams without one of their own, and the runs that are kept whatever.

    `keep` holds labels of runs and beginnings of writer ids. Raises ConfigError for a name that can be none.
    """

    policies: Mapping[str, Policy] = field(default_factory=dict)
    keep: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name, policy in self.policies.items():
            if name not in (ALL, *FOLDERS) and not is_stream(name):
                hint = f"data/<name>, logs/<name>, {ALL}, or one of {', '.join(FOLDERS)}"
                raise ConfigError(f"not a stream to have a retention: {name[:80]!r}", hint=hint)
            is_folder = name in FOLDERS
            if is_folder and (policy.max_shards or policy.max_bytes or policy.archive_to):
                raise ConfigError(f"{name} holds no shards: it can have a max_age only")

    def policy(self, stream: str) -> Policy | None:
        """The policy of a stream: its own, else that of all."""
        return self.policies.get(stream, self.policies.get(ALL))

    def holds(self, writer: str, labels: Iterable[str]) -> bool:
        """Whether a run is kept whatever its age, by its writer id or one of its labels."""
        return any(writer.startswith(item) for item in self.keep) or not set(self.keep).isdisjoint(labels)

    @property
    def longest_ns(self) -> int | None:
        """The longest age anything is kept for; None where something has no limit, or nothing has."""
        ages = [policy.max_age_ns for name, policy in self.policies.items() if name not in FOLDERS]
        known = [age for age in ages if age is not None]
        return max(known) if known and len(known) == len(ages) and ALL in self.policies else None


@dataclass(frozen=True, slots=True)
class Facts:
    """A sealed shard as its footer tells it, and the bytes of its file; times are ns.

    `sound` is False where it has no footer that holds: it was counted from header to header.
    """

    name: ShardName
    bytes: int
    events: int
    first_seq: int
    last_seq: int
    first_ordinal: int
    last_ordinal: int
    min_ts: int
    max_ts: int
    lost: int
    fingerprint: str
    clean: bool
    sound: bool = True


@dataclass(frozen=True, slots=True)
class Leaving:
    """A shard that has to go, and why; `to` is the archive it moves to, None where it is deleted."""

    shard: Facts
    reason: str
    to: Path | None


@dataclass(frozen=True, slots=True)
class Decision:
    """What has to go, oldest first.

    `withheld` are streams whose age was not applied because the clock is not believed, `held` are shards
    that would have to go, and are of a run that is kept.
    """

    leaving: tuple[Leaving, ...] = ()
    withheld: tuple[str, ...] = ()
    held: tuple[Facts, ...] = ()


def decide(
    shards: Sequence[Facts],
    retention: Retention,
    now_ns: int,
    *,
    newest_ns: int | None,
    held: frozenset[str] = frozenset(),
    force: bool = False,
) -> Decision:
    """What has to go of these sealed shards. `held` are writers that are kept.

    `newest_ns` is the newest event of the whole archive. Where even that is too old, either nothing was
    recorded for long or the clock is wrong: then no age is applied, unless with `force`.
    """
    leaving: list[Leaving] = []
    kept_back: list[Facts] = []
    withheld: list[str] = []
    for stream, theirs in sorted(_by_stream(shards).items()):
        policy = retention.policy(stream)
        if policy is None or not policy.limits:
            continue
        doubted = not force and _is_doubtful(policy, now_ns, newest_ns)
        cut = None if policy.max_age_ns is None or doubted else now_ns - policy.max_age_ns
        expired = {shard.name for shard in theirs if cut is not None and shard.max_ts < cut}
        if doubted and any(shard.max_ts < now_ns - (policy.max_age_ns or 0) for shard in theirs):
            withheld.append(stream)
        kept_back += [shard for shard in theirs if shard.name in expired and shard.name.writer in held]
        free = [shard for shard in theirs if shard.name.writer not in held]
        leaving += _leaving(free, policy, expired)
    return Decision(tuple(leaving), tuple(withheld), tuple(kept_back))


def _leaving(shards: Sequence[Facts], policy: Policy, expired: set[ShardName]) -> Iterator[Leaving]:
    """The shards of a stream that go, oldest first."""
    young = [shard for shard in shards if shard.name not in expired]
    surplus = dict(_surplus(young, policy))
    for shard in shards:
        if shard.name in expired:
            yield Leaving(shard, f"older than {policy.told_age}", policy.archive_to)
        elif shard.name in surplus:
            yield Leaving(shard, surplus[shard.name], policy.archive_to)


def _surplus(shards: Sequence[Facts], policy: Policy) -> Iterator[tuple[ShardName, str]]:
    """Those that are beyond the number or the bytes; the newest stays, however large it is."""
    count = size = 0
    for shard in reversed(shards):
        count, size = count + 1, size + shard.bytes
        if policy.max_shards is not None and count > policy.max_shards:
            yield shard.name, f"beyond the newest {policy.max_shards:,}"
        elif policy.max_bytes is not None and size > policy.max_bytes and count > 1:
            yield shard.name, f"beyond {policy.max_bytes:,} bytes"


def _is_doubtful(policy: Policy, now_ns: int, newest_ns: int | None) -> bool:
    """Whether by this clock the whole archive is too old."""
    if policy.max_age_ns is None or newest_ns is None:
        return False
    return newest_ns < now_ns - policy.max_age_ns


def _by_stream(shards: Iterable[Facts]) -> dict[str, list[Facts]]:
    """The shards of each stream, oldest first."""
    streams: dict[str, list[Facts]] = defaultdict(list)
    for shard in shards:
        streams[shard.name.stream].append(shard)
    for theirs in streams.values():
        theirs.sort(key=lambda shard: (shard.max_ts, shard.name))
    return streams


def age_text(seconds: float) -> str:
    """`7 days`, `12 hours`: a length of time as reasons say it."""
    for name, unit in (("day", 86_400), ("hour", 3600), ("minute", 60)):
        if seconds >= unit and seconds % unit == 0:
            count = round(seconds / unit)
            return f"{count:,} {name}{'' if count == 1 else 's'}"
    return f"{seconds:g} second{'' if seconds == 1 else 's'}"


def policy_of(
    age_seconds: float | None, shards: int | None, size: int | None, archive_to: Path | None = None
) -> Policy:
    """A policy of limits in seconds, shards and bytes."""
    told = "" if age_seconds is None else age_text(age_seconds)
    age_ns = None if age_seconds is None else round(age_seconds * SECOND)
    return Policy(age_ns, shards, size, archive_to, told)
