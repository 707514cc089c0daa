"""How wide a table may be."""

from __future__ import annotations

import os
import sys
from typing import Final

_UNKNOWN: Final = 80  # where there is no terminal


def terminal_width() -> int:
    """Columns of the terminal, as COLUMNS or the system has it.

    That is what shutil.get_terminal_size tells, which loads every compressor there is.
    """
    try:
        columns = int(os.environ["COLUMNS"])
    except (KeyError, ValueError):
        columns = 0
    return columns if columns > 0 else _of_stdout() or _UNKNOWN


def _of_stdout() -> int:
    try:
        return os.get_terminal_size(sys.__stdout__.fileno()).columns if sys.__stdout__ else 0
    except (AttributeError, ValueError, OSError):
        return 0
