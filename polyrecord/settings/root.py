"""Which archive is meant when none is named."""

from __future__ import annotations

import os
from pathlib import Path

from polyrecord.settings.files import settings_file

VARIABLE = "POLYRECORD_ROOT"


def archive_root(root: Path | str | None = None) -> Path:
    """The one given, else `POLYRECORD_ROOT`, else `root` of polyrecord.toml, else the current directory.

    In polyrecord.toml a path is relative to that file. Raises ConfigError where the file is wrong.
    """
    named = root if root is not None else os.environ.get(VARIABLE)
    if named:
        return Path(named)
    if settings_file() is None:
        return Path()
    from polyrecord.settings.load import load

    return load().root
