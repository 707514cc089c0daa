"""Random corruptions of a shard, and an oracle that knows what was recorded (docs/format.md, section 6).

Whatever is done to the bytes: a line that is read is one that was recorded, in order and once; what is not
read is reported with file, offset and events; nothing is reported lost that is read.
"""

from __future__ import annotations

import random
import shutil
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, TypeAlias

from polyrecord.errors import DataError
from polyrecord.format.block import BlockIndex, pack_block
from polyrecord.read.archive import Archive
from polyrecord.read.coverage import coverage
from polyrecord.read.explain import Explain
from polyrecord.read.replay import Replay
from polyrecord.read.selection import Selection
from tests.format.samples import START, line, shard

NAME: Final = "events-20261120t120000.host.1.aaaa-0001.jsonl.gz"
_MOST_AT_ONCE: Final = 3
_KEPT: Final = 10
_GAPS: Final = {3: 4, 7: 1}  # events lost before these blocks, by number
_LOST: Final = sum(_GAPS.values())

Corrupt: TypeAlias = Callable[[random.Random, bytearray], None]


@dataclass(slots=True)
class CorruptionResult:
    """What became of the corruptions tried.

    `undetected` counts losses that nothing reports, `wrong` readings with a line that was never recorded, out
    of order or twice, `false_alarms` readings that report more events lost than are missing, `raised` those
    that ended in an error; `lenient` says where --strict did not raise. `examples` describe the first.
    """

    tried: int = 0
    harmless: int = 0
    lines_lost: int = 0
    undetected: int = 0
    wrong: int = 0
    false_alarms: int = 0
    raised: int = 0
    lenient: int = 0
    examples: list[str] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """Whether nothing went wrong."""
        return not (self.undetected or self.wrong or self.false_alarms or self.raised or self.lenient)

    def fail(self, what: str, example: str) -> None:
        """Count one failure and keep its description."""
        setattr(self, what, getattr(self, what) + 1)
        if len(self.examples) < _KEPT:
            self.examples.append(f"{what}: {example}")


def run(count: int, seed: int, root: Path) -> CorruptionResult:
    """Corrupt a shard `count` times, from one to three times each, and read it; `root` is emptied."""
    chance = random.Random(seed)
    result = CorruptionResult()
    originals = {sealed: sample(seed, sealed=sealed) for sealed in (True, False)}
    for number in range(count):
        sealed = chance.random() < 0.6
        data, lines = originals[sealed]
        damaged, done = _corrupted(data, chance)
        example = f"seed {seed}, number {number}, {'sealed' if sealed else 'open'}: {', '.join(done)}"
        place(root, damaged, sealed=sealed)
        _judge(root, lines, example, result, sealed=sealed)
        result.tried += 1
    shutil.rmtree(root, ignore_errors=True)
    return result


def corruption(seed: int, number: int) -> tuple[bytes, bytes, bool]:
    """The original shard, the one that `run` made of it in that step, and whether it is sealed."""
    chance = random.Random(seed)
    for _ in range(number + 1):
        sealed = chance.random() < 0.6
        data, _lines = sample(seed, sealed=sealed)
        damaged, _done = _corrupted(data, chance)
    return data, damaged, sealed


def sample(seed: int, *, sealed: bool) -> tuple[bytes, list[bytes]]:
    """A shard of small blocks, some of them not compressible, with two gaps; and its lines."""
    chance = random.Random(seed)
    members: list[bytes] = []
    lines: list[bytes] = []
    seq = 1
    for number in range(12):
        seq += _GAPS.get(number, 0)
        count = chance.choice((1, 2, 5, 12, 30))
        noise = number % 4 == 0
        own = [line(seq + at, note=chance.randbytes(300 if noise else 4).hex()) for at in range(count)]
        index = BlockIndex(
            count, seq, seq + count - 1, seq, seq + count - 1, START + seq, START + seq + count - 1,
            {"signal": count}, trace_keys=range(seq, seq + count),
        )  # fmt: skip
        members.append(pack_block(b"".join(own), index, level=0 if noise else 1))
        lines += [each[:-1] for each in own]
        seq += count
    return shard(members) if sealed else b"".join(members), lines


def _corrupted(data: bytes, chance: random.Random) -> tuple[bytes, list[str]]:
    damaged, done = bytearray(data), []
    for _ in range(chance.randint(1, _MOST_AT_ONCE)):
        corrupt = chance.choice(_KINDS)
        before = bytes(damaged)
        corrupt(chance, damaged)
        done.append(f"{corrupt.__name__[1:]} at {_first_difference(before, damaged)}")
    return bytes(damaged), done


def _first_difference(before: bytes, after: bytearray) -> int:
    for at, (one, other) in enumerate(zip(before, after, strict=False)):
        if one != other:
            return at
    return min(len(before), len(after))


def _range(chance: random.Random, data: bytearray) -> tuple[int, int]:
    start = chance.randrange(len(data))
    return start, min(start + chance.choice((1, 3, 16, 80, 400, 2000, 4096)), len(data))


def _flip_bit(chance: random.Random, data: bytearray) -> None:
    data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)


def _flip_byte(chance: random.Random, data: bytearray) -> None:
    data[chance.randrange(len(data))] ^= chance.randint(1, 255)


def _flip_in_a_header(chance: random.Random, data: bytearray) -> None:
    """Most bytes of a shard are lines; what is told of them sits in a few."""
    starts, at = [], data.find(b"\x1f\x8b\x08\x04")
    while at >= 0:
        starts.append(at)
        at = data.find(b"\x1f\x8b\x08\x04", at + 1)
    if starts:
        at = chance.choice(starts) + chance.randrange(100)
        data[min(at, len(data) - 1)] ^= chance.randint(1, 255)


def _cut(chance: random.Random, data: bytearray) -> None:
    start, end = _range(chance, data)
    if end - start < len(data):
        del data[start:end]


def _cut_the_end(chance: random.Random, data: bytearray) -> None:
    del data[max(len(data) - chance.choice((1, 8, 100, 146, 400, 3000)), 1) :]


def _insert(chance: random.Random, data: bytearray) -> None:
    start, end = _range(chance, data)
    data[start:start] = chance.randbytes(end - start)


def _duplicate(chance: random.Random, data: bytearray) -> None:
    start, end = _range(chance, data)
    at = chance.choice((end, chance.randrange(len(data))))
    data[at:at] = data[start:end]


def _duplicate_a_member(chance: random.Random, data: bytearray) -> None:
    starts, at = [], data.find(b"\x1f\x8b\x08\x04")
    while at >= 0:
        starts.append(at)
        at = data.find(b"\x1f\x8b\x08\x04", at + 1)
    if len(starts) > 2:
        which = chance.randrange(len(starts) - 1)
        at = starts[chance.randrange(len(starts))]
        data[at:at] = data[starts[which] : starts[which + 1]]


def _swap(chance: random.Random, data: bytearray) -> None:
    (a, b), (x, y) = sorted((_range(chance, data), _range(chance, data)))
    if b <= x:
        data[a:y] = data[x:y] + data[b:x] + data[a:b]


def _zero(chance: random.Random, data: bytearray) -> None:
    start, end = _range(chance, data)
    data[start:end] = bytes(end - start)


_KINDS: Final[tuple[Corrupt, ...]] = (
    _flip_bit, _flip_byte, _flip_in_a_header, _cut, _cut_the_end, _insert, _duplicate, _duplicate_a_member,
    _swap, _zero,
)  # fmt: skip


def place(root: Path, data: bytes, *, sealed: bool) -> Path:
    """Make an archive of one shard; the shard's path."""
    date = root / "data/events/date=2026-11-20"
    path, other = (date / NAME, date / "_open" / NAME) if sealed else (date / "_open" / NAME, date / NAME)
    path.parent.mkdir(parents=True, exist_ok=True)
    other.unlink(missing_ok=True)
    path.write_bytes(data)
    return path


def _judge(root: Path, lines: list[bytes], example: str, result: CorruptionResult, *, sealed: bool) -> None:
    explain = Explain()
    try:
        got = list(Replay(Archive(root), Selection(), explain=explain).lines())
    except Exception as error:  # noqa: BLE001  # any error at all is what is looked for
        result.fail("raised", f"{example}: {error!r}")
        return
    if not _is_subsequence(got, lines):
        result.fail("wrong", f"{example}: {_what_is_wrong(got, lines)}")
    missing = len(lines) - len(got)
    result.lines_lost += max(missing, 0)
    known = sum(finding.events or 0 for finding in explain.damage)
    vague = (
        explain.torn_bytes
        or explain.padding_bytes
        or any(finding.events is None for finding in explain.damage)
    )
    expected = missing if sealed else _missing_inside(got, lines)
    if expected > 0 and known < expected and not vague and known + _jumps(root) < expected:
        result.fail("undetected", f"{example}: {missing} missing, {known} told")
    if known > max(missing, 0) + _LOST:
        result.fail("false_alarms", f"{example}: {missing} missing, {known} told")
    if not explain.damage:
        result.harmless += 1
        return
    _judge_strict(root, example, result)


def _missing_inside(got: list[bytes], lines: list[bytes]) -> int:
    """Lines missing before the last that was read: an open shard cut at the edge of a member is whole."""
    return lines.index(got[-1]) + 1 - len(got) if got and got[-1] in lines else 0


def _jumps(root: Path) -> int:
    """Events missing by ordinals alone, as where a range was cut exactly at the edges of members."""
    found = coverage(Archive(root))
    return found.lost + found.unknown


def _judge_strict(root: Path, example: str, result: CorruptionResult) -> None:
    try:
        for _ in Replay(Archive(root), Selection(), explain=Explain(strict=True)).lines():
            pass
    except DataError:
        return
    result.fail("lenient", example)


def _is_subsequence(got: list[bytes], lines: list[bytes]) -> bool:
    rest = iter(lines)
    return all(each in rest for each in got)


def _what_is_wrong(got: list[bytes], lines: list[bytes]) -> str:
    counts, known = Counter(got), set(lines)
    strange = [each for each in got if each not in known]
    twice = [each for each, count in counts.items() if count > 1]
    if strange:
        return f"{len(strange)} lines never recorded: {strange[0][:120]!r}"
    return f"{len(twice)} lines twice: {twice[0][:60]!r}" if twice else "out of order"
