"""DuckDB in a box: it reaches no file, network, extension, Python variable or setting."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from polyrecord.report.feed import LineFile, line_file

_SETTINGS: Final = {
    "memory_limit": "75%",
    "max_temp_directory_size": "16GiB",
    "autoinstall_known_extensions": False,
    "autoload_known_extensions": False,
    "allow_persistent_secrets": False,
    "python_enable_replacements": False,  # else `from x` reads a variable x of this program
    "enable_external_file_cache": False,  # a file that is replaced is another one
    "timezone": "UTC",
}


@dataclass(frozen=True, slots=True)
class Box:
    """A connection that reaches `lines` and the files it was opened with, and nothing else, however asked."""

    connection: Any
    lines: LineFile


@contextmanager
def open_box(paths: Iterable[Path] = (), **settings: object) -> Iterator[Box]:
    """A box with an empty database. What does not fit into memory goes to a directory of its own.

    It reaches the files `paths` too; `settings` are DuckDB's, in place of the usual ones.
    """
    import duckdb

    with (
        line_file() as lines,
        TemporaryDirectory(prefix="polyrecord-") as spill,
        duckdb.connect(":memory:") as connection,
    ):
        # By default it spills into the current directory, and looks for its own things in the user's home.
        places = dict.fromkeys(
            ("temp_directory", "home_directory", "secret_directory", "extension_directory"), spill
        )
        for name, value in {**_SETTINGS, **places, **settings}.items():
            connection.execute(f"set {name} = $value", {"value": value})
        with suppress(duckdb.Error):  # in a notebook without ipywidgets even switching it off is refused
            connection.execute("set enable_progress_bar = false")
        connection.execute("set allowed_paths = $paths", {"paths": [lines.path, *map(str, paths)]})
        connection.execute("set enable_external_access = false")
        connection.execute("set lock_configuration = true")
        yield Box(connection, lines)
