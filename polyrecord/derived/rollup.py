"""Roll-ups of a shard: histograms of each stage by minute, hour and day (docs/histograms.md)."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from glob import escape
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final, TypeAlias

from polyrecord.derived.histogram import CELL, PERIODS, Measured, count_cells, merge_cells, pointer
from polyrecord.derived.place import Derivable, publishing
from polyrecord.derived.tables import Table, read_made
from polyrecord.errors import DataError

Stages: TypeAlias = Mapping[str, tuple[str, str] | None]
KIND: Final = "histograms"
EVENT_TYPE: Final = "latency"
MOST_STAGES: Final = 256
FEW_IN_A_MINUTE: Final = 250  # events

_MODE: Final = 0o640
_FLAGS: Final = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
_MAGIC: Final = b"PAR1"  # the last bytes of every Parquet file
_MEMORY: Final = "1GiB"
_SETTINGS: Final = {
    "memory_limit": _MEMORY,
    "max_temp_directory_size": "16GiB",
    "autoinstall_known_extensions": False,
    "autoload_known_extensions": False,
    "python_enable_replacements": False,
    "preserve_insertion_order": False,
    "enable_progress_bar": False,
    "timezone": "UTC",
}

_MEASURED: Final = """
create or replace temp table measured as
select ts, seq, trace_id, json_extract_string(data, '/strategy') as strategy, {stages} as stages
from read_parquet($paths)
"""

_TOGETHER: Final = "(select * replace (null::varchar as strategy, false as rest) from days)"
_UNNAMED: Final = "create temp view unnamed as select * replace (null::varchar as strategy) from measured"

# `missing` is told by the cell without a stage: the events there are.
_LEVEL: Final = f"""
create temp table {{cells}}_told as
select '{{level}}' as level, {{together}} as together, {CELL.replace("negative,", "negative, missing,")}
from (
    select *,
        max(count) filter (where stage is null) over (partition by start_ns, strategy, rest)
            - count - negative as missing
    from {{cells}}
)
order by start_ns, stage nulls first, strategy nulls first, rest
"""  # noqa: S608  # constants of this program

_LEVELS: Final = (
    ("days_together", "day", True),
    ("days", "day", False),
    ("hours", "hour", False),
    ("minutes", "minute", True),
)

# One thread, in order, with the least row groups there are: days are then one of their own, and whoever reads
# them reads no hours.
_WRITE: Final = """
set threads = 1;
set preserve_insertion_order = true;
copy (
    from days_together_told union all from days_told union all from hours_told union all from minutes_told
) to $path (format parquet, parquet_version v2, compression zstd, row_group_size 1, use_tmp_file false)
"""


def derive_histograms(shard: Derivable) -> Path | None:
    """Make the histograms of a sealed shard from its typed table of latency events; where they are then.

    None where it has no such table, or one with more than 256 stages or a NUL in a stage's name. Raises
    DataError and OSError.
    """
    import duckdb

    made = read_made(shard)
    table = None if made is None or made.reason is not None else made.tables.get(EVENT_TYPE)
    if table is None or not can_be_rolled_up(table):
        return None
    try:
        with open_database() as connection, publishing(shard.path(KIND)) as hidden:
            _measure(connection, shard.path(EVENT_TYPE), table.stages)
            _count(connection, sorted(table.stages), finest_of(shard, table))
            connection.execute(_WRITE, {"path": str(hidden)})
            hidden.chmod(_MODE)
    except duckdb.Error as error:
        raise DataError(f"histograms cannot be made: {error}", path=shard.info.path) from error
    return shard.path(KIND)


def finest_of(shard: Derivable, table: Table) -> str:
    """The shortest period in a shard's histograms: where there is little in a minute it is an hour.

    Minutes would then take as much room as the shard, and an hour's lines are read in no time.
    """
    minutes = (shard.max_ts - shard.min_ts) / PERIODS["minute"] + 1
    return "minute" if table.rows / minutes >= FEW_IN_A_MINUTE else "hour"


def rolled_up(shard: Derivable) -> Path | None:
    """The file of a shard's histograms, None where it is not there, cut short or behind a link."""
    path = shard.path(KIND)
    if shard.folder.is_symlink():
        return None
    try:
        descriptor = os.open(path, _FLAGS)
    except OSError:
        return None
    try:
        status = os.fstat(descriptor)
        ends = os.pread(descriptor, len(_MAGIC), max(status.st_size - len(_MAGIC), 0))
        return path if stat.S_ISREG(status.st_mode) and ends == _MAGIC else None
    except OSError:
        return None
    finally:
        os.close(descriptor)


def can_be_rolled_up(table: Table) -> bool:
    """Whether histograms can be made of this table."""
    return len(table.stages) <= MOST_STAGES and not any("\0" in name for name in table.stages)


def _measure(connection: Any, table: Path, stages: Stages) -> None:
    """Make the table `measured` of a typed table; what no column holds is taken from the data."""
    values = ", ".join(_value(name, stages[name]) for name in sorted(stages))
    connection.execute(_MEASURED.format(stages=f"[{values}]::double[]"), {"paths": [escape(str(table))]})


def _value(name: str, column: tuple[str, str] | None) -> str:
    if column is None:
        return f"try_cast(json_extract(data, {_quoted(pointer(name), chr(39))})::varchar as double)"
    return f"{_quoted(column[0], chr(34))}::double"


def _quoted(text: str, quote: str) -> str:
    """A text as a literal or an identifier of SQL."""
    return quote + text.replace(quote, quote * 2) + quote


def _count(connection: Any, names: list[str], finest: str) -> None:
    """Make the tables of rows to be written, of the table `measured`."""
    count_cells(connection, Measured("measured", EVENT_TYPE, names), "hours", "hour")
    merge_cells(connection, "hours", "days", "day")
    merge_cells(connection, _TOGETHER, "days_together", "day")
    connection.execute("create temp table minutes as from hours limit 0")
    if finest == "minute":
        connection.execute(_UNNAMED)
        count_cells(connection, Measured("unnamed", EVENT_TYPE, names), "minutes", "minute")
    for cells, level, together in _LEVELS:
        connection.execute(_LEVEL.format(cells=cells, level=level, together=together))


@contextmanager
def open_database() -> Iterator[Any]:
    """An empty database; what does not fit into memory goes to a directory of its own."""
    import duckdb

    with TemporaryDirectory(prefix="polyrecord-") as spill, duckdb.connect(":memory:") as connection:
        for name, value in {**_SETTINGS, "temp_directory": spill}.items():
            connection.execute(f"set {name} = $value", {"value": value})
        yield connection
