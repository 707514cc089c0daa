"""What a recorder's options say of sampling, secrets and local time, as steps."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from polyrecord.record.sampling import Sampler
from polyrecord.record.steps import Steps

if TYPE_CHECKING:
    from polyrecord.record.local_time import LocalTime
    from polyrecord.record.options import Options
    from polyrecord.record.redact import RedactionPolicy, Redactor

HASH_KEY: Final = "POLYRECORD_HASH_KEY"


class Privacy:
    """Makes the steps of each session, and cleans what is said of it elsewhere."""

    def __init__(
        self,
        policy: RedactionPolicy | None = None,
        *,
        redact: bool = True,
        sample: Mapping[str, float] | None = None,
        local_zone: str | None = None,
    ) -> None:
        """Raises ConfigError for what makes no sense."""
        self._policy = policy
        self._redact = redact
        self._sample = dict(sample or {})
        self._zone = local_zone
        self._own: Redactor | None = None
        self.steps()

    @classmethod
    def of(cls, options: Options) -> Privacy:
        """From a recorder's options."""
        from polyrecord.record.redact import RedactionPolicy

        told = options.redact
        policy = told if isinstance(told, RedactionPolicy) else RedactionPolicy(
            keys=options.redact_keys, patterns=options.redact_patterns, allow=options.redact_allow,
            hash_keys=options.hash_keys, style=options.redact_style, hash_key=hash_key(),
        )  # fmt: skip
        return cls(policy, redact=told is not False, sample=options.sample, local_zone=options.local_zone)

    def steps(self, *, as_they_come: bool = False) -> Steps:
        """New steps, with counters and memories of their own: they serve one thread.

        `as_they_come`: of events that others recorded only the secrets are taken out.
        """
        if as_they_come:
            return Steps(redactor=self.redactor())
        return Steps(
            Sampler(self._sample) if self._sample else None,
            self.redactor(),
            _clock_of(self._zone) if self._zone else None,
        )

    def redactor(self) -> Redactor | None:
        """What takes secrets out, for one thread; None where that was turned off."""
        from polyrecord.record.redact import Redactor

        return Redactor(self._policy) if self._redact else None

    def begin_anew(self) -> None:
        """In a forked child: see `forget_patterns`."""
        self._own = None

    def text(self, text: str) -> str:
        """A text without secrets."""
        self._own = self._own or self.redactor()
        return text if self._own is None else self._own.text(text)

    def mapping(self, said: Mapping[str, Any]) -> dict[str, Any]:
        """What goes into a manifest, without secrets."""
        self._own = self._own or self.redactor()
        return dict(said) if self._own is None else self._own.mapping(said)


def _clock_of(zone: str) -> LocalTime:
    """Loaded for those who ask for it: time zones are 2 ms of a bot's start."""
    from polyrecord.record.local_time import LocalTime

    return LocalTime(zone)


def forget_patterns() -> None:
    """In a forked child: compile anew. RE2 searches without the interpreter lock and has locks of its own.

    A thread of the parent may have held one at the fork, and in the child nobody would give it back.
    """
    if "re2" in sys.modules:
        sys.modules["re2"].purge()


def hash_key() -> bytes | None:
    """The key of hashes, from the environment: settings hold no secrets."""
    key = os.environ.get(HASH_KEY)
    return key.encode() if key else None
