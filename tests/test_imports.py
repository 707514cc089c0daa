"""A bot that records loads none of the libraries that only answers need."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

HEAVY = {
    "aiofiles", "asyncio", "duckdb", "msgspec", "numpy", "pandas", "polars", "pyarrow", "pydantic", "rich",
    "typer",
}  # fmt: skip
TELL = "\nimport json, sys\nprint(json.dumps(sorted({name.partition('.')[0] for name in sys.modules})))"

# Of Python's own: what costs a start milliseconds, and who records has no use for.
IDLE = {"email", "http", "multiprocessing", "socket", "ssl", "subprocess", "tomllib", "zoneinfo"}

IMPORT = "import polyrecord"
BOT = "from polyrecord import EdgeBreakdown, EventRecorder, TraceContext, record_latency"
MADE = f"{BOT}\nEventRecorder('nowhere')"
ZONED = f"{BOT}\nEventRecorder('nowhere', local_zone='Asia/Kolkata')"
RECORD = """
import sys
from decimal import Decimal
from polyrecord import EdgeBreakdown, TraceContext, configure
from polyrecord import log_event, record_decision, record_latency, stage
from polyrecord import edge, metrics, recorder, telemetry

with configure(root=sys.argv[1]) as bot:
    with TraceContext() as trace:
        bot.record("note", {"price": Decimal("0.48")})
        bot.record_raw(b'{"bids":[]}', source="venue")
        bot.record_orderbook_snapshot("1", [["0.48", "10"]], [["0.52", "10"]])
        log_event("opportunity_detected", {"profit": "1.23"})
        record_latency(book_to_signal_ms=5.2)
        record_decision(EdgeBreakdown(gross_edge="1"), strategy="atomic")
        with stage("book_to_signal"):
            pass
    assert bot.flush().wait(10).ok
"""


def _loaded(program: str, *arguments: str) -> set[str]:
    command = [sys.executable, "-c", program + TELL, *arguments]
    result = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert result.returncode == 0, result.stderr
    modules: list[str] = json.loads(result.stdout)
    return set(modules)


def test_importing_the_package_loads_nothing_heavy() -> None:
    loaded = _loaded(IMPORT)

    assert "polyrecord" in loaded
    assert loaded & (HEAVY | {"orjson", "isal"}) == set()


def test_the_names_a_bot_imports_load_no_more_than_they_need() -> None:
    loaded = _loaded(BOT)

    assert "orjson" in loaded
    assert loaded & (HEAVY | IDLE | {"isal", "re2"}) == set()


def test_a_recorder_has_loaded_what_its_threads_use_and_nothing_else() -> None:
    loaded = _loaded(MADE)

    assert {"isal", "re2"} <= loaded, "what a thread loads while the process forks no child can load"
    assert loaded & (HEAVY | IDLE) == set()
    assert "zoneinfo" in _loaded(ZONED)


def test_recording_to_disk_loads_nothing_heavy(tmp_path: Path) -> None:
    loaded = _loaded(RECORD, str(tmp_path))

    assert {"orjson", "isal"} <= loaded
    assert loaded & (HEAVY | IDLE) == set()
    assert len(list(tmp_path.glob("*/*/date=*/*.jsonl.gz"))) == 4, "one shard of each default stream"


def test_the_check_would_see_a_heavy_library() -> None:
    assert "asyncio" in _loaded("import asyncio")
