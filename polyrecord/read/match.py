"""The exact test of a line: what an index let through is looked at here."""

from __future__ import annotations

from polyrecord.format.block import BlockHeader
from polyrecord.format.constants import COVERED_PATHS
from polyrecord.read.event import read_json
from polyrecord.read.lines import Head, split_lines
from polyrecord.read.prune import KeyQuery
from polyrecord.read.selection import Selection, TraceQuery, ValueQuery
from polyrecord.times import format_ts

_AFTER_ALL = b"~"


class Matcher:
    """A selection made ready to test lines and to prune blocks."""

    __slots__ = ("_since", "_types", "_until", "keys", "selection")

    def __init__(self, selection: Selection) -> None:
        """Raises UsageError when the trace or the value looked for is empty."""
        self.selection = selection
        self._since = b"" if selection.since_ns is None else format_ts(selection.lowest_ns).encode()
        self._until = _AFTER_ALL if selection.until_ns is None else format_ts(selection.highest_ns).encode()
        self._types = selection.types
        self.keys = KeyQuery(
            None if selection.trace is None else TraceQuery(selection.trace, exact=selection.exact),
            None if selection.value is None else ValueQuery(selection.value),
            selection.where,
        )

    def takes_types_of(self, header: BlockHeader) -> bool:
        """Whether a block can hold an event of the types asked for."""
        return not self._types or not header.types.keys().isdisjoint(self.selection.type_names)

    def lines_of(self, content: bytes) -> list[bytes]:
        """The lines of a content worth a look: those with the text asked for, else all."""
        text = self.selection.text
        return split_lines(content) if text is None else text.lines_in(content)

    def among(self, lines: list[bytes], content: bytes) -> list[bytes]:
        """Those of a content's lines, all as ours are, that can be selected as far as their text tells."""
        return lines if self.keys.trace is None else self.keys.trace.among(lines, content)

    def takes_all_of(self, header: BlockHeader, *, with_text: bool = False) -> bool:
        """Whether every line of a block is selected, so that none needs a look; or each that has the text."""
        selection = self.selection
        if self.keys.trace is not None or self.keys.value is not None or selection.where:
            return False
        if selection.text is not None and not with_text:
            return False
        if not (selection.lowest_ns <= header.min_ts and self._ends_in_window(header)):
            return False
        names = selection.type_names
        return not names or (names == self._types and header.types.keys() <= names)

    def _ends_in_window(self, header: BlockHeader) -> bool:
        return self.selection.until_ns is None or header.max_ts < self.selection.highest_ns

    def keeps(self, head: Head, line: bytes, declared: tuple[str, ...] = ()) -> bool:
        """Whether a line is selected; `declared` are its block's key paths. Raises NotAnEvent."""
        if not self._since <= head.ts < self._until:
            return False
        if self._types and head.event_type not in self._types:
            return False
        if self.keys.trace is not None and (
            head.trace_id is None or not self.keys.trace.matches(head.trace_id)
        ):
            return False
        text = self.selection.text
        return (text is None or text.matches(line)) and self._holds(line, declared)

    def _holds(self, line: bytes, declared: tuple[str, ...]) -> bool:
        """Whether what can only be told by decoding the line is as asked for."""
        value, where = self.keys.value, self.selection.where
        if value is None and not where:
            return True
        if value is not None and not value.may_be_in(line):
            return False
        if not all(condition.may_hold_in(line) for condition in where):
            return False
        document = read_json(line)
        if value is not None and value.path_in(document, COVERED_PATHS + declared) is None:
            return False
        return all(condition.holds(document) for condition in where)
