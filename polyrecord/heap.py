"""The process's heap: what is freed stays with the process, where more of the same is to come."""

from __future__ import annotations

_kept = 0


def keep(size: int) -> None:
    """Have malloc keep about so many free bytes for what comes next; more than before, never less.

    glibc gives the end of its heap back to the system whenever 128 KiB of it are free, and each page that is
    used again is a fault. It learns from the largest piece that was mapped and freed how much to keep: twice
    that (mallopt(3), M_MMAP_THRESHOLD, "dynamic"). No page of the piece is touched. Another allocator is left
    as it is.
    """
    global _kept
    if size > _kept:
        _kept = size
        bytes(size // 2)
