"""Several small blocks as one: the same lines under one header (docs/format.md, section 4). Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from polyrecord.format.block import BlockHeader, BlockIndex, index_size, inflate, pack_block, parse_header

MOST_CONTENT = 256 << 10  # bytes of lines in a joined block, unless one of its parts has more
MOST_INDEX = 30_000  # bytes


def join_blocks(members: Iterable[bytes]) -> Iterator[bytes]:
    """The blocks of one stream, in order, with neighbours joined as far as they fit; a large one as it is.

    What was lost between or inside them stays told by their ordinals. Raises BadHeader or BadBlock where one
    cannot be read; not more than one joined block is held in memory.
    """
    group = _Group()
    for member in members:
        header = parse_header(member)
        if group.members and not group.has_room_for(header):
            yield group.joined()
            group = _Group()
        group.add(member, header)
    if group.members:
        yield group.joined()


class _Group:
    """Neighbours that become one block."""

    def __init__(self) -> None:
        self.members: list[bytes] = []
        self._headers: list[BlockHeader] = []
        self._content = 0
        self._types: set[str] = set()
        self._keys: set[int] = set()
        self._values: set[int] = set()

    def has_room_for(self, header: BlockHeader) -> bool:
        """Whether one more fits: its lines, its keys, and the same declared paths."""
        if self._content + header.content_length > MOST_CONTENT or header.paths != self._headers[0].paths:
            return False
        keys = len(self._keys.union(header.trace_keys)) + len(self._values.union(header.value_keys))
        return index_size(list(self._types | header.types.keys()), header.paths, keys) <= MOST_INDEX

    def add(self, member: bytes, header: BlockHeader) -> None:
        """Take a block."""
        self.members.append(member)
        self._headers.append(header)
        self._content += header.content_length
        self._types |= header.types.keys()
        self._keys.update(header.trace_keys)
        self._values.update(header.value_keys)

    def joined(self) -> bytes:
        """All of them as one; a single one is not touched."""
        if len(self.members) == 1:
            return self.members[0]
        content = b"".join(map(inflate, self.members, self._headers))
        return pack_block(content, _index(self._headers, sorted(self._keys), sorted(self._values)))


def _index(headers: Sequence[BlockHeader], keys: Sequence[int], values: Sequence[int]) -> BlockIndex:
    types: Counter[str] = Counter()
    flags = 0
    for header in headers:
        types.update(header.types)
        flags |= header.flags
    return BlockIndex(
        events=sum(header.events for header in headers),
        first_seq=min(header.first_seq for header in headers),
        last_seq=max(header.last_seq for header in headers),
        first_ordinal=min(header.first_ordinal for header in headers),
        last_ordinal=max(header.last_ordinal for header in headers),
        min_ts=min(header.min_ts for header in headers),
        max_ts=max(header.max_ts for header in headers),
        types=dict(types), lost=sum(header.lost for header in headers), flags=flags,
        paths=headers[0].paths, trace_keys=keys, value_keys=values,
    )  # fmt: skip
