"""Fit what `why` weighs to the functions of its sets: `why_fit.py [--hold-out]`.

Prints the weights of `relive_runtime/travel/causes/likelihood.py`. `--hold-out` fits without some of the sets
in turn, and prints how many of their lines are named. The last two sets are never fitted to. It takes two
minutes on two cores, `--hold-out` four.
"""

from __future__ import annotations

import json
import math
import sys
import tempfile
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any, Final

TESTS = Path(__file__).parent.parent / "tests"
sys.path[:0] = [str(TESTS / "support"), str(TESTS / "integration" / "travel")]

from relive_runtime.travel.causes import why  # noqa: E402
from relive_runtime.travel.causes.likelihood import WEIGHTS  # noqa: E402
from relive_runtime.travel.causes.statements import Statements  # noqa: E402
from test_why import ANSWERS, EVENT, SOURCES, look  # noqa: E402
from travel_harness import in_a_worker  # noqa: E402
from wrong_value_sets import cases, sets, unseen  # noqa: E402

PENALTY: Final = 0.3
ROUNDS: Final = 400
FOLDS: Final = 9
Group = list[tuple[bool, dict[str, float]]]
"""Of one failure: whether a statement is the right one, and its features."""


def group(job: tuple[str, str, int, Any]) -> Group:
    """The statements of the failing run of a handler."""
    text, handler, arose, event = job
    right = Statements(text).statement(arose)
    assert right is not None
    with tempfile.TemporaryDirectory() as folder:
        file, kept = Path(folder, "application.py"), Path(folder, "features")
        file.write_text(text)
        considered = why.considered

        def noting(*given: Any, **named: Any) -> Any:
            pairs = considered(*given, **named)
            places = [((one.statement.lineno, one.statement.col_offset), known) for one, known in pairs]
            right_one = right.lineno, right.col_offset
            kept.write_text(json.dumps([(place == right_one, known) for place, known in places]))
            return pairs

        why.considered = noting
        try:
            in_a_worker(file, handler, look, event, timeout_s=10.0)
        except AssertionError:
            return []
        finally:
            why.considered = considered
        found: Group = json.loads(kept.read_text()) if kept.exists() else []
        return found if any(is_right for is_right, _ in found) else []


def groups() -> dict[str, tuple[float, list[Group]]]:
    """By set: how much one of its functions counts, and all of them."""
    jobs: dict[str, tuple[float, list[tuple[str, str, int, Any]]]] = {}
    for source in SOURCES:
        mine = [(handler, line) for handler, (file, line) in ANSWERS.items() if file == source]
        jobs[source.stem] = 2.5, [(source.read_text(), handler, line, EVENT) for handler, line in mine]
    for path in sets():
        if path not in unseen():
            weight = 1.0 if int(path.stem) >= 16 else 0.35
            jobs[path.stem] = weight, [(one.text, "handler", one.arose, one.event) for one in cases(path)]
    with ProcessPoolExecutor() as pool:
        return {name: (weight, list(pool.map(group, some))) for name, (weight, some) in jobs.items()}


def fitted(known: list[tuple[float, Group]]) -> dict[str, float]:
    """By Nesterov's accelerated descent, each weight at a pace of its own (RMSProp)."""
    weights = dict.fromkeys(WEIGHTS, 0.0)
    speed = dict.fromkeys(WEIGHTS, 0.0)
    scale = dict.fromkeys(WEIGHTS, 0.0)
    for number in range(ROUNDS):
        slope = {name: 2 * PENALTY * value for name, value in weights.items()}
        for counts, one in known:
            points = [
                sum(weights.get(name, 0.0) * value for name, value in found.items()) for _, found in one
            ]
            shares = [math.exp(point - max(points)) for point in points]
            right = sum(share for share, (is_right, _) in zip(shares, one, strict=True) if is_right)
            for share, (is_right, found) in zip(shares, one, strict=True):
                push = counts * (share / sum(shares) - (share / right if is_right else 0.0))
                for name, value in found.items():
                    if name in slope:
                        slope[name] += push * value
        for name, value in slope.items():
            scale[name] = 0.95 * scale[name] + 0.05 * value * value
            pace = 0.05 * (1 - number / ROUNDS) / (math.sqrt(scale[name]) + 1e-6)
            speed[name] = 0.8 * speed[name] - pace * value
            weights[name] += speed[name]
    return weights


def place(one: Group, weights: dict[str, float]) -> int:
    """Of the right one, from 0, the likeliest; -1: it is none of them."""
    points = [sum(weights.get(name, 0.0) * value for name, value in found.items()) for _, found in one]
    order = sorted(range(len(one)), key=lambda number: -points[number])
    return next((at for at, number in enumerate(order) if one[number][0]), -1)


def main() -> None:
    """Print the weights, or what they are worth."""
    known = groups()
    if "--hold-out" not in sys.argv:
        all_groups = [(weight, one) for weight, some in known.values() for one in some if one]
        for name, value in sorted(fitted(all_groups).items()):
            print(f'    "{name}": {value:.2f},')
        return
    late = Counter[str]()
    for fold in range(FOLDS):
        left_out = sorted(known)[fold::FOLDS]
        rest = [(w, one) for name, (w, some) in known.items() if name not in left_out for one in some if one]
        weights = fitted(rest)
        for name in left_out:
            places = [place(one, weights) for one in known[name][1]]
            first, four = places.count(0), sum(0 <= at < 4 for at in places)
            print(f"{name}: {first} of {len(places)} first, {four} among four", flush=True)
            if name.isdigit() and int(name) >= 16:
                late.update(first=first, four=four, all=len(places))
    print(f"sets from 16 on: {late['first']} of {late['all']} first, {late['four']} among four")


if __name__ == "__main__":
    main()
