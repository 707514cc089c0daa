"""Imports one file once: whole, or what came to it since the last import."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from copy import deepcopy
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import Any, Protocol

from polyrecord.errors import DataError, RecorderError
from polyrecord.foreign.content import HEAD
from polyrecord.foreign.formats import Format
from polyrecord.foreign.outcome import Outcome, Parsed, Parser, Reject, events_of
from polyrecord.importers.content import (
    LONGEST_LINE,
    Content,
    Extent,
    Fingerprint,
    Line,
    fingerprint,
    split_lines,
)
from polyrecord.importers.earlier import (
    WRITER_PREFIX,
    Earlier,
    Plan,
    find_earlier,
    missing_of,
    one_at_a_time,
    plan,
    rejects_of,
    remove_leftovers,
)
from polyrecord.importers.tally import Tally
from polyrecord.record.bulk import BulkWriter
from polyrecord.record.options import Options
from polyrecord.record.privacy import Privacy
from polyrecord.record.rejects import RejectsFile
from polyrecord.settings.recorder import recorder_settings
from polyrecord.times import SECOND, format_ts

OnReject = Callable[[int, Reject], None]
Choose = Callable[[bytes], Format]
"""Tells the format from the first bytes of a content, none where it is empty; raises UsageError."""
_DAY = 86_400 * SECOND
_MOST_WAITING = 1 << 16  # bytes of rejects held in memory
_MOST_TEXT = 4096  # bytes of a rejected line that are kept


class OnProgress(Protocol):
    """Is told how much of a stored file was read: `step` is `reading` first, `importing` then."""

    def __call__(self, step: str, done: int, total: int) -> None: ...


@dataclass(frozen=True, slots=True)
class FileReport:
    """What became of one file: `tally` of all its lines, `added` events of this run.

    `start` is where this run began (bytes of content); it is over 0 when an earlier import did what is
    before. `damage` says why the file could not be read to its end, `rejects` where the lines are kept that
    are no events. `missing` events of earlier imports were not in the archive any more, so that the file was
    imported anew.
    """

    file: str
    format: Format
    writer: str
    tally: Tally
    added: int
    start: int
    damage: str | None
    rejects: Path | None = None
    missing: int = 0

    def as_json(self) -> dict[str, Any]:
        """Plain values; `damage` only where there is some."""
        report = {"file": self.file, "format": self.format.name, "writer": self.writer, "added": self.added}
        report |= self.tally.as_json()
        more = {"damage": self.damage, "rejects": self.rejects and str(self.rejects), "missing": self.missing}
        return report | {name: value for name, value in more.items() if value}


def import_file(
    root: Path,
    name: str,
    choose: Choose,
    *,
    on_reject: OnReject,
    on_progress: OnProgress,
    again: bool = False,
) -> FileReport:
    """Imports a file (`-`: standard input) into the archive at `root`.

    `on_reject` gets the line number of each rejected line. With `again` what earlier imports of the file left
    is removed first. Raises DataError when the file cannot be read at all, or changes meanwhile, and
    RecorderError when the archive cannot be written; nothing is kept then.
    """
    with Content(name) as content:
        try:
            source = choose(_head(content))
            with one_at_a_time(root):
                return _import(root, content, source, on_reject, on_progress, again=again)
        except OSError as error:
            what = f"cannot write the archive: {error.strerror or error}"
            raise RecorderError(what, path=error.filename or root) from error


def _import(
    root: Path,
    content: Content,
    source: Format,
    on_reject: OnReject,
    on_progress: OnProgress,
    *,
    again: bool,
) -> FileReport:
    known = find_earlier(root, source.identity)
    sizes = {extent.size for one in known for extent in (one.whole, one.consumed) if extent}
    found = fingerprint(content.chunks(_step(on_progress, "reading", content)), sizes - {0})
    missing = missing_of(root, known, found)
    todo = plan([], found, known) if again or missing else plan(known, found)
    for writer in todo.leftovers:
        remove_leftovers(root, writer)
    if todo.after is not None and todo.start == found.whole.size:
        after = todo.after
        return FileReport(
            content.name, source, after.writer, after.tally, 0, todo.start, content.damage,
            rejects_of(root, after.writer),
        )  # fmt: skip
    chunks = _unchanged(content.chunks(_step(on_progress, "importing", content)), found.whole, content.name)
    run = _Run(root, content.name, source, found, todo)
    return replace(run.report(run.write(chunks, on_reject), content.damage), missing=missing)


def _head(content: Content) -> bytes:
    """The first bytes to tell the format from, without the zeros that a crash may have left before them."""
    head = b""
    for chunk in content.chunks():
        head += chunk if head else chunk.lstrip(b"\0")
        if len(head) >= HEAD:
            break
    return head[:HEAD]


def _step(on_progress: OnProgress, step: str, content: Content) -> Callable[[int], None]:
    return lambda done: on_progress(step, done, content.stored_size)


def _unchanged(chunks: Iterable[bytes], whole: Extent, name: str) -> Iterator[bytes]:
    """The content that was fingerprinted and no more: a log may grow meanwhile, but not change."""
    digest, left = sha256(), whole.size
    for chunk in chunks:
        piece = chunk[:left]
        digest.update(piece)
        left -= len(piece)
        yield piece
        if not left:
            break
    if digest.hexdigest() != whole.sha256:
        raise DataError("changed while it was imported; nothing was kept", path=name, hint="import it again")


class _Run:
    """One import of a content from the planned start on."""

    def __init__(self, root: Path, name: str, source: Format, found: Fingerprint, todo: Plan) -> None:
        self._root, self._name, self._source = root, name, source
        self._found, self._start = found, todo.start
        seed = f"{source.identity}\n{found.whole.sha256}\n{todo.start}"
        self._writer = WRITER_PREFIX + sha256(seed.encode()).hexdigest()[:16]
        self._tally = _tally_before(todo.after)
        self._tail: str | None = None  # why the last line is no event, or not yet
        self._leaves_tail = False  # whether what follows the last line feed is left to a later import
        self._privacy = Privacy.of(Options.of(recorder_settings()))
        self._rejects = RejectsFile(root, self._writer, self._privacy.text)
        self._events = 0
        self._days: set[int] = set()  # since 1970

    def write(self, chunks: Iterable[bytes], on_reject: OnReject) -> int:
        """Writes the events of all lines from the start on; returns their number."""
        self._rejects.path.unlink(missing_ok=True)  # of a run of the same that was interrupted
        before = self._tally.events
        try:
            self._write(chunks, on_reject)
        except BaseException:
            self._rejects.path.unlink(missing_ok=True)
            raise
        return self._tally.events - before

    def _write(self, chunks: Iterable[bytes], on_reject: OnReject) -> None:
        about, steps = self._record(consumed=None), self._privacy.steps(as_they_come=True)
        with BulkWriter(self._root, self._writer, metadata=about, steps=steps) as bulk:
            parser = self._source.parser()
            for line in split_lines(chunks):
                self._take(_without_padding(line), parser, bulk, on_reject)
            consumed = self._found.lines if self._leaves_tail else self._found.whole
            self._rejects.close()
            bulk.finish(**self._record(consumed))

    def report(self, added: int, damage: str | None) -> FileReport:
        """What became of the file."""
        return FileReport(
            self._name, self._source, self._writer, self._tally, added, self._start, damage,
            rejects_of(self._root, self._writer),
        )  # fmt: skip

    def _record(self, consumed: Extent | None) -> dict[str, Any]:
        dates = tuple(format_ts(day * _DAY)[:10] for day in sorted(self._days))
        whole, tally = self._found.whole, self._tally
        record = Earlier(self._writer, whole, consumed, tally, self._tail, self._events, dates)
        return {"import": record.as_json(self._source.identity, self._name)}

    def _take(self, line: Line, parser: Parser, bulk: BulkWriter, on_reject: OnReject) -> None:
        if line.text is not None and (not line.text or line.text.isspace()):
            self._leaves_tail = not line.has_end  # a line may follow in the same place
            self._tally.blank += line.has_end and line.begin >= self._start
            return
        outcome = _outcome(line, parser)  # of lines imported before, too: a header holds for what follows
        if line.begin < self._start:
            return
        if isinstance(outcome, Reject):
            self._reject(line, outcome)
            on_reject(line.number, outcome)
        else:
            self._keep(events_of(outcome), bulk)

    def _keep(self, events: tuple[Parsed, ...], bulk: BulkWriter) -> None:
        self._events += len(events)
        for event in events:
            self._days.add(event.ts_ns // _DAY)
            bulk.add(
                event.ts_ns, event.event_type, event.data, trace_id=event.trace_id, envelope=event.envelope
            )
        self._tally.keep(events)

    def _reject(self, line: Line, reject: Reject) -> None:
        self._tally.reject(reject)
        if not line.has_end:
            self._tail, self._leaves_tail = reject.reason, True
        self._rejects.add(line.number, reject.reason, reject.detail, (line.text or b"")[:_MOST_TEXT])
        if self._rejects.waiting > _MOST_WAITING:
            self._rejects.flush()


def _without_padding(line: Line) -> Line:
    """A line without the zeros around it that a crash of the machine left in the file."""
    text = line.text
    if not text or (text[0] and text[-1]):
        return line
    return replace(line, text=text.strip(b"\0"))


def _outcome(line: Line, parser: Parser) -> Outcome:
    if line.text is None:
        return Reject("line too long", f"more than {LONGEST_LINE:,} bytes")
    outcome = parser.parse(line.text)
    if not isinstance(outcome, Reject) and not line.has_end and not parser.is_whole(line.text):
        return Reject("cut off", "the last line has no line feed and does not end as JSON")
    return outcome


def _tally_before(after: Earlier | None) -> Tally:
    """The counts of what is imported already; a last line that was left over then is counted now."""
    if after is None:
        return Tally()
    return deepcopy(after.tally) if after.tail is None else after.tally.without(after.tail)
