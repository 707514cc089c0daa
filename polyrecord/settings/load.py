"""Reads the settings: environment over polyrecord.toml over defaults, all of it checked."""

from __future__ import annotations

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
_LISTS: Final = frozenset({"recorder.index_keys", "recorder.stages"})


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
    stamp = file.stat().st_mtime_ns if file is not None else 0
    return _load(file, stamp, tuple(sorted(environment.items())))


@lru_cache(maxsize=8)
def _load(file: Path | None, _stamp: int, environment: tuple[tuple[str, str], ...]) -> Settings:
    from pydantic import ValidationError

    from polyrecord.settings.model import Model

    text = "" if file is None else _text(file)
    document, origins = _parsed(text, file), {}
    for key in _keys(document):
        line = _line_of(text, key)
        origins[key] = f"{file.name if file else ''}:{line}" if line else str(file)
    for name, value in environment:
        key = _set(document, name, value)
        origins[key] = f"environment {name}"
    try:
        return Settings(Model.model_validate(document), file, origins)
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
    section, name = "", key.rpartition(".")[2]
    for number, line in enumerate(text.splitlines(), 1):
        header = re.match(r"\s*\[+\s*([\w.\"-]+)\s*\]", line)
        if header is not None:
            section = header[1].strip('"')
            if section == key:
                return number
        elif section == key.rpartition(".")[0] and re.match(rf"\s*\"?{re.escape(name)}\"?\s*[.=]", line):
            return number
    return None


def _set(document: dict[str, Any], variable: str, value: str) -> str:
    """Put a variable's value where it belongs; the key it sets."""
    if variable == _ROOT:
        document["root"] = value
        return "root"
    section, _, name = variable.removeprefix("POLYRECORD_").lower().partition("_")
    key = f"{section}.{name}"
    part = document.setdefault(section, {})
    if isinstance(part, dict):
        part[name] = [item for item in value.split(",") if item] if key in _LISTS else value
    return key


def _wrong(error: ValidationError, text: str, file: Path | None, origins: dict[str, str]) -> ConfigError:
    """The first thing that is wrong in full, the others by name."""
    problems = error.errors()
    first = problems[0]
    key = ".".join(str(part) for part in first["loc"][:2])
    origin = origins.get(key, "")
    is_unknown = first["type"] == "extra_forbidden"
    hint = _nearest(key) if is_unknown else "`polyrecord config --init` writes an example"
    what = f"unknown setting {key}" if is_unknown else f"{key}: {_reason(first)}"
    if len(problems) > 1:
        others = dict.fromkeys(".".join(map(str, each["loc"][:2])) for each in problems[1:])
        what += f" (and {', '.join(name for name in others if name != key)})" if set(others) - {key} else ""
    if origin.startswith("environment "):
        return ConfigError(what, path=origin, hint=hint)
    return ConfigError(what, path=file, line=_line_of(text, key), hint=hint)


def _reason(problem: Any) -> str:
    shown = repr(problem["input"])
    message = problem["msg"]
    return f"{message[:1].lower()}{message[1:]}, not {shown if len(shown) <= 60 else shown[:57] + '...'}"


def _nearest(key: str) -> str:
    """The known settings most like a key."""
    from polyrecord.settings.model import Model

    known = [setting.key for setting in Settings(Model(), None, {})]
    close = get_close_matches(key, known, n=1, cutoff=0.5)
    name = key.rpartition(".")[2]
    close = close or [each for each in known if each.endswith(f".{name}")][:1]
    return f"{close[0]}, perhaps; `polyrecord config` lists all" if close else "`polyrecord config` lists all"


def _described(part: Any, name: str) -> str:
    for field_name, field in type(part).model_fields.items():
        if name in (field_name, field.alias):
            return field.description or ""
    return ""
