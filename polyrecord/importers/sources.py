"""What is to be imported: files as they are named, and the logs of directories; each with its format."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import TypedDict

from polyrecord.errors import UsageError
from polyrecord.foreign import FORMATS
from polyrecord.foreign.detect import detect, is_own_line
from polyrecord.foreign.formats import Format, choose_format
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


def jobs(
    names: list[str], format_name: str | None, *, ts: str | None, event_type: str | None, trace: str | None
) -> Iterator[Job]:
    """A job for each file, and for each log below a directory; raises UsageError."""
    fields = _Fields(ts=ts, event_type=event_type, trace=trace)
    if format_name is not None:
        choose_format(format_name, **fields)  # what is wrong is said before anything is touched
    for name in names:
        if name != "-" and Path(name).is_dir():
            yield from _logs_in(Path(name), format_name)
        else:
            yield Job(name, _chooser(PurePath(name), format_name, fields))


def _logs_in(root: Path, format_name: str | None) -> Iterator[Job]:
    layout = find_logs(root, forced=format_name)
    if layout is None:
        raise UsageError("no logs of a known format in this directory", path=root, hint=_hint())
    for log in layout.logs:
        yield Job(str(log.path), lambda _, chosen=log.format: chosen)  # type: ignore[misc]


def _chooser(path: PurePath, format_name: str | None, fields: _Fields) -> Callable[[bytes], Format]:
    def choose(head: bytes) -> Format:
        if format_name is not None:
            return choose_format(format_name, path=path, **fields)
        if is_own_line(head):
            hint = f"read them with --file {path}, or bring archives together with `polyrecord merge`"
            raise UsageError("these are event lines of ours already", path=str(path), hint=hint)
        found = detect(path, head, **fields)
        if found is None:
            raise UsageError("not a log of a known format", path=str(path), hint=_hint())
        return found

    return choose


def _hint() -> str:
    return f"name what wrote it: --from {'|'.join(FORMATS)}"
