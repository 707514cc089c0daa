"""Which archive is meant when none is named."""

from __future__ import annotations

import os
from pathlib import Path

VARIABLE = "POLYRECORD_ROOT"


def archive_root(root: Path | str | None) -> Path:
    """The archive's directory: the one given, else `POLYRECORD_ROOT`, else the current directory."""
    return Path(root if root is not None else os.environ.get(VARIABLE) or ".")
