"""The settings of recorders, for a recorder that is being made."""

from __future__ import annotations

from typing import Any

from polyrecord.settings.files import settings_file, variables


def recorder_settings() -> dict[str, Any]:
    """What polyrecord.toml and the environment say of recorders, by name; raises ConfigError.

    A bot without either loads no library for it.
    """
    if settings_file() is None and not variables():
        return {}
    from polyrecord.settings.load import load

    return load().told("recorder")
