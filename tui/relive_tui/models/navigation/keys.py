"""The keys and what they do, for the help."""

from __future__ import annotations

from typing import Final

__all__ = ["EVERYWHERE", "KEYS", "Keys"]

Keys = tuple[tuple[str, str], ...]

EVERYWHERE: Final[Keys] = (
    ("1 2 3 4 5 6", "Home Invocations Trace Flame Heap Logs, same scope"),
    ("7 8", "Metrics Alerts"),
    ("↑↓←→ hjkl", "move; left closes, right opens"),
    ("g G", "first and last row"),
    ("Enter", "open what is under the cursor"),
    ("Esc", "back"),
    ("-", "toggle between this view and the one before"),
    ("Tab", "next pane"),
    ("e E", "next and previous failure"),
    ("/", "filter or search"),
    ("n N", "next and previous match"),
    ("t", "next time range (:range 2h for any other)"),
    ("p", "pause live updates; new rows are counted"),
    ("o", "open the line in $EDITOR (failure, flame)"),
    ("< >", "scroll long lines sideways (shift+arrows too)"),
    ("y", "copy the command that reopens this view"),
    (":", "command: a view with an id, range, fn, quit"),
    ("ctrl+p", "command palette"),
    ("q", "quit"),
)
KEYS: Final[dict[str, Keys]] = {
    "home": (
        ("Enter", "a failure: its scene · a function: its invocations"),
        ("/", "filter by function, error or file"),
        ("a", "say that the failure is resolved or ignored"),
        ("A", "show resolved and ignored failures, too"),
    ),
    "invocations": (
        ("/", "filter: status:failed fn:checkout dur:>100ms text"),
        ("s", "sort: newest, slowest, CPU, memory, queue, oldest"),
        ("space d", "mark; the two marked side by side"),
        ("Enter", "the scene of a failure, else the trace"),
        ("r", "show what is new"),
        ("f", "only failures, and back to all"),
    ),
    "trace": (
        ("Enter", "fold or unfold a span"),
        ("z Z", "zoom to the span, and back to all"),
        ("f", "fold all but the path to the errors, and back"),
        ("a", "logs of the span, or of the whole trace"),
        ("c", "critical path: what the end waited for; and back"),
        ("u", "show the platform's own spans, and fold them again"),
        ("s", "the failure scene of this invocation"),
        ("x", "export: JSON file, or to an OTLP collector"),
        ("/ n N", "search names and attributes"),
    ),
    "failure": (
        ("j k", "frame"),
        ("[ ]", "along the chain of causes, groups and threads"),
        ("u", "show library frames"),
        ("D", "the event against the last success, and back"),
        ("i", "the whole message; what the scene has and lacks"),
        ("Enter", "in locals: open a value"),
        ("/ n N", "search frames and locals"),
        ("e E", "next and previous failure"),
        ("R", "run the event again: does it fail the same way?"),
        ("b", "debugger: in the failed process, else on its scene"),
        ("B", "run it again and go back from the failure, line by line"),
        ("a", "say that it is resolved or ignored, or open again"),
        ("x", "export: a pytest test that repeats it, or the scene"),
        ("y", "in locals: copy the value"),
        ("3 4 5 6", "trace (T), flame (f), heap, logs of this invocation"),
    ),
    "flame": (
        ("hjkl", "move over the frames"),
        ("Enter", "zoom into the frame"),
        ("backspace", "zoom out"),
        ("v", "the span, one invocation or all of the function"),
        ("i", "imports: what cold starts load; and back"),
        ("w", "weigh by wall time or CPU time"),
        ("/ n N", "search a function; its share of the time is shown"),
        ("x", "export: speedscope or HTML"),
        ("S", "speedscope at once"),
    ),
    "heap": (
        ("Enter", "open or close a row; on a type: its objects"),
        ("Tab", "next view: dominators, types, objects, roots"),
        ("B", "growth against another heap of this function"),
        ("e E", "next and previous leak suspect"),
        ("< >", "previous and next path that holds the object"),
        ("r", "what refers to the object"),
        ("d", "the object in the dominator tree"),
        ("/", "filter: type:dict size:>1MB own:>64KB text"),
        ("y", "copy the path"),
        ("x", "export"),
    ),
    "metrics": (
        ("Enter", "invocations of the function"),
        ("v", "functions, or the platform itself"),
        ("e E", "next and previous function that fails"),
        ("3", "trace of the slowest failed attempt, else of the slowest"),
        ("4", "its flame graph"),
        ("/", "go to a name"),
    ),
    "alerts": (
        ("m", "silence: tell nobody of it for 30m, 2h, 3d; 0 ends it"),
        ("Enter", "all that is known of it"),
        ("A", "changes of all alerts, or of this one"),
        ("e E", "next and previous alert that fires"),
    ),
    "logs": (
        ("/", "filter by text"),
        ("s", "least severity shown"),
        ("l h", "unfold a traceback, and fold it again"),
        ("G", "follow the newest line again"),
        ("Enter", "the trace of the line"),
    ),
}
