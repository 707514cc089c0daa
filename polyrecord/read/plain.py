"""Regions of a shard that are plain gzip or plain text, read as a stream: no index, nothing to skip."""

from __future__ import annotations

import zlib

from polyrecord.format.resync import inflate_gzip
from polyrecord.format.scan import Plain, find_hidden
from polyrecord.read.absent import was_deleted
from polyrecord.read.archive import ShardInfo
from polyrecord.read.explain import Explain, Finding
from polyrecord.read.files import ShardFile

_READ = 1 << 18  # bytes of the file at a time
_CONTENT = 1 << 20  # bytes of lines at a time
_GZIP = 31  # window bits that ask zlib for gzip framing
LONGEST_LINE = 1 << 26  # bytes; a longer line is passed over, and said, instead of held in memory


class PlainReader:
    """The lines of a plain region; a chunk of about 1 MiB at a time.

    The file is open only while a chunk is read, so a thousand of these cost no descriptors.
    """

    makes_lines = False  # whether the lines are made here and so are as ours are
    floor = b""  # a time that no line is before; nothing is known of plain lines

    def __init__(
        self,
        info: ShardInfo,
        region: Plain,
        explain: Explain,
        *,
        is_tail: bool,
        first_line: int = 1,
        behind: PlainReader | None = None,
        keeps_tail: bool = False,
    ) -> None:
        """`is_tail` says that the file ends with the region, `first_line` and `behind` where it stands.

        `first_line` is the number of its first line, from 1, in the shard or behind the region `behind`.
        With `keeps_tail` what follows the last line feed is given as a line even where it may be torn.
        """
        self.info = info
        self.start = self._at = self._member_at = region.offset
        self.first_line: int | None = None
        self._explain = explain
        self._end = region.offset + region.length
        self._gzip = region.gzip
        self._may_be_torn = is_tail and not info.name.sealed
        self._next_line: int | None = first_line
        self._behind = behind
        self._unpacker = zlib.decompressobj(_GZIP)
        self._pending = b""
        self._rest: list[bytes] = []  # of the line that the next content goes on with
        self._held = 0  # bytes of it, more than are in `_rest` where it is too long
        self._keeps_tail = keeps_tail
        self.has_tail = False  # whether the last line given has no line feed
        self._ended = False
        self._broken = False
        self._is_proven = self.makes_lines  # of logs of others what can be read is given, whatever follows
        self._skipped = False  # a member that was damaged
        explain.plain_members += 0 if region.gzip else 1

    def read(self) -> list[bytes]:
        """The next lines without their line feeds; empty at the end.

        `first_line` is then the number of the first of them in the shard, None where that cannot be known.
        """
        if self._behind is not None:  # let go of it: what is known of its lines is known now
            self._next_line, self._behind = line_number(self._next_line, self._behind), None
        while not self._ended:
            lines = self._chunk()
            if lines:
                self.first_line = self._next_line
                self._next_line = None if self._next_line is None else self._next_line + len(lines)
                return lines
        return []

    @property
    def lines_through(self) -> int | None:
        """Lines of the shard up to the region's end; None unless all of them could be read, and were."""
        if self._next_line is None or self._broken or self._skipped or not self._ended:
            return None
        return self._next_line - 1

    def _chunk(self) -> list[bytes]:
        *whole, rest = self._content().split(b"\n")
        lines = []
        for piece in whole:
            self._hold(piece)
            lines += self._let_go()
        self._hold(rest)
        if self._ended and not self._broken and self._held:
            lines += self._last_line()
        return lines

    def _hold(self, piece: bytes) -> None:
        """Keep a piece of a line, as long as the line is not too long."""
        self._held += len(piece)
        if self._held <= LONGEST_LINE:
            self._rest.append(piece)
        else:
            self._rest.clear()

    def _let_go(self) -> list[bytes]:
        """The line whose pieces were kept; where it was too long, an empty one in its place and a finding."""
        line, length = b"".join(self._rest), self._held
        self._rest.clear()
        self._held = 0
        if length > LONGEST_LINE:
            reason = f"a line of {length:,} bytes was left out: {LONGEST_LINE:,} are the most"
            self._explain.found(Finding(self.info.path, self._member_at, length, 1, reason))
        return [line]

    def _last_line(self) -> list[bytes]:
        """What follows the last line feed: a line, or a torn tail where the shard is being written."""
        if self._keeps_tail or not self._may_be_torn:
            self.has_tail = True
            return self._let_go()
        self._explain.torn_bytes += self._held
        self._held = 0
        return []

    def _content(self) -> bytes:
        content = self._inflate() if self._gzip else self._read_file()
        self._explain.bytes_inflated += len(content)
        return content

    def _read_file(self) -> bytes:
        """The region's next bytes; none at its end."""
        length = min(_READ, self._end - self._at)
        try:
            data = self._read_at(self._at, length) if length else b""
        except OSError as error:
            self._give_up(error)
            return b""
        self._at += len(data)
        self._explain.bytes_read += len(data)
        self._ended = self._ended or not (data or self._gzip)
        return data

    def _read_at(self, offset: int, length: int) -> bytes:
        with ShardFile(self.info) as file:
            return file.read_at(offset, length)

    def _inflate(self) -> bytes:
        if not self._is_proven and not self._prove():
            return b""
        packed = self._pending or self._read_file()
        if not packed:
            self._end_inside_member()
            return b""
        try:
            content = self._unpacker.decompress(packed, _CONTENT)
        except zlib.error as error:
            self._stop(f"plain gzip is damaged: {error}")
            return b""
        self._pending = self._unpacker.unconsumed_tail
        if self._unpacker.eof:
            self._next_member(self._unpacker.unused_data)
        return content

    def _prove(self) -> bool:
        """Inflate a member to its end before its first line is given: its CRC stands there."""
        self._is_proven = True
        try:
            with ShardFile(self.info) as file:
                try:
                    for _ in inflate_gzip(file.read_at, self._member_at, self._end):
                        pass
                except zlib.error as error:
                    following = find_hidden(file.read_at, self._member_at, self._end)
                    self._skip_member(following, str(error))
                    return False
                except EOFError:
                    pass  # torn, or cut short: the lines up to there are given, and it is told
        except OSError as error:
            self._give_up(error)
            return False
        return True

    def _skip_member(self, following: int | None, error: str) -> None:
        """Go on with the member that follows a damaged one, if there is any."""
        end = self._end if following is None else following
        reason = f"plain gzip is damaged: {error}"
        self._explain.found(Finding(self.info.path, self._member_at, end - self._member_at, None, reason))
        self._rest.clear()
        self._held, self._pending = 0, b""
        self._skipped = True
        if following is None:
            self._ended = self._broken = True
        else:
            self._at = self._member_at = following
            self._is_proven = False

    def _next_member(self, following: bytes) -> None:
        """Go on behind a member that ended; zeros there are padding."""
        self._explain.plain_members += 1
        self._is_proven = self.makes_lines
        self._unpacker = zlib.decompressobj(_GZIP)
        while not self._skip_padding(following):
            following = self._read_file()
            if not following:
                self._ended = True
                return
        self._member_at = self._at - len(self._pending)

    def _skip_padding(self, packed: bytes) -> bool:
        """Take what comes next without the zeros before it; whether anything is left."""
        self._pending = packed.lstrip(b"\0")
        self._explain.padding_bytes += len(packed) - len(self._pending)
        return bool(self._pending)

    def _end_inside_member(self) -> None:
        if self._broken:
            return
        if self._may_be_torn:
            self._ended = True
            self._explain.torn_bytes += self._at - self._member_at
        else:
            self._stop("plain gzip ends inside a member")

    def _give_up(self, error: OSError) -> None:
        """The file cannot be read; one that was deleted on purpose ends here."""
        if was_deleted(self.info, error):
            self._ended = self._broken = True
        else:
            self._stop(f"shard cannot be read: {error.strerror}")

    def _stop(self, reason: str) -> None:
        """Give the rest of the region up, from the start of the member it happened in."""
        self._ended = self._broken = True
        length = self._end - self._member_at
        self._explain.found(Finding(self.info.path, self._member_at, length, None, reason))


def line_number(number: int | None, behind: PlainReader | None) -> int | None:
    """The number of a line in its shard, given its number behind a plain region; None where not known."""
    if number is None or behind is None:
        return number
    before = behind.lines_through
    return None if before is None else before + number
