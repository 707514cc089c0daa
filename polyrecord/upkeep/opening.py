"""A shard of an archive in use, opened where it lies now; one that cannot be read is a problem."""

from __future__ import annotations

import errno
import os
from pathlib import Path

from polyrecord.format.layout import ShardName
from polyrecord.record.regular import open_regular
from polyrecord.upkeep.problems import Problem, Problems


def open_shard(root: Path, name: ShardName, problems: Problems) -> tuple[ShardName, int] | None:
    """The shard's name, another once it is sealed, and a descriptor; None, and a problem, where that fails.

    Raises FileNotFoundError where it lies nowhere.
    """
    for place in (name, name.as_sealed()):
        try:
            return place, open_regular(root / place.path)
        except FileNotFoundError:
            continue
        except OSError as error:
            tell_unreadable(place, error, problems)
            return None
    raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(root / name.path))


def tell_unreadable(name: ShardName, error: OSError, problems: Problems) -> None:
    """A shard cannot be opened, or read."""
    what = f"shard cannot be read: {error.strerror}"
    problems.add(Problem(name.path, what, events=None, loses=True), name.writer)
