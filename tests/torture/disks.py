"""Disks to torture: small file systems that can be filled, frozen, cut off and made read-only."""

from __future__ import annotations

import contextlib
import fcntl
import os
import struct
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Final

_SHUTDOWN: Final = 0x8004587D  # FS_IOC_SHUTDOWN of ext4, XFS_IOC_GOINGDOWN of xfs
_NO_LOG_FLUSH: Final = 2
_MAKE: Final = {"ext4": ["mkfs.ext4", "-q", "-F", "-m", "0"], "xfs": ["mkfs.xfs", "-q", "-f"]}
_SIZE: Final = {"ext4": 64 << 20, "xfs": 320 << 20}  # xfs refuses less than 300 MB


def run(*command: str) -> None:
    """Run a command that must work."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise OSError(f"{' '.join(command)}: {done.stderr.strip() or done.returncode}")


class Disk:
    """A mounted file system."""

    def __init__(self, mount: Path, kind: str, image: Path | None) -> None:
        """See `tmpfs` and `loop`."""
        self.mount = mount
        self._kind = kind
        self._image = image

    def cut_power(self) -> None:
        """From here on the disk gets nothing more, the journal neither; what it has is what remains."""
        descriptor = os.open(self.mount, os.O_RDONLY)
        try:
            fcntl.ioctl(descriptor, _SHUTDOWN, struct.pack("I", _NO_LOG_FLUSH))
        finally:
            os.close(descriptor)

    def restart(self) -> None:
        """Unmount, and mount again as the next boot does."""
        run("umount", str(self.mount))
        self.attach()

    def attach(self) -> None:
        """Mount the image."""
        run("mount", "-o", "loop", str(self._image), str(self.mount))

    def abort(self) -> None:
        """Let the file system turn read-only under open files, as after an error of the disk."""
        run("mount", "-o", "remount,abort", str(self.mount))

    def freeze(self) -> None:
        """From here on every write waits."""
        run("fsfreeze", "-f", str(self.mount))

    def thaw(self) -> None:
        """End a freeze."""
        run("fsfreeze", "-u", str(self.mount))

    def fill(self, leave: int = 0) -> Path:
        """Take all room but `leave` bytes; remove the file to give it back."""
        filler = self.mount / "filler"
        stat = os.statvfs(self.mount)
        with filler.open("wb") as file:
            with contextlib.suppress(OSError):
                os.posix_fallocate(file.fileno(), 0, max(1, stat.f_bavail * stat.f_bsize - leave))
            if not leave:
                with contextlib.suppress(OSError):
                    while os.write(file.fileno(), bytes(4096)):
                        pass
        return filler

    def use_up_inodes(self, leave: int = 0) -> list[Path]:
        """Make empty files until there can be no more, then remove `leave` of them."""
        made: list[Path] = []
        with contextlib.suppress(OSError):
            while True:
                path = self.mount / f"inode{len(made)}"
                path.touch()
                made.append(path)
        for path in made[:leave]:
            path.unlink()
        return made[leave:]


@contextlib.contextmanager
def tmpfs(mount: Path, size: str = "1m", inodes: int = 1000) -> Iterator[Disk]:
    """A file system in memory, with little room."""
    run("mount", "-t", "tmpfs", "-o", f"size={size},nr_inodes={inodes}", "torture", str(mount))
    try:
        yield Disk(mount, "tmpfs", None)
    finally:
        _detach(mount)


@contextlib.contextmanager
def loop(mount: Path, kind: str = "ext4", size: int = 0) -> Iterator[Disk]:
    """A real file system in a file beside the mount point."""
    image = mount.with_name(f"{mount.name}.img")
    with image.open("wb") as file:
        file.truncate(size or _SIZE[kind])
    run(*_MAKE[kind], str(image))
    disk = Disk(mount, kind, image)
    disk.attach()
    try:
        yield disk
    finally:
        _detach(mount)
        image.unlink()


def _detach(mount: Path) -> None:
    if subprocess.run(["umount", str(mount)], capture_output=True, check=False).returncode:
        subprocess.run(["fsfreeze", "-u", str(mount)], capture_output=True, check=False)
        run("umount", "-l", str(mount))
