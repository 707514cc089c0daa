"""The command line: parse -> ask -> render -> exit code, one file per group of commands."""
