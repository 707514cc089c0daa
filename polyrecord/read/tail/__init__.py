"""The end of an archive, and what is added to it: last events, following, and where a reader stopped."""

from polyrecord.read.tail.iterate import Follow, follow

__all__ = ["Follow", "follow"]
