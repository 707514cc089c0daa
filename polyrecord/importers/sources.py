"""What is to be imported: files as they are named, and the logs of directories; each with its format."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict

from polyrecord.errors import UsageError
from polyrecord.foreign import FORMATS
from polyrecord.foreign.detect import detect, fields_of, is_own_line
from polyrecord.foreign.formats import MAPPED, Format, choose_format
from polyrecord.foreign.layouts import find_logs


class _Fields(TypedDict):
    ts: str | None
    event_type: str | None
    trace: str | None


@dataclass(frozen=True, slots=True)
class Job:
    """One file to import, and what tells its format from its first bytes."""

    name: str
    choose: Callable[[bytes], Format]


Tell = Callable[[str], None]
"""Takes a line of narration."""


def jobs(
    names: list[str],
    format_name: str | None,
    *,
    ts: str | None,
    event_type: str | None,
    trace: str | None,
    tell: Tell,
) -> Iterator[Job]:
    """A job for each file, and for each log below a directory; raises UsageError.

    What a log is taken for, where nobody said it, and what of a directory is left out goes to `tell`.
    """
    fields = _Fields(ts=ts, event_type=event_type, trace=trace)
    if format_name is not None:
        choose_format(format_name, **fields)  # what is wrong is said before anything is touched
    for name in names:
        if name != "-" and Path(name).is_dir():
            yield from _logs_in(Path(name), format_name, fields, tell)
        else:
            yield Job(name, _chooser(Path(name), format_name, fields, tell))


def _logs_in(root: Path, format_name: str | None, fields: _Fields, tell: Tell) -> Iterator[Job]:
    layout = find_logs(root, format_name, **fields)
    if layout is None:
        raise UsageError("no logs of a known format in this directory", path=root, hint=_hint())
    count = f"{len(layout.logs):,} {'log' if len(layout.logs) == 1 else 'logs'}"
    tell(f"note: reading {layout.system} in {root}: {count}")
    for place, reason in layout.left_out:
        tell(f"note: {root / place} is left out: {reason}")
    for log in layout.logs:
        yield Job(str(log.path), lambda _, chosen=log.format: chosen)  # type: ignore[misc]


def _chooser(path: Path, format_name: str | None, fields: _Fields, tell: Tell) -> Callable[[bytes], Format]:
    place = path.absolute()

    def choose(head: bytes) -> Format:
        if format_name is not None:
            return choose_format(format_name, path=place, **fields)
        if not head:
            tell(f"note: {path} is empty")
            return choose_format(MAPPED[0], **fields)
        if is_own_line(head):
            hint = f"read them with --file {path}, or bring archives together with `polyrecord merge`"
            raise UsageError("these are event lines of ours already", path=str(path), hint=hint)
        found = detect(place, head, **fields)
        if found is None:
            raise UsageError("not a log of a known format", path=str(path), hint=_hint())
        tell(f"note: reading {path} as {found.summary}{_named(found, head, fields)}")
        return found

    return choose


def _named(found: Format, head: bytes, fields: _Fields) -> str:
    """Where JSON lines or CSV have time, type and trace, as far as the first line has them."""
    if found.name not in MAPPED:
        return ""
    ts = None if fields["ts"] is None else fields["ts"].rpartition(":")[0] or fields["ts"]
    named = (ts, fields["event_type"], fields["trace"])
    names = [told or usual for told, usual in zip(named, fields_of(head), strict=True)]
    return f" ({', '.join(name for name in names if name)})"


def _hint() -> str:
    return f"name what wrote it: --from {'|'.join(FORMATS)}"
