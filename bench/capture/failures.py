"""What scenes of real failures hold: every function of the corpus fails once on a server of its own.

Shares are of the functions that can have the thing: a process that was killed has no frames.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "support"))

from failure_corpus import Outcome, corpus, repeats, run_all, serving  # noqa: E402

__all__ = ["run"]


def run(quick: bool = False) -> list[dict[str, Any]]:
    """One row for each share, and how long the answer of a failure takes."""
    functions = corpus()[:: 4 if quick else 1]
    with serving(functions) as home:
        outcomes = run_all(home, functions)
        home.run("stop")
        fixed = [outcome for outcome in outcomes if outcome.expected.deterministic and outcome.scene]
        other = {outcome.expected.name: repeats(home, outcome) for outcome in fixed}
    framed = [outcome for outcome in outcomes if outcome.expected.has_frames]
    for outcome in outcomes:
        for problem in [*outcome.problems, *filter(None, [other.get(outcome.expected.name)])]:
            print(f"{outcome.expected.name}: {problem}", file=sys.stderr)
    return [
        _share("leave a scene", outcomes, lambda outcome: outcome.scene is not None, 100),
        _share("have the event", outcomes, lambda outcome: outcome.has_event, 100),
        _share("have the root line", framed, lambda outcome: outcome.has_root, 95),
        _share("have locals in the root frame", framed, lambda outcome: outcome.has_locals, 90),
        _share("meet all that is expected", outcomes, lambda outcome: not outcome.problems, 95),
        _share("repeat in a replay", fixed, lambda outcome: not other[outcome.expected.name], 90),
    ]


def _share(
    name: str, outcomes: list[Outcome], has: Callable[[Outcome], bool], target: float
) -> dict[str, Any]:
    found = sum(map(has, outcomes))
    share = 100 * found / len(outcomes)
    return {
        "name": f"failures that {name}: {found} of {len(outcomes)}",
        "value": share,
        "unit": "%",
        "target": target,
        "ok": share >= target,
    }
