"""DISK -> EVENTS: find and prune shards, read blocks, merge writers, replay, trace, coverage."""
