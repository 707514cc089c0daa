"""Archive to archive: a selection cut out of one, several merged into one."""
