"""What a panel knows of its data: the last good value, how old it is, and why there is no newer one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, TypeVar

from relive_base.errors import NotFound

from relive_tui.models.layout.format import age
from relive_tui.models.layout.text import clean

__all__ = ["Feed"]

Value = TypeVar("Value")

RETRY_S = (1.0, 2.0, 4.0, 8.0, 10.0)
"""Waits between attempts while the store cannot be reached; the last one repeats."""


@dataclass(slots=True)
class Feed(Generic[Value]):
    """One query that is repeated. `what` is shown while it loads: "failures", "spans of 4bf92f35"."""

    what: str
    value: Value | None = None
    good_ns: int = 0
    error: str = ""
    failures: int = 0
    quiet: bool = False  # it is beside the point: nothing is said while it loads
    loading: bool = False
    answered: bool = (
        False  # the last one failed because there is no such thing, and not for want of an answer
    )

    def begin(self) -> None:
        """A query has been sent."""
        self.loading = True

    def succeed(self, value: Value, now_ns: int) -> None:
        """Its answer is here."""
        self.value, self.good_ns, self.error, self.failures, self.loading = value, now_ns, "", 0, False

    def fail(self, error: BaseException) -> None:
        """It failed; the last good value stays."""
        self.error = clean(str(error).splitlines()[0] if str(error) else type(error).__name__)
        self.failures += 1
        self.loading = False
        self.answered = isinstance(error, NotFound)

    @property
    def retry_s(self) -> float:
        """Seconds to wait before the next attempt; 0 when the last one succeeded."""
        return RETRY_S[min(self.failures, len(RETRY_S)) - 1] if self.failures else 0.0

    def status(self, now_ns: int) -> tuple[str, str]:
        """(text, style) for the state line; empty when all is well."""
        if self.error:
            # the reason comes last: it is what a narrow terminal may cut
            seconds = age(self.good_ns, now_ns).replace("now", "0s")
            old = f" {seconds} old ·" if self.value is not None else ""
            return f"✖ {self.what}:{old} retrying · {self.error}", "error"
        if self.loading and self.value is None and not self.quiet:
            return f"… loading {self.what}", "dim"
        return "", ""
