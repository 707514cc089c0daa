"""Deleting shards so that coverage stays true: the ledger has them, on the disk, before they go."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

import orjson

from polyrecord.errors import DataError
from polyrecord.format.layout import PRUNED
from polyrecord.record.files import make_directory, remove_if_empty, sync_directory, write_all
from polyrecord.record.identity import new_writer_id
from polyrecord.times import format_ts
from polyrecord.upkeep.compact_files import remove_derived
from polyrecord.upkeep.retention import Facts

_FLAGS: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW


def entry_of(shard: Facts, reason: str, to: Path | None = None) -> dict[str, Any]:
    """A shard as a line of the ledger has it."""
    name = shard.name
    return {
        "at": format_ts(time.time_ns()), "reason": reason, **({} if to is None else {"to": str(to)}),
        "stream": name.stream, "writer": name.writer, "number": name.number, "date": name.date,
        "bytes": shard.bytes, "events": shard.events, "first_seq": shard.first_seq,
        "last_seq": shard.last_seq, "first_ordinal": shard.first_ordinal, "last_ordinal": shard.last_ordinal,
        "min_ts": shard.min_ts, "max_ts": shard.max_ts, "lost": shard.lost, "fingerprint": shard.fingerprint,
        "clean": shard.clean,
    }  # fmt: skip


def file_entry(place: str, size: int, reason: str) -> dict[str, Any]:
    """A file that is no shard, as a line of the ledger has it."""
    return {"at": format_ts(time.time_ns()), "reason": reason, "file": place, "bytes": size}


def write_ledger(root: Path, entries: Iterable[Mapping[str, Any]]) -> Path | None:
    """Put lines on the disk in a new file of the ledger; None where there are none. Raises OSError."""
    lines = b"".join(orjson.dumps(entry) + b"\n" for entry in entries)
    if not lines:
        return None
    folder = root / PRUNED
    if folder.is_symlink() or folder.parent.is_symlink():
        raise DataError("a directory of the archive is a symbolic link", path=folder)
    make_directory(folder)
    path = folder / f"{new_writer_id(time.time_ns())}.jsonl"
    descriptor = os.open(path, _FLAGS, 0o640)
    try:
        write_all(descriptor, lines)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    for above in (folder, folder.parent, root):
        sync_directory(above)
    return path


def delete_shard(root: Path, shard: Facts) -> bool:
    """Remove a shard that is in the ledger, and its day's folder with the last; False where it was gone."""
    place = root / shard.name.path
    try:
        place.unlink()
    except FileNotFoundError:
        return False
    remove_derived(place)
    remove_if_empty(place.parent)
    return True
