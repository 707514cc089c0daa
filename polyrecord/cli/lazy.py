"""Commands by name, each loaded when it is called: `polyrecord trace` need not load what `sql` needs."""

from __future__ import annotations

from importlib import import_module
from typing import Any, Final

# name -> module, function, what --help of the whole says of it; in the order it lists them
COMMANDS: Final[dict[str, tuple[str, str, str]]] = {
    "summarize": ("statistics", "summarize_command", "Where the latency went, stage by stage."),
    "edge": ("statistics", "edge_command", "Where the edge went: gross, costs, net, and why not."),
    "trace": ("stories", "trace_command", "Everything of one trace, in order."),
    "grep": ("search", "grep_command", "Events whose line holds a text."),
    "tail": ("tail_", "tail_command", "The last events, and those to come."),
    "replay": ("stories", "replay_command", "The recorded lines, byte for byte, in order."),
    "sql": ("sql_", "sql_command", "Questions in SQL: one, or at a prompt."),
    "info": ("stories", "info_command", "What there is: streams, shards, types, counts."),
    "schema": ("checks", "schema_command", "Event types and their fields."),
    "validate": ("checks", "validate_command", "Every event against the catalogue."),
    "record": ("record_", "record_command", "JSON lines on a pipe become recorded events."),
    "import": ("import_", "import_command", "Logs and frames of other systems into an archive."),
    "cut": ("transfer", "cut_command", "A selection as a small archive of its own."),
    "merge": ("transfer", "merge_command", "Several archives into one."),
    "verify": ("verify_", "verify_command", "Every byte checked, and what is missing."),
    "seal": ("recover_", "seal_command", "Shards that dead writers left open made whole."),
    "recover": ("recover_", "recover_command", "What can be read of a damaged archive into a new one."),
    "prune": ("prune_", "prune_command", "What retention lets go of deleted, and recorded."),
    "repack": ("repack_", "repack_command", "Many small blocks of sealed shards made large ones."),
    "compact": ("compact_", "compact_command", "Typed tables and histograms beside sealed shards."),
    "export": ("export_", "export_command", "What was recorded, in the formats of other tools."),
    "runs": ("runs_", "runs_command", "Recorder sessions: how each ended, labels, notes."),
    "config": ("config_", "config_command", "Settings, and where each comes from."),
}


def load(name: str) -> Any:
    """The command of a name as typer has it, ready to be called."""
    import typer

    module, function, short_help = COMMANDS[name]
    single = typer.Typer(rich_markup_mode=None, add_completion=False)
    single.command(name, short_help=short_help)(getattr(import_module(f"polyrecord.cli.{module}"), function))
    return typer.main.get_command(single)
