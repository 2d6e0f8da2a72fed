"""What tier T0 costs: 20 frames with everyday locals, sentry-sdk's event in the same run, hostile values.

`python bench/capture/t0.py [--quick]`. Times are CPU time of the thread, the median of the rounds.

A worker that fails again has source files and names at hand that its first capture had to read and judge, so
the first capture of a process is measured too, each in a process of its own; so is what the smaller trees of
outer frames save.
"""

from __future__ import annotations

import dataclasses
import datetime
import decimal
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

from relive_base.redaction.redactor import Redactor
from relive_base.wire.messages import FunctionSpec
from relive_capture.record import Budget, capture_exception, preload

__all__ = ["run", "try_out"]

FRAMES = 20
LOG_LINES = [  # as a function writes them: the same, with other numbers
    f"2026-11-23 12:00:{i % 60:02} INFO checkout handled order {i * 7} for customer {i % 31}"
    f" in {i % 97}.{i % 10} ms, items={i % 4} total={i % 53}.50"
    for i in range(1_000)
]


@dataclasses.dataclass
class Line:
    """One line of an order."""

    sku: str
    quantity: int
    price: decimal.Decimal
    attributes: dict[str, str]


@dataclasses.dataclass
class Order:
    """An everyday object: its lines, a customer, a time."""

    number: int
    customer: dict[str, object]
    lines: list[Line]
    created: datetime.datetime


def _order(number: int, count: int) -> Order:
    lines = [
        Line(f"sku-{i}", i, decimal.Decimal("9.99"), {"color": "red", "size": "xl"}) for i in range(count)
    ]
    customer: dict[str, object] = {"id": number, "name": "Ada Lovelace", "mail": "ada@example.org"}
    return Order(number, customer, lines, datetime.datetime(2026, 11, 23, 12, 0))


class HostileRepr:
    """Its repr takes for ever and half a gigabyte."""

    def __repr__(self) -> str:
        return "x" * 500_000_000


def _deep(level: int, order: Order, event: dict[str, object]) -> None:
    """Handed-down work: the order and the event go through all frames, each frame has its own besides."""
    total = decimal.Decimal(0)
    rates = {"de": 0.19, "fr": 0.2, "it": 0.22}
    path = f"/orders/{order.number}/lines/{level}"
    line = order.lines[level]
    history = [(index, f"step {index}") for index in range(30)]
    options = {"retries": 3, "timeout": 2.5, "headers": {"accept": "application/json", "x-request-id": path}}
    if level == 0:
        raise KeyError("sku", total, len(rates), line.sku, len(history), len(options))
    _deep(level - 1, order, event)


def _event() -> dict[str, object]:
    items = [{"sku": f"sku-{index}", "quantity": index, "note": "as a gift"} for index in range(40)]
    return {
        "path": "/checkout",
        "headers": {"host": "shop", "authorization": "Bearer abcdefghijkl"},
        "items": items,
    }


def _caught(action: Callable[[], object]) -> BaseException:
    try:
        action()
    except Exception as error:
        return error
    raise AssertionError("the action must fail")


def _median_ms(action: Callable[[], object], rounds: int) -> float:
    times = []
    for _ in range(rounds):
        begin = time.thread_time_ns()
        action()
        times.append((time.thread_time_ns() - begin) / 1e6)
    return statistics.median(times)


def _sentry(error: BaseException) -> Callable[[], object]:
    """sentry-sdk's event from the exception, serialized as its client would, with no transport."""
    import sentry_sdk
    from sentry_sdk.transport import Transport

    class Nowhere(Transport):
        def capture_envelope(self, envelope: Any) -> None:
            envelope.serialize()

    sentry_sdk.init(
        dsn="https://key@localhost/1",
        transport=Nowhere,
        default_integrations=False,
        auto_enabling_integrations=False,
    )
    return lambda: sentry_sdk.capture_exception(error)


def _spec() -> FunctionSpec:
    return FunctionSpec(name="bench", version=1, handler="t0:handler", source=__file__.rsplit("/", 1)[0])


def _ours(failure: BaseException, budget: Budget | None = None) -> Callable[[], object]:
    spec = _spec()
    return lambda: capture_exception(
        failure, kind="exception", spec=spec, invocation_id="bench", budget=budget
    )


def _failure(lines: int) -> BaseException:
    return _caught(lambda: _deep(FRAMES - 3, _order(7, lines), _event()))


def _tiny() -> BaseException:
    """One frame of a function, two numbers and a text."""

    def handler(number: int) -> None:
        rate, name = 0.19, "order"
        raise ValueError(name, rate * number)

    return _caught(lambda: handler(5))


def _first(whose: str, rounds: int) -> float:
    """The first capture of a process, after what a zygote or an init does ahead; median of new processes."""
    command = [sys.executable, __file__, "--first", whose]
    runs = [subprocess.run(command, capture_output=True, text=True, check=True) for _ in range(rounds)]
    return statistics.median(float(run.stdout) for run in runs)


def _print_first(whose: str) -> None:
    failure = _failure(1000)
    if whose == "relive":
        preload()
    capture = _ours(failure) if whose == "relive" else _sentry(failure)
    print(_median_ms(capture, 1))


def _hostile() -> tuple[BaseException, BaseException]:
    def with_repr() -> None:
        value = [HostileRepr() for _ in range(3)]
        raise ValueError(len(value))

    def with_dict() -> None:
        value = {number: str(number) for number in range(1_000_000)}
        raise ValueError(len(value))

    return _caught(with_repr), _caught(with_dict)


def _row(name: str, value: float, unit: str, target: str, ok: bool) -> dict[str, object]:
    return {"name": name, "value": round(value, 3), "unit": unit, "target": target, "ok": ok}


def run(quick: bool = False) -> list[dict[str, object]]:
    """The figures, each with its target."""
    rounds = 10 if quick else 50
    small, large = _failure(20), _failure(1000)
    ours, ours_large = _median_ms(_ours(small), rounds), _median_ms(_ours(large), rounds)
    tiny = _tiny()
    ours_tiny = _median_ms(_ours(tiny), rounds)
    ours_full = _median_ms(_ours(large, Budget(near_frames=FRAMES)), rounds)
    theirs, theirs_large = _median_ms(_sentry(small), rounds), _median_ms(_sentry(large), 5)
    theirs_tiny = _median_ms(_sentry(tiny), rounds)
    first, first_theirs = _first("relive", rounds // 4 + 1), _first("sentry", rounds // 4 + 1)
    hostile_repr, hostile_dict = _hostile()
    repr_ms, dict_ms = (_median_ms(_ours(failure), 5) for failure in (hostile_repr, hostile_dict))
    redactor = Redactor()
    line_us = _median_ms(lambda: [redactor.text(line) for line in LOG_LINES], rounds)
    ratio, ratio_small = theirs_large / ours_large, theirs / ours
    return [
        _row("T0, 20 frames, small locals", ours, "ms CPU", "<= 10", ours <= 10),
        _row("T0, 20 frames, an order of 1,000", ours_large, "ms CPU", "<= 10", ours_large <= 10),
        _row("T0, the same, every frame in full", ours_full, "ms CPU", "<= 10", ours_full <= 10),
        _row("T0, the same, first of a process", first, "ms CPU", "<= 10", first <= 10),
        _row("T0, a frame of three small locals", ours_tiny, "ms CPU", "<= 1", ours_tiny <= 1),
        _row("sentry-sdk event, small locals", theirs, "ms CPU", "", True),
        _row("sentry-sdk event, order of 1,000", theirs_large, "ms CPU", "", True),
        _row("sentry-sdk event, first of a process", first_theirs, "ms CPU", "", True),
        # sentry walks little of small locals; what it pays for is the repr of whatever objects hold
        _row("sentry-sdk / T0, small locals", ratio_small, "times", ">= 10", ratio_small >= 10),
        _row("sentry-sdk / T0, three small locals", theirs_tiny / ours_tiny, "times", "", True),
        _row("sentry-sdk / T0, order of 1,000", ratio, "times", ">= 10", ratio >= 10),
        _row("sentry-sdk / T0, every frame in full", theirs_large / ours_full, "times", "", True),
        _row("sentry-sdk / T0, first of a process", first_theirs / first, "times", "", True),
        _row("hostile repr", repr_ms, "ms CPU", "<= 30", repr_ms <= 30),
        _row("dict of 1M entries", dict_ms, "ms CPU", "<= 30", dict_ms <= 30),
        _row("redaction of a harmless line", line_us, "us", "< 2", line_us < 2),
    ]


def try_out() -> None:
    """The smallest run of everything that is set up here; nothing is measured."""
    failure = _failure(20)
    for capture in (_ours(failure), _sentry(failure)):
        _median_ms(capture, 1)
    _first("relive", 1)


if __name__ == "__main__":
    if "--first" in sys.argv:
        _print_first(sys.argv[-1])
        sys.exit()
    for row in run("--quick" in sys.argv):
        verdict = "ok" if row["ok"] else "MISSED"
        print(f"{row['name']:<36} {row['value']:>10} {row['unit']:<8} {row['target']:<8} {verdict}")
