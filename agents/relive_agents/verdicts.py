"""What a replay's outcome says to somebody who fixes code. Pure: of the JSON of `relive replay`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from relive_base.terminal import one_line

from relive_agents.texts import told_apart

__all__ = ["next_of", "text_of", "verdict", "why_call"]

_WIDTH: Final = 300
_DIFFERENCES: Final = 6
_CALLS: Final = 8
_LOG: Final = 10
_TOLD: Final = ("type", "message")  # with both errors

Outcome = Mapping[str, Any]


def verdict(outcome: Outcome, recorded: Outcome | None, *, own: bool) -> str:
    """One line. `own`: code of the caller's was run; `recorded`: then, what the code that failed came to when
    it was run now, None if it could not be."""
    found = str(outcome["outcome"])
    if found == "same" and not own:
        return "the same failure again: the recording repeats it"
    if found != "passed":
        return _FAILED.get(found, found)
    if not own:
        return "passed: the code that failed does not fail now, so the recording does not repeat it"
    if any(run["calls"].get("missing") for run in outcome["runs"]):
        return "passed, not verified: calls had no answer, and the code did not mind"
    if recorded is None:
        return "passed, not verified: the code that failed could not be run here to compare"
    if recorded["outcome"] != "same":
        return "passed, not verified: the code that failed does not fail again either"
    return "verified: the code that failed fails again on this event, and this code passes"


_FAILED: Final = {
    "same": "not fixed: the same failure",
    "past": "past the failing line: it holds there, and fails later",
    "unrecorded": "undecided: it came to a call that is not recorded, before it was past the failing line",
    "other": "another failure, and not past the failing line",
    "mixed": "it varies from run to run",
}


def text_of(outcome: Outcome) -> str:
    """What happened."""
    return "\n".join(_lines(outcome))


def next_of(outcome: Outcome, said: str, ident: str, code: str = "") -> str:
    """What helps now. `code`: what `why` is told, if the failure's own code is not here."""
    why = why_call(ident, code)
    found, missing = outcome["outcome"], outcome["runs"][-1]["calls"].get("missing") or []
    if said.startswith("verified"):
        return f'to_test(id="{ident}") keeps it fixed'
    if missing and found in ("past", "unrecorded"):
        return (
            f'replay again with the same code and answers={{"NAME": ANSWER}}, NAME being what was called:'
            f" {told_apart(str(missing[-1]).partition(' ')[2], call=True)}"
        )
    if found == "past":
        return "fix what fails now, and replay again"
    if found == "same" and "not fixed" not in said:
        return f'fix it, then replay(id="{ident}", code="."); or {why}'
    if found == "passed":
        return f'read what differs; scene(id="{ident}") has the event and the calls'
    return f"{why} for where the bad value arose, or inspect"


def why_call(ident: str, code: str = "") -> str:
    """The call of `why` that works."""
    return f'why(id="{ident}", code="{code}")' if code else f'why(id="{ident}")'


def _lines(outcome: Outcome) -> Iterator[str]:
    run = outcome["runs"][-1]
    yield f"{outcome['function']} on {outcome['code']}"
    if len(outcome["runs"]) > 1:
        yield "runs: " + ", ".join(f"{count} {name}" for name, count in outcome["counts"].items() if count)
    yield _cut(f"recorded: {_error(outcome['recorded'])}")
    if run["error"] is None:
        yield _cut(f"result:   {run['result']!r}")
    else:
        yield _cut(f"now:      {_error(run['error'])}")
    others = [one for one in run["differences"] if one["what"] not in _TOLD]
    for one in others[:_DIFFERENCES]:
        yield _cut(f"differs:  {one['what']}: recorded {one['recorded']}, now {one['replayed']}")
    calls = run["calls"]
    yield f"calls:    {calls.get('answered', 0)} answered from the recording"
    titles = (
        ("not recorded", "missing"), ("answered by you", "given"), ("not made", "unused"),
        ("sent another body", "differing"),
    )  # fmt: skip
    for title, name in titles:
        for call in calls.get(name, [])[:_CALLS]:
            yield _cut(f"  {title}: {call}")
    for note in outcome["notes"]:
        yield _cut(f"note: {note}")
    if run["log"]:
        yield f"log, the last lines of {len(run['log'])}:"
        yield from (_cut(f"  {line}") for line in run["log"][-_LOG:])


def _error(error: Mapping[str, Any]) -> str:
    said = f"{error['type']}: {error['message']}" if error["message"] else error["type"]
    return f"{said}  {error['file']}:{error['line']}" if error["file"] else said


def _cut(text: str) -> str:
    return one_line(text, _WIDTH)
