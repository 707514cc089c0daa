"""Reads the settings: environment over polyrecord.toml over defaults, all of it checked."""

from __future__ import annotations

import json
import os
import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from polyrecord.errors import ConfigError
from polyrecord.settings.files import SECTIONS, settings_file, variables

if TYPE_CHECKING:
    from pydantic import ValidationError

    from polyrecord.settings.model import Model

_ROOT: Final = "POLYRECORD_ROOT"
_ALL: Final = "`polyrecord config` lists all"
_LISTS: Final = frozenset({
    "recorder.index_keys", "recorder.stages", "recorder.redact_keys", "recorder.redact_patterns",
    "recorder.redact_allow", "recorder.hash_keys", "retention.keep",
})  # fmt: skip
_TABLES: Final = frozenset({"recorder.metadata", "recorder.sample"})
_EXPECTED: Final = {  # by the beginning of pydantic's name of what is wrong
    "int_": "a whole number", "float_": "a number", "bool_": "true or false", "string_": "a string",
    "tuple_": "a list", "dict_": "a table", "model_": "a section", "finite_": "a finite number",
    "invalid-json": "a value that JSON has",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting: `origin` is `default`, `polyrecord.toml:12` or `environment NAME`."""

    key: str
    value: Any
    origin: str
    description: str


@dataclass(frozen=True, slots=True)
class Settings:
    """All settings, checked; `file` is where they were read from."""

    model: Model
    file: Path | None
    origins: dict[str, str]

    @property
    def root(self) -> Path:
        """The archive."""
        named = self.model.root
        if named is None or self.file is None or self.origins["root"].startswith("environment "):
            return Path(named or "")
        return self.file.parent / Path(named).expanduser()

    def told(self, section: str) -> dict[str, Any]:
        """What is set in a section, without what is left at its default."""
        values = getattr(self.model, section).model_dump(by_alias=True)
        return {name: value for name, value in values.items() if f"{section}.{name}" in self.origins}

    def place(self, setting: Setting) -> str:
        """Where a setting is written, as an error says it: the whole path of the file and the line."""
        in_file = self.file is not None and setting.origin.startswith(f"{self.file.name}:")
        return f"{self.file.parent}/{setting.origin}" if self.file and in_file else setting.origin

    def __iter__(self) -> Iterator[Setting]:
        yield Setting(
            "root", str(self.root), self.origins.get("root", "default"), _described(self.model, "root")
        )
        for section in SECTIONS:
            part = getattr(self.model, section)
            for name, value in part.model_dump(by_alias=True).items():
                key = f"{section}.{name}"
                yield Setting(key, value, self.origins.get(key, "default"), _described(part, name))


def load() -> Settings:
    """The settings that hold here and now; raises ConfigError that names what is wrong, and where."""
    file = settings_file()
    environment = {**variables(), **({_ROOT: os.environ[_ROOT]} if os.environ.get(_ROOT) else {})}
    return _load(file, _stamp(file), tuple(sorted(environment.items())))


def keys() -> list[str]:
    """The names of all settings."""
    from polyrecord.settings.model import Model

    return [setting.key for setting in Settings(Model(), None, {})]


def _stamp(file: Path | None) -> tuple[int, ...]:
    """What changes when the file does."""
    if file is None:
        return ()
    try:
        found = file.stat()
    except OSError as error:
        raise ConfigError(f"settings cannot be read: {error.strerror}", path=file) from None
    return found.st_mtime_ns, found.st_size, found.st_ino


@lru_cache(maxsize=8)
def _load(file: Path | None, _stamp: tuple[int, ...], environment: tuple[tuple[str, str], ...]) -> Settings:
    from pydantic import ValidationError

    from polyrecord.settings.model import Model

    text = "" if file is None else _text(file)
    document, origins = _parsed(text, file), {}
    for key in _keys(document):
        line = _line_of(text, key)
        origins[key] = f"{file.name if file else ''}:{line}" if line else str(file)
    try:
        model = Model.model_validate(document)
        for name, value in environment:
            origins[_set(document, name, value)] = f"environment {name}"
        if environment:  # whose values are text: no type is held against them
            model = Model.model_validate(document, strict=False)
        return Settings(model, file, origins)
    except ValidationError as error:
        raise _wrong(error, text, file, origins) from None


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"settings cannot be read: {error}", path=file) from None


def _parsed(text: str, file: Path | None) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        where = re.search(r"\(at line (\d+)", str(error))
        line = int(where[1]) if where else None
        raise ConfigError(f"not TOML: {error}", path=file, line=line) from None


def _keys(document: dict[str, Any]) -> Iterator[str]:
    for name, value in document.items():
        if name in SECTIONS and isinstance(value, dict):
            yield from (f"{name}.{inner}" for inner in value)
        else:
            yield name


def _line_of(text: str, key: str) -> int | None:
    """The line that sets a key, found by its section and name."""
    section = ""
    for number, line in enumerate(text.splitlines(), 1):
        if header := re.match(r"\s*\[+([^\]]+)\]", line):
            section = f"{_bare(header[1])}."
        found = section + _bare(line.partition("=")[0]) if header is None else section
        if f"{found}.".startswith(f"{key}."):
            return number
    return None


def _bare(name: str) -> str:
    return re.sub(r"[\s\"']", "", name)


def _set(document: dict[str, Any], variable: str, value: str) -> str:
    """Put a variable's value where it belongs; the key it sets."""
    if variable == _ROOT:
        document["root"] = value
        return "root"
    section, _, name = variable.removeprefix("POLYRECORD_").lower().partition("_")
    key = f"{section}.{name}"
    part = document.setdefault(section, {})
    if isinstance(part, dict):
        part[name] = _read(key, value)
    return key


def _read(key: str, text: str) -> Any:
    """A variable's value: lists have commas, tables are JSON."""
    if key in _LISTS:
        return [item for item in text.split(",") if item]
    if key in _TABLES:
        try:
            return json.loads(text)
        except ValueError:
            return text  # which the model refuses
    return text


def _wrong(error: ValidationError, text: str, file: Path | None, origins: dict[str, str]) -> ConfigError:
    """The first thing that is wrong in full, the others by name."""
    problems = error.errors()
    first = problems[0]
    key = ".".join(str(part) for part in first["loc"][:2])
    item = "".join(f"[{part}]" for part in first["loc"][2:3] if isinstance(part, int))
    if key.startswith("retention."):  # a table of tables
        item = "".join(f".{part}" for part in first["loc"][2:3])
    origin = origins.get(key, "")
    is_unknown = first["type"] == "extra_forbidden"
    hint = _nearest(key) if is_unknown else "`polyrecord config --init` writes an example"
    what = f"unknown setting {key}" if is_unknown else f"{key}{item} must be {_reason(first)}"
    if len(problems) > 1:
        others = dict.fromkeys(".".join(map(str, each["loc"][:2])) for each in problems[1:])
        what += f" (and {', '.join(name for name in others if name != key)})" if set(others) - {key} else ""
    if origin.startswith("environment "):
        return ConfigError(what, path=origin, hint=hint)
    return ConfigError(what, path=file, line=_line_of(text, key), hint=hint)


def _reason(problem: Any) -> str:
    shown = json.dumps(problem["input"], default=str, ensure_ascii=False)
    usual = problem["msg"].removeprefix("Input should be ").removeprefix("Value error, ")
    expected = next((words for name, words in _EXPECTED.items() if problem["type"].startswith(name)), usual)
    return f"{expected}, not {shown if len(shown) <= 60 else shown[:57] + '...'}"


def _nearest(key: str) -> str:
    """The known setting or section whose name is most like that of a key."""
    known = {each.rpartition(".")[2]: each for each in keys()}
    known |= {section: f"[{section}]" for section in SECTIONS}
    close = get_close_matches(key.rpartition(".")[2], known, n=1)
    return f"{known[close[0]]}, perhaps; {_ALL}" if close else _ALL


def _described(part: Any, name: str) -> str:
    for field_name, field in type(part).model_fields.items():
        if name in (field_name, field.alias):
            return field.description or ""
    return ""
