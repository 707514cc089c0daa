"""Where settings are, without reading them: a bot that has none loads nothing to find that out."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from polyrecord.errors import ConfigError

NAME: Final = "polyrecord.toml"
CONFIG: Final = "POLYRECORD_CONFIG"
SECTIONS: Final = ("recorder", "source", "output", "retention")
PREFIXES: Final = tuple(f"POLYRECORD_{section.upper()}_" for section in SECTIONS)


def settings_file() -> Path | None:
    """`POLYRECORD_CONFIG`, else the nearest polyrecord.toml in the current directory or one above it.

    Raises ConfigError where the variable names no file.
    """
    named = os.environ.get(CONFIG)
    if named is not None:
        if named and not _is_file(Path(named)):
            raise ConfigError("no such settings file", path=named, hint=f"{CONFIG} names it")
        return Path(named).absolute() if named else None
    try:
        here = Path.cwd()
    except OSError:  # the directory is gone: so is what was in it
        return None
    found = (folder / NAME for folder in (here, *here.parents))
    return next((path for path in found if _is_file(path)), None)


def variables() -> dict[str, str]:
    """The environment variables that are settings of a section, by name."""
    return {name: value for name, value in os.environ.items() if name.startswith(PREFIXES)}


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # a directory above may be closed to us: a bot starts all the same
        return False
