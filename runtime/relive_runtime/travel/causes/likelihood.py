"""Which of several statements is to blame, by what is known of each: a logistic model. Pure.

Its weights were fitted to the functions of the test sets, whose answers are known: the softmax over each
failure's statements, less 0.3 for the square of each weight; a function of the sets that were written for
the search counts 1.5 times one of those that the way back of one value was made for. What weighed less than
0.25 was left out. Fitted without a set, and asked about that one, for each of them in turn, the model names
the line in 235 of 396, and in 77 of 181 of the later sets; before the ends of chains and the rounds of a
run were among what it knows, it was 221, and 76.

Measured and left out, as it named no line more: changes of each line that were tried, to see whether the
failure goes away. They cured it at 70 of 100 lines that were right, but at 52 of 100 others, too.
"""

from __future__ import annotations

import math
from typing import Final

__all__ = ["WEIGHTS", "kind_of", "likelihoods"]

WEIGHTS: Final[dict[str, float]] = {
    "by absent": -0.98,
    "by absent fixed": 0.41,
    "by absent though like": -1.31,
    "by before": -0.43,
    "by caught": 1.37,
    "by changed": 0.79,
    "by computed": -0.75,
    "by default": -0.62,
    "by ended": -0.35,
    "by kept": 1.30,
    "by led to": -1.17,
    "by like": 0.96,
    "by merged": 1.27,
    "by overwritten": 1.49,
    "by passed": -1.59,
    "by passes": -0.29,
    "by raised": -1.28,
    "by removed": 0.42,
    "by replaced": 1.19,
    "by returned": 1.15,
    "by used up": 1.42,
    "by went past": 0.36,
    "changes module state": 0.62,
    "cost": -0.05,
    "does nothing": -0.38,
    "ends a chain": 1.30,
    "ends a chain of a check": -0.84,
    "fails": -1.20,
    "first of several": -0.26,
    "gave None": 0.43,
    "gave an odd text": 0.73,
    "has default": 0.37,
    "has one more or less": 0.25,
    "has order": 0.49,
    "has slice": 0.59,
    "has text": 0.34,
    "has time": 0.89,
    "has time part": 0.78,
    "in the frame that failed": -1.77,
    "is condition": 1.52,
    "is loop": -0.35,
    "is nearest": -0.63,
    "is odd": 0.39,
    "is return": -0.83,
    "is very odd": -0.55,
    "near alike": 0.55,
    "near edge": -0.60,
    "near edge of a loop": 0.87,
    "near fixed": 1.42,
    "near next": 0.60,
    "near next of a loop": -0.38,
    "near nothing": -1.55,
    "near types": -0.45,
    "oddity": 0.63,
    "only a constant": -0.16,
    "only a part": 0.68,
    "only in the last run": 1.23,
    "ran before only": 0.76,
    "ran where it failed only": 1.14,
    "ran where it went well": 1.25,
    "seldom in its branch": 0.99,
    "smells: begins a search": 1.79,
    "smells: changes what is gone through": 0.58,
    "smells: cuts letters off": 0.26,
    "smells: identity of a value": 1.14,
    "smells: leaves in the first round": 2.04,
    "smells: overwrites what was added up": 2.18,
    "smells: repeats one object": 1.31,
}


def likelihoods(known: list[dict[str, float]]) -> list[float]:
    """From 0 to 1, 1 in sum: of each statement, by the features of all."""
    points = [sum(WEIGHTS.get(name, 0.0) * value for name, value in one.items()) for one in known]
    most = max(points, default=0.0)
    shares = [math.exp(one - most) for one in points]
    return [one / sum(shares) for one in shares]


def kind_of(kinds: set[str]) -> str:
    """How a verdict words it; see `relive_runtime.travel.origins`."""
    for name in ("removed", "used up", "ignored", "merged", "changed", "caught", "raised"):
        if name in kinds and not kinds & {"computed", "literal"}:
            return name
    if kinds <= {"led to", "went past", "kept"}:
        return "decided"
    return "before" if kinds <= {"before", "passed", "given", "passes"} and "before" in kinds else "computed"
