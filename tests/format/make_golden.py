"""Made the files under golden/, once. Run it only for a new version of the format: the old files stay.

python -m tests.format.make_golden
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Sequence
from dataclasses import replace
from hashlib import md5
from itertools import pairwise
from pathlib import Path

from polyrecord.format.block import BlockIndex, pack_block
from polyrecord.format.block_keys import BlockKeys
from polyrecord.format.constants import OPAQUE, UNINDEXED, VERSION
from polyrecord.ids import normal_id, trace_key, value_key
from polyrecord.times import format_ts
from tests.format.samples import START, shard
from tests.format.spec import block_of

GOLDEN = Path(__file__).parent / "golden"
TRACES = ("4F1C09AA-37D2-4B8E-9D55-0A6BE0C1D2E3", "b2e8", "run №7")


KEYED = (1, 31, 32, 80, 150, 240, 301)  # first seqs of blocks, each trace in several, and the end
UNLISTED = 3  # the block whose header lists no keys


def _line(seq: int, trace_id: str) -> bytes:
    envelope = {"bot_id": "golden", "intent_id": f"I-{seq}"} if seq % 3 == 0 else {}
    event = {
        "ts": format_ts(START + seq * 1_000_000_007), "seq": seq,
        "event_type": ("signal", "fill", "made_up_by_the_bot")[seq % 3], "trace_id": trace_id,
        **envelope, "data": {"order_id": f"A-{seq}", "price": "0.10", "note": "é ☃ \U0001f600", "n": seq},
    }  # fmt: skip
    return json.dumps(event, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


def _traced(seq: int) -> bytes:
    """A line of one of seventy traces that come again after a hundred lines."""
    digest = md5(b"trace %d" % (seq % 100 * 7 // 10), usedforsecurity=False).hexdigest()
    return _line(seq, "run №7" if seq % 50 == 0 else digest)


def _keys(lines: Sequence[bytes]) -> BlockKeys:
    events = [json.loads(line) for line in lines]
    values = {f"A-{e['seq']}" for e in events} | {str(e["seq"]) for e in events}
    values |= {e["intent_id"] for e in events if "intent_id" in e}
    traces = {trace_key(normal_id(event["trace_id"])) for event in events}
    return BlockKeys(OPAQUE, ("data.n",), sorted(traces), sorted(value_key(value) for value in values))


def _index(lines: Sequence[bytes]) -> BlockIndex:
    events, keys = [json.loads(line) for line in lines], _keys(lines)
    types = [event["event_type"] for event in events]
    first, last = events[0]["seq"], events[-1]["seq"]
    return BlockIndex(
        events=len(lines), first_seq=first, last_seq=last, first_ordinal=first, last_ordinal=last,
        min_ts=START + first * 1_000_000_007, max_ts=START + last * 1_000_000_007,
        types={name: types.count(name) for name in dict.fromkeys(types)}, flags=keys.flags, paths=keys.paths,
        trace_keys=keys.trace_keys, value_keys=keys.value_keys,
    )  # fmt: skip


def _block(first: int, count: int) -> bytes:
    lines = [_line(seq, TRACES[seq % 3]) for seq in range(first, first + count)]
    return pack_block(b"".join(lines), _index(lines))


def _keyed() -> tuple[list[bytes], bytes]:
    """Blocks, and a shard of them whose directory alone has the keys of one."""
    lines = [[_traced(seq) for seq in range(*ends)] for ends in pairwise(KEYED)]
    indexes = list(map(_index, lines))
    bare = replace(indexes[UNLISTED], flags=OPAQUE | UNINDEXED, trace_keys=(), value_keys=())
    indexes[UNLISTED] = bare
    blocks = [pack_block(b"".join(own), index) for own, index in zip(lines, indexes, strict=True)]
    return blocks, shard(blocks, unlisted={UNLISTED: _keys(lines[UNLISTED])})


def _write(name: str, data: bytes, blocks: Sequence[bytes], torn_bytes: int = 0) -> None:
    path = GOLDEN / f"v{VERSION}-{name}.jsonl.gz"
    if path.exists():
        return
    path.write_bytes(data)
    expected = {
        "lines": gzip.decompress(b"".join(blocks)).decode().splitlines(),
        "blocks": [block_of(block) for block in blocks],
        "torn_bytes": torn_bytes,
    }
    text = json.dumps(expected, ensure_ascii=False, indent=1) + "\n"
    path.with_name(f"v{VERSION}-{name}.expected.json").write_text(text, encoding="utf-8")


def main() -> None:
    """Write the files of this version that are not there yet."""
    blocks = [_block(1, 12), _block(13, 1), _block(17, 30)]  # 14 to 16 were lost
    _write("sealed", shard(blocks), blocks)
    _write("torn", b"".join(blocks) + blocks[0][:100], blocks, torn_bytes=100)
    keyed, sealed = _keyed()
    _write("keys", sealed, keyed)


if __name__ == "__main__":
    main()
