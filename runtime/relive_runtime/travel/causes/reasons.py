"""What speaks for a statement, in words. Pure."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from relive_runtime.travel.causes.likelihood import WEIGHTS

__all__ = ["WORDS", "reason"]

_CHANGED: Final = "it gives another name or place to what a later line changes"
WORDS: Final = {
    "way: closure of a loop": "the function that it makes reads what the loop goes on to change",
    "way: has one default for all calls": "all calls share one default",
    "way: in a handler of errors": "it takes the place of what an error has stopped",
    "way: goes over what it changes": "its rounds may change what it goes over",
    "way: groups what is in no order": "only neighbours are grouped, and this function sorts nothing for it",
    "way: one object for all": "all of them are one object",
    "way: counts pages": "it gives one more even if nothing is left over",
    "way: replaces the time zone": "it sets the zone and leaves the hour as it is",
    "way: leaves letters out": "letters that do not fit are left out or replaced",
    "way: mixes and with or": "and binds more tightly than or",
    "way: takes the result of a change": "what it is given by a change is None",
    "way: looks in a text": "in looks for a part of a text",
    "smells: cuts letters off": "it cuts off all of these letters, not the word",
    "smells: overwrites what was added up": "it overwrites what was there before",
    "smells: leaves in the first round": "it leaves the loop in its first round",
    "seen: an error was swallowed in it": "an error was swallowed in it",
    "seen: copies, but shares parts that are changed later": "a later line changes what the copy shares",
    "seen: counted letters, not bytes": "it counts letters, which are not as many as bytes",
    "seen: cut bytes": "it cuts bytes, and a letter may have several",
    "seen: found nothing to take out": "at least once it found nothing to take out",
    "seen: gave an iterator that is read twice": "what it gives can be gone through once, and two lines do",
    "seen: ordered numbers as texts": "texts with digits are put in the order of texts, not of numbers",
    "seen: shares a global that is changed later": _CHANGED,
    "seen: shares a local that is changed later": _CHANGED,
    "seen: shares a part that is changed later": _CHANGED,
    "seen: shares an argument that is changed later": _CHANGED,
    "seen: took a flag for a number": "a flag counts as a number here",
    "seen: gave a time without a zone": "the time that it gives has no zone",
    "near falsy": "a zero counts as nothing here",
}
"""What of it a run has to show is in `proofs.py`."""


def reason(features: dict[str, float], holds: Callable[[str], bool]) -> str:
    """The heaviest that has words and is true; "": none."""
    known = [name for name in features if name in WORDS and WEIGHTS.get(name, 0.0) > 0]
    known.sort(key=lambda name: (WEIGHTS[name], name), reverse=True)
    return next((WORDS[name] for name in known if holds(name)), "")
