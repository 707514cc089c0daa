"""Made the files under golden/, once. Run it only for a new version of the format: the old files stay.

python -m tests.format.make_golden
"""

from __future__ import annotations

import gzip
import json
from pathlib import Path

from polyrecord.format.block import BlockIndex, pack_block
from polyrecord.format.constants import OPAQUE, VERSION
from polyrecord.ids import normal_id, trace_key, value_key
from polyrecord.times import format_ts
from tests.format.samples import START, shard
from tests.format.spec import block_of

GOLDEN = Path(__file__).parent / "golden"
TRACES = ("4F1C09AA-37D2-4B8E-9D55-0A6BE0C1D2E3", "b2e8", "run №7")


def _line(seq: int) -> bytes:
    envelope = {"bot_id": "golden", "intent_id": f"I-{seq}"} if seq % 3 == 0 else {}
    event = {
        "ts": format_ts(START + seq * 1_000_000_007), "seq": seq,
        "event_type": ("signal", "fill", "made_up_by_the_bot")[seq % 3], "trace_id": TRACES[seq % 3],
        **envelope, "data": {"order_id": f"A-{seq}", "price": "0.10", "note": "é ☃ \U0001f600", "n": seq},
    }  # fmt: skip
    return json.dumps(event, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


def _block(first: int, count: int) -> bytes:
    lines = [_line(seq) for seq in range(first, first + count)]
    events = [json.loads(line) for line in lines]
    types = [event["event_type"] for event in events]
    values = {f"A-{e['seq']}" for e in events} | {str(e["seq"]) for e in events}
    values |= {e["intent_id"] for e in events if "intent_id" in e}
    stamps = [START + event["seq"] * 1_000_000_007 for event in events]
    index = BlockIndex(
        events=count, first_seq=first, last_seq=first + count - 1, first_ordinal=first,
        last_ordinal=first + count - 1, min_ts=stamps[0], max_ts=stamps[-1],
        types={name: types.count(name) for name in dict.fromkeys(types)}, flags=OPAQUE, paths=("data.n",),
        trace_keys=sorted({trace_key(normal_id(event["trace_id"])) for event in events}),
        value_keys=sorted({value_key(value) for value in values}),
    )  # fmt: skip
    return pack_block(b"".join(lines), index)


def main() -> None:
    """Write the files of this version that are not there yet."""
    blocks = [_block(1, 12), _block(13, 1), _block(17, 30)]  # 14 to 16 were lost
    sealed, open_ = shard(blocks), b"".join(blocks) + blocks[0][:100]
    for name, data in (("sealed", sealed), ("torn", open_)):
        path = GOLDEN / f"v{VERSION}-{name}.jsonl.gz"
        if path.exists():
            continue
        path.write_bytes(data)
        expected = {
            "lines": gzip.decompress(b"".join(blocks)).decode().splitlines(),
            "blocks": [block_of(block) for block in blocks],
            "torn_bytes": 0 if name == "sealed" else 100,
        }
        text = json.dumps(expected, ensure_ascii=False, indent=1) + "\n"
        path.with_name(f"v{VERSION}-{name}.expected.json").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
