"""Runs commands one after the other, each in a process of its own that starts with everything loaded.

Reads `["info", "--root", ...]` a line from stdin and answers with a line of JSON: exit code (negative: the
signal that ended it), output, and the most memory it took beyond what it started with, in MiB.
"""

from __future__ import annotations

import json
import os
import resource
import signal
import sys
import tempfile
from typing import Any, Final

_SECONDS: Final = 60


def _child(arguments: list[str], out: int, err: int) -> None:
    from polyrecord.cli.app import main

    os.dup2(out, 1)
    os.dup2(err, 2)
    signal.alarm(_SECONDS)
    code = 99
    try:
        code = main(arguments)
    except BaseException:  # noqa: BLE001  # the parent is told of it
        import traceback

        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def run(arguments: list[str]) -> dict[str, Any]:
    """What became of one command."""
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        child = os.fork()
        if not child:
            _child(arguments, out.fileno(), err.fileno())
        _, status, usage = os.wait4(child, 0)
        started = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        texts = [
            os.pread(file.fileno(), 1 << 22, 0).decode("utf-8", "surrogateescape") for file in (out, err)
        ]
    code = -os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)
    return {"code": code, "out": texts[0], "err": texts[1], "mib": max(usage.ru_maxrss - started, 0) / 1024}


def main() -> None:
    """Answer until stdin ends."""
    import duckdb
    import msgspec
    import orjson
    import rich.table
    import typer

    assert all((duckdb, msgspec, orjson, rich.table, typer))
    from polyrecord.cli.lazy import COMMANDS

    COMMANDS.setdefault("repack", ("repack_", "repack_command", "Small blocks made large."))
    for line in sys.stdin:
        sys.stdout.write(json.dumps(run(json.loads(line))) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    os.environ |= {"NO_COLOR": "1", "COLUMNS": "100", "TZ": "UTC"}
    main()
