"""BYTES: lines, blocks, directories and names; pure. The specification is docs/format.md."""
