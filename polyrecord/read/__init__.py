"""DISK -> EVENTS: find and prune shards, read blocks, merge writers, replay, trace, coverage.

As a function, `read("archive")` gives the events as tables: see polyrecord.report.frames.
"""

from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType
from typing import Any


class _Room(ModuleType):
    """A package that can be called: its name is also the verb that people look for in `polyrecord`."""

    def __call__(self, *arguments: Any, **options: Any) -> Any:
        # By name and when called: reading stands on its own, its tables are made by a room above it.
        return import_module("polyrecord.report.frames").read(*arguments, **options)


sys.modules[__name__].__class__ = _Room
