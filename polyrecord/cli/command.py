"""Commands as functions: a plain command line is read here, all others by typer, which can explain them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import UnionType
from typing import TYPE_CHECKING, Annotated, Any, Final, TypeAlias, get_args, get_origin, get_type_hints

from polyrecord.cli.parameters import OPTION, Declared

if TYPE_CHECKING:
    from inspect import Signature

REQUIRED: Final = object()


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter of a command: its annotation as declared, and its default or REQUIRED."""

    name: str
    annotation: Any
    default: Any


class Command:
    """A command: called with all its parameters by keyword.

    Typer takes it for a function: its signature is made when typer asks for it.
    """

    def __init__(self, run: Callable[..., object], about: Any, parameters: Iterable[Parameter]) -> None:
        self.run = run
        self.parameters = tuple(parameters)
        self.__name__ = about.__name__
        self.__module__ = about.__module__
        self.__doc__ = about.__doc__

    def __call__(self, **given: Any) -> object:
        return self.run(**given)

    def parse(self, arguments: list[str]) -> dict[str, Any] | None:
        """The parameters that a command line gives; None where typer is to read it.

        That is every line that is wrong, asks for help, or is written in an unusual way.
        """
        try:
            return _Line(self.parameters).read(arguments)
        except _Unusual:
            return None

    @property
    def __annotations__(self) -> dict[str, Any]:  # type: ignore[override]
        return {}

    @property
    def __signature__(self) -> Signature:
        from polyrecord.cli.group import signature_of

        return signature_of(self.parameters)


def command(function: Callable[..., None]) -> Command:
    """The command of a function whose parameters are declared in its annotations."""
    return Command(function, function, parameters_of(function))


def parameters_of(function: Any) -> list[Parameter]:
    """What a function takes, in order."""
    code, defaults = function.__code__, function.__defaults__ or ()
    names = code.co_varnames[: code.co_argcount]
    usual = dict(zip(names[len(names) - len(defaults) :], defaults, strict=True))
    hints = get_type_hints(function, include_extras=True)
    return [Parameter(name, hints[name], usual.get(name, REQUIRED)) for name in names]


class _Unusual(Exception):
    """This word is not read here."""


_Read: TypeAlias = Callable[[str], Any]


class _Line:
    """A command line being read."""

    def __init__(self, parameters: Iterable[Parameter]) -> None:
        self._options: dict[str, _Slot] = {}
        self._places: list[_Slot] = []
        self._given: dict[str, Any] = {}
        self._required: set[str] = set()
        for parameter in parameters:
            slot = _Slot.of(parameter)
            for name in slot.names:
                self._options[name] = slot
            if not slot.names:
                self._places.append(slot)
            if parameter.default is REQUIRED:
                self._required.add(parameter.name)
            else:
                self._given[parameter.name] = parameter.default

    def read(self, arguments: list[str]) -> dict[str, Any]:
        words = iter(arguments)
        loose = []
        for word in words:
            if word == "-" or not word.startswith("-"):
                loose.append(word)
                continue
            name, equals, value = word.partition("=")
            slot = self._options.get(name)
            if slot is None or (equals and (slot.is_flag or not name.startswith("--"))):
                raise _Unusual
            if slot.is_flag:
                self._given[slot.name] = True
            else:
                self._take(slot, value if equals else next(words, None))
        self._place(loose)
        if self._required:
            raise _Unusual
        return self._given

    def _place(self, loose: list[str]) -> None:
        for slot in self._places:
            while loose:
                self._take(slot, loose.pop(0))
                if not slot.is_list:
                    break
        if loose:
            raise _Unusual

    def _take(self, slot: _Slot, text: str | None) -> None:
        if text is None:
            raise _Unusual
        value = slot.read(text)
        self._required.discard(slot.name)
        if not slot.is_list:
            self._given[slot.name] = value
            return
        self._given[slot.name] = [*(self._given.get(slot.name) or ()), value]


@dataclass(frozen=True, slots=True)
class _Slot:
    """Where the values of a parameter go; raises _Unusual for one that is not declared in our words."""

    name: str
    names: tuple[str, ...]
    is_flag: bool
    is_list: bool
    read: _Read

    @classmethod
    def of(cls, parameter: Parameter) -> _Slot:
        annotation, declared = _apart(parameter.annotation)
        is_list, kind = _kind(annotation)
        names = declared.names if declared.kind == OPTION else ()
        if declared.kind == OPTION and not names:
            names = (f"--{parameter.name.replace('_', '-')}",)
        least = declared.words.get("min")
        if kind not in _READERS or _is_set(declared.words):
            raise _Unusual
        return cls(parameter.name, names, kind is bool, is_list, _bounded(_READERS[kind], least))


def _apart(annotation: Any) -> tuple[Any, Declared]:
    if get_origin(annotation) is not Annotated:
        raise _Unusual
    plain, *more = get_args(annotation)
    if len(more) != 1 or not isinstance(more[0], Declared):
        raise _Unusual
    return plain, more[0]


def _kind(annotation: Any) -> tuple[bool, Any]:
    """Whether it is a list, and of what."""
    if isinstance(annotation, UnionType):
        (annotation,) = [one for one in get_args(annotation) if one is not type(None)]
    if get_origin(annotation) is list:
        return True, get_args(annotation)[0]
    return False, annotation


def _is_set(words: Mapping[str, Any]) -> bool:
    """Whether the environment says something of it: which of the two counts is typer's to say."""
    import os

    return words.get("envvar") is not None and words["envvar"] in os.environ


def _bounded(read: _Read, least: int | None) -> _Read:
    if least is None:
        return read

    def bounded(text: str) -> Any:
        value = read(text)
        if value < least:
            raise _Unusual
        return value

    return bounded


def _plain(text: str) -> str:
    return text


def _path(text: str) -> Path:
    if not text:
        raise _Unusual
    return Path(text)


def _whole(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < _MANY):
        raise _Unusual
    return int(text)


def _number(text: str) -> float:
    whole, _, part = text.partition(".")
    if not (text.isascii() and whole.isdigit() and (part or "0").isdigit() and len(text) < _MANY):
        raise _Unusual
    return float(text)


_MANY: Final = 18  # digits; more of them are read by typer
_READERS: Final[dict[Any, _Read]] = {
    str: _plain,
    Path: _path,
    int: _whole,
    float: _number,
    bool: _plain,
}
