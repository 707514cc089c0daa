"""`connect`: recorded events as views of a DuckDB connection, for notebooks and programs."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from polyrecord.read.explain import Explain
from polyrecord.read.sources import open_source
from polyrecord.report.ask import paths_of, selection_of, warn_of
from polyrecord.report.feed import line_file
from polyrecord.report.views import Views

if TYPE_CHECKING:
    import duckdb


def connect(
    root: Path | str | None = None,
    *,
    since: str | int | None = None,
    until: str | int | None = None,
    types: Iterable[str] | None = None,
    where: Iterable[str] = (),
    files: Sequence[Path | str] = (),
) -> duckdb.DuckDBPyConnection:
    """A DuckDB connection with the view `events` and one per event type; what is selected is loaded now.

    `root` is POLYRECORD_ROOT or the current directory by default; `files` are single shards or logs in its
    place. Times are ns or text (`2026-11-20T12:00:00Z`, `-3h`, `today`), `since` inclusive, `until`
    exclusive; `where` are conditions such as `data.net_edge>0.5`. The connection is yours: it is not locked,
    and later events are not in it. Raises UsageError and DataError; damage that was read around is a
    UserWarning.
    """
    import duckdb

    selection, explain = selection_of(since, until, types, where), Explain()
    source = open_source(root, paths_of(files))
    connection = duckdb.connect(":memory:")
    try:
        # What does not fit into memory would go into the current directory.
        spill = os.path.join(tempfile.gettempdir(), f"polyrecord-{os.getpid()}")  # noqa: PTH118
        connection.execute("set temp_directory = $spill", {"spill": spill})
        connection.execute("set timezone = 'UTC'")
        with line_file() as lines:
            views = Views(connection, lines, source, selection, explain)
            views.need_all()
    except BaseException:
        connection.close()
        raise
    warn_of(explain, views)
    return connection
