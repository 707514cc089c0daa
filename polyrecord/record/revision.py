"""The git revision of the program that runs, read from the repository's files: no program is started."""

from __future__ import annotations

import re
import sys
from pathlib import Path

_MOST_BYTES = 1 << 20
_HASH = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?\Z")


def git_revision(start: Path | None = None) -> str | None:
    """The commit checked out where the program lies, else in the current directory; None without one."""
    for folder in [start] if start is not None else [_program_folder(), Path.cwd()]:
        found = None if folder is None else _revision_above(folder)
        if found is not None:
            return found
    return None


def _program_folder() -> Path | None:
    script = getattr(sys.modules.get("__main__"), "__file__", None)
    return Path(script).resolve().parent if script else None


def _revision_above(folder: Path) -> str | None:
    for place in (folder, *folder.parents):
        if (place / ".git").exists():
            try:
                return _head(_git_folder(place / ".git"))
            except (OSError, ValueError):
                return None
    return None


def _git_folder(entry: Path) -> Path:
    """A worktree has a file there that names the folder."""
    if entry.is_dir():
        return entry
    return (entry.parent / _text(entry).removeprefix("gitdir:").strip()).resolve()


def _head(git: Path) -> str | None:
    head = _text(git / "HEAD")
    if not head.startswith("ref:"):
        return _checked(head)
    name = head.removeprefix("ref:").strip()
    common = git / _text(git / "commondir") if (git / "commondir").exists() else git
    for folder in (git, common):
        if (folder / name).is_file():
            return _checked(_text(folder / name))
    packed = _text(common / "packed-refs").splitlines()
    return next((_checked(line.split()[0]) for line in packed if line.endswith(f" {name}")), None)


def _checked(text: str) -> str | None:
    return text if _HASH.match(text) else None


def _text(path: Path) -> str:
    with path.open("rb") as file:
        return file.read(_MOST_BYTES).decode().strip()
