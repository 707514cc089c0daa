"""What DuckDB is asked by the rows on latency: the same numbers, from gzip JSON or typed Parquet."""

from __future__ import annotations

STAGES = (
    "ws_to_book_update_ms", "book_to_signal_ms", "signal_to_risk_ms", "risk_to_send_ms", "end_to_end_ms",
)  # fmt: skip
_TYPED = ", ".join(f"{stage} DOUBLE" for stage in STAGES)
COLUMNS = (
    f"{{ts: 'VARCHAR', seq: 'UBIGINT', event_type: 'VARCHAR', trace_id: 'VARCHAR', "
    f"data: 'STRUCT({_TYPED}, strategy VARCHAR)'}}"
)
LINES = f"read_json(?, columns={COLUMNS}, format='newline_delimited')"
FLAT = "ts, seq, trace_id, " + ", ".join(f"data.{stage}" for stage in STAGES) + ", data.strategy"
NUMBERS = ", ".join(
    f"count({stage}), min({stage}), avg({stage}), max({stage}), "
    f"quantile_cont({stage}, [0.5, 0.95, 0.99, 0.999])"
    for stage in STAGES
)
OVER_GZIP = f"""
import duckdb, sys
flat = "select {FLAT} from {LINES} where event_type = 'latency' and ts >= ?"
print(duckdb.execute(f"select {NUMBERS} from ({{flat}})", [sys.argv[2:], sys.argv[1]]).fetchall())
"""  # noqa: S608 - constants
OVER_PARQUET = f"""
import duckdb, sys
print(duckdb.execute("select {NUMBERS} from read_parquet(?)", [sys.argv[1]]).fetchall())
"""  # noqa: S608
MAKE_PARQUET = f"""
import duckdb, sys
flat = "select {FLAT} from {LINES} where event_type = 'latency' order by ts"
duckdb.execute(f"copy ({{flat}}) to '{{sys.argv[1]}}' (format parquet, compression zstd)", [sys.argv[2:]])
"""  # noqa: S608
INFLATE_AND_PARSE = f"""
import os, sys, tempfile
from concurrent.futures import ThreadPoolExecutor
from isal import igzip
def inflate(job):
    source, target = job
    with igzip.open(source) as lines, open(target, "wb") as file:
        while part := lines.read(1 << 20):
            file.write(part)
with tempfile.TemporaryDirectory(dir="/dev/shm" if os.path.isdir("/dev/shm") else None) as folder:
    names = [os.path.join(folder, str(number)) for number in range(len(sys.argv) - 1)]
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(inflate, zip(sys.argv[1:], names)))
    import duckdb
    flat = "select {FLAT} from {LINES}"
    sums = "{", ".join(f"sum({stage})" for stage in STAGES)}, count(ts), count(trace_id)"
    print(duckdb.execute(f"select {{sums}} from ({{flat}})", [names]).fetchall())
"""  # noqa: S608
