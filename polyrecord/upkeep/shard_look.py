"""A look at a shard of an archive in use: where it lies now, and again where it changed meanwhile."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

from polyrecord.format.layout import ShardName
from polyrecord.read.pruned import was_pruned
from polyrecord.record.regular import open_regular
from polyrecord.upkeep.opening import open_shard, tell_unreadable
from polyrecord.upkeep.problems import Problem, Problems
from polyrecord.upkeep.shard_check import check_shard
from polyrecord.upkeep.shard_facts import ShardFacts

OnProgress: TypeAlias = Callable[[int, int], None]
"""Told how many bytes have been looked at, and of how many."""


class ShardLooks:
    """Looks at shards one after the other. Those that cannot be looked at go to the problems."""

    def __init__(self, root: Path, problems: Problems, total: int, on_progress: OnProgress | None) -> None:
        """`total` is the bytes of all shards that will be looked at."""
        self._root, self._problems = root, problems
        self._done, self._total, self._on_progress = 0, total, on_progress

    def look(self, name: ShardName) -> ShardFacts | None:
        """Facts of a shard; looked at again when it had problems and is not the file any more that it was."""
        facts = None
        while True:
            opened = self._open(name)
            if opened is None:
                return facts
            name, descriptor = opened
            try:
                before = os.fstat(descriptor)
                facts = check_shard(self._root, name, descriptor, self._advance)
            except OSError as error:
                tell_unreadable(name, error, self._problems)
                return None
            finally:
                os.close(descriptor)
            if not facts.problems or not self._has_changed(name, before):
                return facts
            self._done -= before.st_size

    def again(self, name: ShardName) -> ShardFacts | None:
        """Facts of a shard that was looked at before, None where it cannot be now; nothing is told."""
        try:
            descriptor = open_regular(self._root / name.path)
        except OSError:
            return None
        try:
            return check_shard(self._root, name, descriptor, lambda _: None)
        except OSError:
            return None
        finally:
            os.close(descriptor)

    def _open(self, name: ShardName) -> tuple[ShardName, int] | None:
        """The shard where it lies now; None, and a problem unless it was pruned, where it cannot be had."""
        try:
            return open_shard(self._root, name, self._problems)
        except FileNotFoundError:
            if not was_pruned(self._root, name):
                what = "shard has gone while the archive was verified"
                self._problems.add(Problem(name.path, what, events=None, loses=True), name.writer)
            return None

    def _has_changed(self, name: ShardName, before: os.stat_result) -> bool:
        try:
            now = (self._root / name.path).stat(follow_symlinks=False)
        except OSError:
            return True
        return _identity(now) != _identity(before)

    def _advance(self, more: int) -> None:
        self._done += more
        if self._on_progress is not None:
            self._on_progress(self._done, self._total)


def _identity(status: os.stat_result) -> tuple[int, int, int]:
    return status.st_ino, status.st_size, status.st_mtime_ns
