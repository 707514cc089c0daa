"""The expected profit of a decision after its costs: exact decimal arithmetic, never a float."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import MAX_EMAX, MIN_EMIN, Context, Decimal, Inexact, InvalidOperation
from enum import StrEnum
from typing import Final, TypeAlias, cast

Amount: TypeAlias = Decimal | str | int
"""What is taken for an amount of money: never a float, which is not the number that was written."""

MAX_EXPONENT: Final = 1_000  # no amount of money is beyond 1e1000 or finer than 1e-1000
# Has room for every digit of a sum of such amounts; were one rounded all the same, Inexact would raise.
_EXACT: Final = Context(
    prec=2 * MAX_EXPONENT + 16, Emax=MAX_EMAX, Emin=MIN_EMIN, traps=[Inexact, InvalidOperation]
)


class Decision(StrEnum):
    """What was decided about an opportunity."""

    ACCEPT = "ACCEPT"
    REJECT = "REJECT"


# No figures in these: the report ranks reasons by their text, and the figures stand beside it.
_REASONS: Final = {
    Decision.ACCEPT: "net edge meets the threshold",
    Decision.REJECT: "net edge below the threshold",
}


def calculate_net_edge(
    gross_edge: Amount, fees: Amount, slippage: Amount, gas: Amount, latency_buffer: Amount
) -> Decimal:
    """The gross edge less all costs, to the last digit, in the currency the amounts are in.

    Raises TypeError on a float and ValueError on what is not a finite decimal number.
    """
    net = _amount("gross_edge", gross_edge)
    costs = {"fees": fees, "slippage": slippage, "gas": gas, "latency_buffer": latency_buffer}
    for name, cost in costs.items():
        net = _EXACT.subtract(net, _amount(name, cost))
    return net


@dataclass(frozen=True, slots=True, init=False)
class EdgeBreakdown:
    """One decision about an opportunity: its edge, what eats it, and what was decided.

    Amounts are decimals of one currency. `net_edge` is computed from the others when it is not given, and
    must agree with them when it is (all zero means they are not known). Without a `decision` the edge is
    accepted when `net_edge >= min_threshold`. Raises TypeError and ValueError like `calculate_net_edge`.
    """

    gross_edge: Decimal
    fees_est: Decimal
    slippage_est: Decimal
    gas_est: Decimal
    latency_buffer: Decimal
    min_threshold: Decimal
    net_edge: Decimal
    decision: Decision
    reason: str

    def __init__(
        self,
        *,
        gross_edge: Amount = 0,
        fees_est: Amount = 0,
        slippage_est: Amount = 0,
        gas_est: Amount = 0,
        latency_buffer: Amount = 0,
        min_threshold: Amount = 0,
        net_edge: Amount | None = None,
        decision: Decision | str | None = None,
        reason: str | None = None,
    ) -> None:
        parts = {
            "gross_edge": _amount("gross_edge", gross_edge),
            "fees_est": _amount("fees_est", fees_est),
            "slippage_est": _amount("slippage_est", slippage_est),
            "gas_est": _amount("gas_est", gas_est),
            "latency_buffer": _amount("latency_buffer", latency_buffer),
        }
        threshold = _amount("min_threshold", min_threshold)
        net = _net_edge(list(parts.values()), net_edge)
        decided = _decide(net, threshold) if decision is None else Decision(decision)
        amounts = {**parts, "min_threshold": threshold, "net_edge": net}
        text = _REASONS[decided] if reason is None else reason
        for name, value in {**amounts, "decision": decided, "reason": text}.items():
            object.__setattr__(self, name, value)  # the class is frozen

    def to_data(self, *, strategy: str) -> dict[str, str]:
        """The data of the decision event: amounts as decimal texts without an exponent."""
        amounts = {
            "gross_edge": self.gross_edge,
            "fees_est": self.fees_est,
            "slippage_est": self.slippage_est,
            "gas_est": self.gas_est,
            "latency_buffer": self.latency_buffer,
            "net_edge": self.net_edge,
            "min_threshold": self.min_threshold,
        }
        decided = {"strategy": strategy, "decision": self.decision.value, "reason": self.reason}
        return decided | {name: format(value, "f") for name, value in amounts.items()}


def _net_edge(parts: list[Decimal], given: Amount | None) -> Decimal:
    computed = calculate_net_edge(*parts)
    if given is None:
        return computed
    net = _amount("net_edge", given)
    if any(parts) and net != computed:
        raise ValueError(f"net_edge is {net:f}, but the gross edge less its costs is {computed:f}")
    return net


def _decide(net_edge: Decimal, min_threshold: Decimal) -> Decision:
    return Decision.ACCEPT if net_edge >= min_threshold else Decision.REJECT


def _amount(name: str, value: Amount) -> Decimal:
    if isinstance(value, bool) or not isinstance(value, (Decimal, str, int)):
        raise TypeError(
            f"{name} must be exact, not {type(value).__name__}: give a Decimal, an int or a text like '0.48'"
        )
    try:
        amount = Decimal(value)
    except InvalidOperation:
        raise ValueError(f"{name} is not a decimal number: {value!r}") from None
    if not amount.is_finite():
        raise ValueError(f"{name} must be finite, not {amount}")
    exponent = cast(int, amount.as_tuple().exponent)
    if exponent < -MAX_EXPONENT or amount.adjusted() > MAX_EXPONENT:
        raise ValueError(
            f"{name} is beyond any amount of money: between 1e-{MAX_EXPONENT} and 1e{MAX_EXPONENT}"
        )
    return amount
