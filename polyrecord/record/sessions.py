"""From a recorder's options to its sessions: one when it is made, another in each forked child."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import Any, TypeVar

from polyrecord.clock import Clock
from polyrecord.errors import ConfigError
from polyrecord.format.compress import load
from polyrecord.record.buffer import Buffer
from polyrecord.record.identity import config_hash
from polyrecord.record.options import Options
from polyrecord.record.outcomes import LossNotice
from polyrecord.record.policy import BlockPolicy, DiskPolicy, FlushPolicy, Overload, Recover, RetryPolicy
from polyrecord.record.privacy import Privacy
from polyrecord.record.session import Session
from polyrecord.settings.recorder import recorder_settings


class Sessions:
    """Makes sessions that record what one buffer takes. Raises ConfigError where an option is wrong."""

    def __init__(
        self,
        root: Path,
        buffer: Buffer,
        clock: Clock,
        options: Options,
        *,
        config: Mapping[str, Any] | Path | str | None,
        retry: RetryPolicy | None,
        on_loss: Callable[[LossNotice], object] | None,
    ) -> None:
        self._root, self._buffer, self._clock = root, buffer, clock
        self._options, self._recover = options, Recover(options.recover)
        self._retry, self._on_loss = retry or RetryPolicy(), on_loss
        about = {
            "bot_id": options.bot_id, "strategy_id": options.strategy_id, "config_hash": config_hash(config),
            "overload": options.overload, "sampling": dict(options.sample),
        }  # fmt: skip
        self._privacy = Privacy.of(options)
        self._manifest = self._privacy.mapping({**about, "metadata": dict(options.metadata)})
        # Here and not on the threads that need it: what a thread imports at a fork no child can import.
        load()
        if self._recover is not Recover.NEVER:
            import polyrecord.record.recovery  # noqa: F401

    def new(self) -> Session:
        """A session with an identity of its own; nothing is opened yet."""
        options = self._options
        return Session(
            self._root, self._buffer, self._clock,
            flush=FlushPolicy(options.buffer_size, options.flush_interval),
            blocks=BlockPolicy(options.block_bytes),
            rotate=options.rotate, sync=options.sync, retry=self._retry,
            disk=DiskPolicy(options.min_free), recover=self._recover,
            compact=options.compact, index_keys=tuple(options.index_keys), steps=self._privacy.steps,
            redact=self._privacy.text, on_loss=self._on_loss, manifest=self._manifest,
        )  # fmt: skip

    def new_in_child(self) -> Session:
        """The session of a forked child, which shares nothing with its parent's."""
        self._privacy.begin_anew()
        return self.new()


def options_of(**given: Any) -> Options:
    """What is given and not None, else the settings, else the defaults; raises ConfigError for nonsense."""
    options = Options.of(recorder_settings(), **given)
    _check_positive(
        buffer_size=options.buffer_size, flush_interval=options.flush_interval,
        buffer_bytes=options.buffer_bytes, block_bytes=options.block_bytes,
    )  # fmt: skip
    if not isinstance(options.min_free, int) or options.min_free < 0:
        raise ConfigError(f"min_free must be bytes, 0 or more, not {options.min_free!r}")
    overload = _one_of(Overload, options.overload, "overload")
    return replace(options, overload=overload, recover=_one_of(Recover, options.recover, "recover"))


_Choice = TypeVar("_Choice", bound=StrEnum)


def _one_of(choices: type[_Choice], value: str, option: str) -> _Choice:
    try:
        return choices(value)
    except ValueError:
        hint = f"one of {', '.join(choices)}"
        raise ConfigError(f"{option} cannot be {value!r}", hint=hint) from None


def _check_positive(**options: float) -> None:
    for name, value in options.items():
        if not value > 0:
            raise ConfigError(f"{name} must be positive, not {value!r}")
