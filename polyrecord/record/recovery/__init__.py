"""What a dead writer left: its open shards are made whole and sealed (docs/recovery.md)."""

from polyrecord.record.recovery.find import OpenWriter, State, find_dead, find_open
from polyrecord.record.recovery.recover import Failed, RecoveredWriter, recover_dead

__all__ = ["Failed", "OpenWriter", "RecoveredWriter", "State", "find_dead", "find_open", "recover_dead"]
