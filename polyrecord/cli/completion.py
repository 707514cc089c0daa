"""What a shell offers for the words of a command line, judged by what the help calls them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Final, TypeAlias


@dataclass(frozen=True, slots=True)
class Word:
    """One word a shell may offer; the attributes are those its adapter reads."""

    value: str
    help: str | None = None
    type: str = "plain"


Words: TypeAlias = Callable[[], Iterable[str]]


def with_completion(command: Any) -> Any:
    """The command, its options and arguments offering their values."""
    for parameter in command.params:
        words = _words_of(parameter)
        if words is not None:
            parameter.shell_complete = _completer(words)
    return command


def matching(words: Iterable[tuple[str, str | None]], begun: str) -> list[Word]:
    """The words, each with its help, that go on from what is typed."""
    return [Word(word, text) for word, text in words if word.startswith(begun)]


def _completer(words: Words) -> Callable[[Any, str], list[Word]]:
    return lambda _, begun: matching(((word, None) for word in words()), begun)


def _words_of(parameter: Any) -> Words | None:
    metavar = str(parameter.metavar or "")
    named = _BY_OPTION.get(parameter.opts[0]) or _BY_METAVAR.get(metavar)
    literal = [word for word in metavar.split("|") if word.islower()]
    return named or ((lambda: literal) if literal else None)


def _types() -> Iterable[str]:
    from polyrecord.events.names import EventType

    return EventType


def _formats() -> Iterable[str]:
    from polyrecord.foreign import FORMATS

    return FORMATS


def _streams() -> Iterable[str]:
    from polyrecord.events.routes import STREAMS

    return STREAMS


def _keys() -> Iterable[str]:
    from polyrecord.settings.load import keys

    return keys()


_BY_METAVAR: Final[dict[str, Words]] = {
    "TYPE": _types,
    "FORMAT": _formats,
    "STREAM": _streams,
    "KEY": _keys,
    "TIME": lambda: ("today", "yesterday"),
}
_BY_OPTION: Final[dict[str, Words]] = {
    "--by": lambda: ("event_type", "strategy", "bot_id", "token_id", "minute", "hour", "date"),
}
