"""Several archives, or cuts of archives, become one: every event once."""

from __future__ import annotations

import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

from polyrecord.format.layout import PRUNED, RUNS, check_writer
from polyrecord.read.archive import Archive, ShardInfo
from polyrecord.read.coverage import unclean_writers
from polyrecord.read.explain import Explain
from polyrecord.read.order import never_goes_back
from polyrecord.read.selection import Selection
from polyrecord.read.shard import open_shard
from polyrecord.record.files import make_directory, sync_directory, write_atomically
from polyrecord.record.identity import read_manifest, write_manifest
from polyrecord.record.rejects import RejectsFile
from polyrecord.record.verbatim import VerbatimWriter
from polyrecord.times import format_ts
from polyrecord.transfer.cut import OnProgress, Written, groups, strands_of
from polyrecord.transfer.ledger import joined, read_ledger
from polyrecord.transfer.pick import Pick
from polyrecord.transfer.place import check_out, new_archive
from polyrecord.transfer.rows import FIRST_SEQ, missing_of
from polyrecord.transfer.strand import Strand
from polyrecord.transfer.union import Conflict, Tally, Union, write_strand
from polyrecord.transfer.whole import checked, distinct
from polyrecord.version import __version__

CONFLICTS: Final = "conflicts"  # logs/_rejects/conflicts.jsonl
_MOST_NAMED: Final = 10
_MOST_WAITING: Final = 1 << 20  # bytes
_MOST_LEDGER = 256 << 20  # bytes of one file of a ledger
_FILE_MODE: Final = 0o640
_Shards = dict[int, list[ShardInfo]]
"""Shards of one writer and stream by the number of their source."""


@dataclass(frozen=True, slots=True)
class Merged:
    """What a merge wrote; `copied` of the shards are as they were. Of conflicts the first are named."""

    written: Written
    copied: int
    conflicts: int
    named: tuple[Conflict, ...]


def merge(
    roots: Sequence[Path], out: Path, explain: Explain, on_progress: OnProgress | None = None
) -> Merged:
    """Write the union of archives as an archive, or as a tar of one where `out` ends in `.tar`.

    The same event of several sources comes once. Where lines under one writer, stream and seq differ, the
    source named first wins, and the other lines go to `logs/_rejects/conflicts.jsonl`. Raises
    ArchiveMissing, UsageError when something is at `out` already, OSError.
    """
    check_out(out)
    sources = [Archive(root) for root in roots]
    listed = [source.shards(None, explain) for source in sources]
    with new_archive(out) as root:
        job = _Merge(root, sources, listed, explain, on_progress)
        job.write()
        size = sum(path.stat().st_size for path in job.shards)
    events = job.events
    written = Written(out, events, 0, job.writers, len(job.shards), size)
    return Merged(written, job.copied, job.conflicts.count, tuple(job.conflicts.named))


class _Merge:
    """Writes writer by writer, stream by stream."""

    def __init__(
        self,
        root: Path,
        sources: list[Archive],
        listed: list[list[ShardInfo]],
        explain: Explain,
        on_progress: OnProgress | None,
    ) -> None:
        self._root, self._sources, self._listed, self._explain = root, sources, listed, explain
        self._on_progress = on_progress
        self._done, self._total = 0, sum(_size(info) for infos in listed for info in infos)
        self._declared = [read_ledger(source)[0] for source in sources]
        self._at = format_ts(time.time_ns())
        self.conflicts = _Conflicts(root)
        self.events = self.writers = self.copied = 0
        self.shards: list[Path] = []

    def write(self) -> None:
        """Write everything."""
        unclean = [
            set(unclean_writers(source, infos, Explain()))
            for source, infos in zip(self._sources, self._listed, strict=True)
        ]
        for writer in sorted({info.name.writer for infos in self._listed for info in infos}):
            self._write_writer(check_writer(writer), [writer in names for names in unclean])
        self.conflicts.close()
        self._copy_ledgers()

    def _copy_ledgers(self) -> None:
        """What was deleted of the sources on purpose, and what people noted about their runs."""
        for source in self._sources:
            for folder in (PRUNED, RUNS):
                place = source.root / folder
                for path in [] if place.is_symlink() else sorted(place.glob("*.jsonl")):
                    if path.is_file() and not path.is_symlink() and path.stat().st_size <= _MOST_LEDGER:
                        self._copy_small(path, self._root / folder / path.name)

    @staticmethod
    def _copy_small(path: Path, to: Path) -> None:
        known = to.read_bytes() if to.exists() else b""
        told = path.read_bytes()
        if not known.startswith(told):
            write_atomically(to, told if told.startswith(known) else known + told)

    def _write_writer(self, writer: str, unclean: list[bool]) -> None:
        by_stream: dict[str, _Shards] = {}
        for number, infos in enumerate(self._listed):
            own = [info for info in infos if info.name.writer == writer]
            for stream, chain in groups(own, lambda info: info.name.stream).items():
                by_stream.setdefault(stream, {})[number] = chain
        numbers = sorted({number for shards in by_stream.values() for number in shards})
        manifest, is_clean = self._manifest(writer, numbers, unclean)
        write_manifest(self._root, writer, manifest)
        starts = {
            number: _start([s[number] for s in by_stream.values() if number in s]) for number in numbers
        }
        with VerbatimWriter(self._root, writer, manifest) as to:
            for stream, shards in sorted(by_stream.items()):
                if not self._copy(self._copied_from(writer, stream, shards)):
                    self._rewrite(writer, stream, shards, to, starts)
            self.shards += to.finish(clean=is_clean)
        self.events += to.events
        self.writers += 1

    def _copied_from(self, writer: str, stream: str, shards: _Shards) -> list[ShardInfo]:
        """The shards that can be copied as they are; none where another source has more to say."""
        left = distinct(shards)
        if len(left) > 1:
            return []
        own = joined([self._declared[number] for number in left], (writer, stream))
        return next(iter(left.values())) if own == joined(self._declared, (writer, stream)) else []

    def _copy(self, chain: list[ShardInfo]) -> bool:
        """Copy the shards of one source as they are, if all are whole; whether that was done."""
        footers = [checked(info) for info in chain]
        if not chain or None in footers:
            return False
        for info in chain:
            to = self._root / info.name.path
            make_directory(to.parent)
            shutil.copyfile(info.path, to, follow_symlinks=False)
            to.chmod(_FILE_MODE)
            sync_directory(to.parent)
            self.shards.append(to)
            self._advance(_size(info))
        self.copied += len(chain)
        self.events += sum(footer.events for footer in footers if footer is not None)
        return True

    def _rewrite(
        self, writer: str, stream: str, shards: _Shards, to: VerbatimWriter, starts: dict[int, int]
    ) -> None:
        """The union of what several sources have of one stream; `starts` are where they begin, by seq."""
        place, first = (writer, stream), True
        ledger = joined(self._declared, place)
        for part in _by_strand(shards):
            strands = [
                Strand(
                    infos, Pick(), self._explain, alone=len(part) == 1,
                    lost_before=self._lost_before(shards[number], first=first),
                    declared=joined([self._declared[number]], place), after=starts[number],
                    on_progress=self._advance,
                )
                for number, infos in part.items()
            ]  # fmt: skip
            if len(strands) == 1:
                write_strand(strands[0], stream, to, Tally(), ledger)
            else:
                on_conflict = partial(self._conflict, list(part))
                Union(writer, stream, to, on_conflict, ledger).write(strands, Tally())
            first = False

    @staticmethod
    def _lost_before(chain: list[ShardInfo], *, first: bool) -> int | None:
        if never_goes_back(chain[0].name.writer):
            return None
        return missing_of(chain, Selection()) if first else 0

    def _conflict(self, numbers: list[int], conflict: Conflict) -> None:
        self.conflicts.add(conflict, self._sources[numbers[conflict.source]].root)

    def _advance(self, more: int) -> None:
        self._done += more
        if self._on_progress is not None:
            self._on_progress(self._done, self._total)

    def _manifest(self, writer: str, numbers: list[int], unclean: list[bool]) -> tuple[dict[str, Any], bool]:
        """The manifest of a writer and whether it came to an orderly end, by what the sources say."""
        known = {number: read_manifest(self._sources[number].root, writer) or {} for number in numbers}
        ended = {n: known[n] for n in numbers if known[n].get("ended") is not None and not unclean[n]}
        is_clean = bool(ended) or not any(unclean[number] for number in numbers)
        candidates = [*ended.values(), *known.values()]
        base = min(candidates, key=lambda manifest: (not manifest, "cut" in manifest))
        origins = [
            {"name": self._sources[n].root.resolve().name, "cut": known[n].get("cut"),
             "merged": known[n].get("merged")} for n in numbers
        ]  # fmt: skip
        told = {"writer": writer, "kind": "merge", "format": 1, "started": self._at, "ended": self._at}
        about = {"at": self._at, "polyrecord": __version__, "sources": origins}
        manifest = {**(base or told), "merged": about}
        manifest.pop("cut", None)
        if not is_clean:
            manifest["ended"] = None
        return manifest, is_clean


def _by_strand(shards: _Shards) -> list[_Shards]:
    """The shards row by row: all of a recorder's, an import's by date."""
    rows: dict[str, _Shards] = {}
    for number, chain in shards.items():
        for row in strands_of(chain):
            date = "" if never_goes_back(row[0].name.writer) else row[0].name.date
            rows.setdefault(date, {})[number] = row
    return [rows[date] for date in sorted(rows)]


def _start(chains: list[list[ShardInfo]]) -> int:
    """The seq before the first that a source has of a writer; 0 where that cannot be told."""
    indexes = [open_shard(info, Explain()) for chain in chains for info in chain]
    firsts = [record[FIRST_SEQ] for index in indexes if index is not None for record in index.records()]
    return max(min(firsts, default=1) - 1, 0)


def _size(info: ShardInfo) -> int:
    try:
        return info.path.stat().st_size
    except OSError:
        return 0


class _Conflicts:
    """Lines that were not kept, in a file that is made when there is one."""

    def __init__(self, root: Path) -> None:
        self.count = 0
        self.named: list[Conflict] = []
        self._file = RejectsFile(root, CONFLICTS)

    def add(self, conflict: Conflict, root: Path) -> None:
        """Keep a line with where it came from."""
        self.count += 1
        if self.count <= _MOST_NAMED:
            self.named.append(conflict)
        place = f"{conflict.writer} {conflict.seq} of {conflict.stream} in {root}"
        self._file.add(conflict.seq, "conflict", place, conflict.line[:-1])
        if self._file.waiting >= _MOST_WAITING:
            self._file.flush()

    def close(self) -> None:
        """Close the file if there is one."""
        self._file.close()
