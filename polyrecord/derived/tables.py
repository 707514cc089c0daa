"""Typed tables beside a sealed shard: which there are, and whether one of them is as it was made.

`<shard>.<fingerprint>.json` lists them with the size and CRC-32 of each. It is written last, so a table that
it does not list is none, and one that is not what it says is not used: lines are read instead.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

import orjson
from isal.isal_zlib import crc32

from polyrecord.derived.place import Derivable, is_kind

VERSION: Final = 1  # of what a table holds: another one is made anew
RESERVED: Final = frozenset({"histograms"})  # kinds that are no event type
_MOST_BYTES: Final = 16 << 20  # of an index
_FLAGS: Final = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
_PIECE: Final = 1 << 20
_GLOB: Final = frozenset("*?[]")


@dataclass(frozen=True, slots=True)
class Table:
    """The events of one type in one shard: a Parquet file of so many rows and bytes.

    `stages` are the members `*_ms` of their data, each with the column that holds every number of it and that
    column's SQL type; None where no column does.
    """

    rows: int
    bytes: int
    crc32: int
    stages: dict[str, tuple[str, str] | None] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Made:
    """What was made of a shard: a table for each event type in it, or the `reason` why there is none.

    Types of which there can be no table have None.
    """

    tables: dict[str, Table | None]
    reason: str | None = None


def has_table(event_type: str) -> bool:
    """Whether events of this type can have a table."""
    return is_kind(event_type) and event_type not in RESERVED


def encode(made: Made) -> bytes:
    """The bytes of an index."""
    body = orjson.dumps({"version": VERSION, **asdict(made)})
    return b'{"crc32":%d,"made":%b}\n' % (crc32(body), body)


def decode(data: bytes) -> Made | None:
    """What an index says; None where it is damaged or of another version."""
    try:
        document = orjson.loads(data)
        body = orjson.dumps(document["made"])
        if crc32(body) != document["crc32"] or document["made"]["version"] != VERSION:
            return None
        tables = document["made"]["tables"]
        return Made({name: _table(told) for name, told in tables.items()}, document["made"]["reason"])
    except (ValueError, KeyError, TypeError, AttributeError):
        return None


def _table(told: dict[str, Any] | None) -> Table | None:
    if told is None:
        return None
    stages = {name: None if column is None else tuple(column) for name, column in told["stages"].items()}
    return Table(told["rows"], told["bytes"], told["crc32"], stages)


def read_made(shard: Derivable) -> Made | None:
    """What was made of a shard; None where that is nothing, or nobody can tell. Raises no error."""
    if shard.folder.is_symlink():
        return None
    try:
        descriptor = os.open(shard.index, _FLAGS)
    except OSError:
        return None
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode) or status.st_size > _MOST_BYTES:
            return None
        return decode(os.pread(descriptor, status.st_size, 0))
    except OSError:
        return None
    finally:
        os.close(descriptor)


def is_as_made(path: Path, table: Table) -> bool:
    """Whether a file is what was made, byte for byte; it is read whole."""
    try:
        descriptor = os.open(path, _FLAGS)
    except OSError:
        return False
    try:
        status = os.fstat(descriptor)
        return (
            stat.S_ISREG(status.st_mode)
            and status.st_size == table.bytes > 0
            and checksum(descriptor) == table.crc32
        )
    except OSError:
        return False
    finally:
        os.close(descriptor)


def checksum(descriptor: int) -> int:
    """The CRC-32 of a file from where it stands; raises OSError."""
    # Not mapped: a file that is cut meanwhile would end the process.
    buffer, found = memoryview(bytearray(_PIECE)), 0
    while length := os.readv(descriptor, [buffer]):
        found = crc32(buffer[:length], found)
    return found


def tables_of(shard: Derivable, types: Iterable[str]) -> dict[str, tuple[Path, Table]] | None:
    """The tables of these types in a shard, or of all it has, by event type; None where there is one missing.

    What the files hold is not looked at.
    """
    made = read_made(shard)
    if made is None or made.reason is not None:
        return None
    wanted = frozenset(types)
    chosen: dict[str, tuple[Path, Table]] = {}
    for name, table in made.tables.items():
        if wanted and name not in wanted:
            continue
        if table is None or not can_be_told(shard.path(name)):
            return None
        chosen[name] = shard.path(name), table
    return chosen


def can_be_told(path: Path) -> bool:
    """Whether the engine takes a path for what it is: not for a pattern, and for a text at all."""
    text = str(path)
    return not _GLOB & set(text) and text == text.encode("utf-8", "replace").decode()
