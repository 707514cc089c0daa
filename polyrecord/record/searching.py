"""RE2 patterns in a process that may fork.

RE2 gives the interpreter lock away and keeps locks of its own inside a compiled pattern, which it shares with
every other use of the same pattern. A fork in the middle of a search would leave them locked in the child for
ever. So no thread searches while the process forks.
"""

from __future__ import annotations

import os
import threading
from typing import Any

_searching = threading.RLock()


def _fresh_lock() -> None:
    global _searching
    _searching = threading.RLock()


os.register_at_fork(
    before=lambda: _searching.acquire(),  # noqa: PLW0108 - of whatever is the lock then
    after_in_parent=lambda: _searching.release(),  # noqa: PLW0108
    after_in_child=_fresh_lock,
)


class Pattern:
    """A compiled pattern; its methods are RE2's."""

    __slots__ = ("_compiled",)

    def __init__(self, compiled: Any) -> None:
        self._compiled = compiled

    def search(self, text: Any, *where: int) -> Any:
        """The first match, or None."""
        with _searching:
            return self._compiled.search(text, *where)

    def sub(self, replacement: Any, text: Any) -> Any:
        """The text with every match replaced."""
        with _searching:
            return self._compiled.sub(replacement, text)
