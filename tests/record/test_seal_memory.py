"""Index keys of a shard that is being written lie in its headers, not in memory."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from polyrecord.format.layout import ShardName
from polyrecord.read.archive import Archive
from polyrecord.read.explain import Explain
from polyrecord.read.shard import open_shard
from polyrecord.record.shard_file import ShardFile
from tests.format.samples import block

NAME = ShardName("data/events", "20261120t120000.host.1.aaaa", 1, "2026-11-20", sealed=False)


def test_a_seal_reads_the_keys_of_each_block_from_its_header(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shard = ShardFile(tmp_path, NAME, 0)
    for number in range(20):
        shard.append(block(1 + 10 * number, 10))
    asked: list[int] = []
    pread = os.pread

    def watched(descriptor: int, length: int, offset: int) -> bytes:
        asked.append(offset)
        return pread(descriptor, length, offset)

    monkeypatch.setattr("polyrecord.record.files.os.pread", watched)
    shard.seal(clean=True)
    monkeypatch.undo()

    assert len(asked) == 20
    (info,) = Archive(tmp_path).shards()
    index = open_shard(info, Explain(strict=True))
    assert index is not None
    offsets = [record[0] for record in index.records()]
    assert asked == offsets
    assert index.table.has_keys


def test_a_header_damaged_meanwhile_costs_its_block_the_index_and_nothing_else(tmp_path: Path) -> None:
    shard = ShardFile(tmp_path, NAME, 0)
    for number in range(3):
        shard.append(block(1 + 10 * number, 10))
    path = tmp_path / NAME.path
    content = bytearray(path.read_bytes())
    content[len(block(1, 10)) + 40] ^= 1
    path.write_bytes(content)
    shard.seal(clean=True)
    (info,) = Archive(tmp_path).shards()
    index = open_shard(info, Explain())
    assert index is not None
    assert [record[4] for record in index.records()] == [0, 2, 0]
