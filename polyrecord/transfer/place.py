"""Where a new archive is written: beside its place, which it takes when it is whole."""

from __future__ import annotations

import os
import shutil
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from polyrecord.errors import UsageError
from polyrecord.record.files import make_directory, sync_directory

TAR: Final = ".tar"
_DIR_MODE, _FILE_MODE = 0o750, 0o640


def check_out(out: Path) -> Path:
    """The absolute path; raises UsageError when something is there: an empty directory may be."""
    if out.is_dir() and not out.is_symlink() and out.suffix != TAR:
        if any(out.iterdir()):
            raise UsageError("directory is not empty", path=out, hint="name one that does not exist yet")
    elif os.path.lexists(out):
        raise UsageError("exists already", path=out, hint="name one that does not exist yet")
    return out.absolute()


@contextmanager
def new_archive(out: Path) -> Iterator[Path]:
    """An empty directory to write an archive to, moved to `out` at the end; after an error it goes away.

    Where `out` ends in `.tar`, a tar of it is moved there instead. Raises UsageError and OSError.
    """
    place = check_out(out)
    room = Path(tempfile.mkdtemp(prefix=f".{place.name}.", dir=_existing(place.parent)))
    try:
        root = room / (place.stem if place.suffix == TAR else place.name)
        root.mkdir(mode=_DIR_MODE)
        yield root
        make_directory(place.parent)
        (_packed(root) if place.suffix == TAR else root).rename(place)
        sync_directory(place.parent)
    finally:
        shutil.rmtree(room, ignore_errors=True)


def _existing(folder: Path) -> Path:
    """The folder, or the nearest above it that exists: on the same file system."""
    return next(above for above in (folder, *folder.parents) if above.is_dir())


def _packed(root: Path) -> Path:
    """A tar of a directory beside it, without the names of users."""
    packed = root.parent / f"packed{TAR}"
    with packed.open("xb") as file, tarfile.open(fileobj=file, mode="w") as tar:
        os.fchmod(file.fileno(), _FILE_MODE)
        tar.add(root, arcname=root.name, filter=_anonymous)
        tar.close()
        file.flush()
        os.fsync(file.fileno())
    return packed


def _anonymous(entry: tarfile.TarInfo) -> tarfile.TarInfo:
    entry.uid = entry.gid = 0
    entry.uname = entry.gname = ""
    return entry
