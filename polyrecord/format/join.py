"""Several small blocks as one: the same lines under one header (docs/format.md, section 4). Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import NamedTuple, TypeAlias

from polyrecord.format import constants as c
from polyrecord.format.block import BlockHeader, BlockIndex, index_size, pack_block, parse_header, with_index
from polyrecord.format.block_keys import BlockKeys
from polyrecord.format.content import inflate

MOST_CONTENT = 512 << 10  # bytes of lines in a joined block, unless one of its parts has more
MOST_INDEX = 30_000  # bytes

KeysOf: TypeAlias = Callable[[bytes, BlockHeader], BlockKeys]
"""The keys of lines whose header lists none."""


class Joined(NamedTuple):
    """A block, and the keys of its lines for the directory."""

    member: bytes
    keys: BlockKeys


def join_blocks(members: Iterable[bytes], keys_of: KeysOf, *, listed: bool) -> Iterator[Joined]:
    """The blocks of one stream, in order, with neighbours joined as far as they fit; a large one alone.

    With `listed` their headers list their keys: a file without a directory needs that. Otherwise they are
    left to the directory, at half the size. What was lost between or inside blocks stays told by their
    ordinals. Raises BadHeader or BadBlock where one cannot be read; not more than one joined block is held
    in memory.
    """
    group = _Group(keys_of, listed=listed)
    for member in members:
        header = parse_header(member)
        if group.members and not group.has_room_for(header):
            yield group.joined()
            group = _Group(keys_of, listed=listed)
        group.add(member, header)
    if group.members:
        yield group.joined()


class _Group:
    """Neighbours that become one block."""

    def __init__(self, keys_of: KeysOf, *, listed: bool) -> None:
        self.members: list[bytes] = []
        self._keys_of, self._listed = keys_of, listed
        self._headers: list[BlockHeader] = []
        self._content = 0
        self._types: set[str] = set()
        self._flags = 0
        self._traces: set[int] = set()
        self._values: set[int] = set()

    def has_room_for(self, header: BlockHeader) -> bool:
        """Whether one more fits: its lines, what its header lists, and the same declared paths."""
        if self._content + header.content_length > MOST_CONTENT or header.paths != self._headers[0].paths:
            return False
        types = list(self._types | header.types.keys())
        return index_size(types, header.paths, self._listed_with(header)) <= MOST_INDEX

    def _listed_with(self, header: BlockHeader) -> int:
        """How many keys the joined block would list with one more."""
        if not self._listed:
            return 0
        new = set(header.trace_keys) - self._traces, set(header.value_keys) - self._values
        return len(self._traces) + len(self._values) + sum(map(len, new))

    def add(self, member: bytes, header: BlockHeader) -> None:
        """Take a block."""
        self.members.append(member)
        self._headers.append(header)
        self._content += header.content_length
        self._types |= header.types.keys()
        if not header.flags & c.UNINDEXED:
            self._gather(header)

    def joined(self) -> Joined:
        """All of them as one; of a single one nothing but the header is made anew."""
        contents = list(map(inflate, self.members, self._headers))
        for content, header in zip(contents, self._headers, strict=True):
            if header.flags & c.UNINDEXED:
                self._gather(self._keys_of(content, header))
        keys = BlockKeys(self._flags, self._headers[0].paths, sorted(self._traces), sorted(self._values))
        if len(self.members) > 1:
            return Joined(pack_block(b"".join(contents), self._index(keys)), keys)
        (member,) = self.members
        return Joined(member if self._listed else with_index(member, self._index(keys)), keys)

    def _gather(self, keys: BlockHeader | BlockKeys) -> None:
        self._flags |= keys.flags
        self._traces.update(keys.trace_keys)
        self._values.update(keys.value_keys)

    def _index(self, keys: BlockKeys) -> BlockIndex:
        index = _index(self._headers, keys.flags)
        if not self._listed or any(header.flags & c.UNINDEXED for header in self._headers):
            return replace(index, flags=keys.flags | c.UNINDEXED)
        return replace(index, trace_keys=keys.trace_keys, value_keys=keys.value_keys)


def _index(headers: Sequence[BlockHeader], flags: int) -> BlockIndex:
    types: Counter[str] = Counter()
    for header in headers:
        types.update(header.types)
    return BlockIndex(
        events=sum(header.events for header in headers),
        first_seq=min(header.first_seq for header in headers),
        last_seq=max(header.last_seq for header in headers),
        first_ordinal=min(header.first_ordinal for header in headers),
        last_ordinal=max(header.last_ordinal for header in headers),
        min_ts=min(header.min_ts for header in headers),
        max_ts=max(header.max_ts for header in headers),
        types=dict(types), lost=sum(header.lost for header in headers), flags=flags, paths=headers[0].paths,
    )  # fmt: skip
