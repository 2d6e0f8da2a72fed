"""What the demo shows at its end without a terminal UI: why things failed, and where the time went."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from relive_base.terminal import one_line, title_line

if TYPE_CHECKING:
    from relive_store import Store

__all__ = ["failure_rows", "hot_rows", "report_lines"]

_LOCALS_SHOWN = 6
_LOCAL_CHARS = 70


def failure_rows(store: Store, scenes_dir: Path, since_ns: int, limit: int = 20) -> list[dict[str, Any]]:
    """One row for each group of failures, newest first, with the root line and its locals."""
    from relive_capture.explore import failures, scenes

    rows = []
    for group in failures.groups(store, failures.FailureFilter(since_ns=since_ns), limit):
        scene = scenes.load(store, scenes_dir, group.invocation_id)
        frame = _root_frame(scene)
        rows.append(
            {
                "invocation_id": group.invocation_id,
                "function": group.function,
                "kind": group.kind,
                "error_type": group.error_type,
                "message": group.message,
                "count": group.count,
                "file": group.file,
                "line": group.line,
                "source": _source_line(frame),
                "locals": {name: node.text for name, node in frame.locals[:_LOCALS_SHOWN]} if frame else {},
            }
        )
    return rows


def _root_frame(scene: Any) -> Any:
    """The innermost frame of the user's own code of what was raised, of those whose source is known."""
    frames = scene.exceptions[0].frames if scene.exceptions else []
    own = [frame for frame in frames if frame.in_app]
    told = [frame for frame in own if frame.source]  # a template's code has none
    return (told or own or frames or [None])[-1]


def _source_line(frame: Any) -> str:
    if frame is None:
        return ""
    position = frame.line - frame.source_first_line
    return frame.source[position].strip() if 0 <= position < len(frame.source) else ""


def hot_rows(store: Store, since_ns: int, limit: int = 8) -> list[dict[str, Any]]:
    """The hottest lines of all functions, by their own time."""
    from relive_profiler.explore import hot

    found = hot.hot(store, hot.HotFilter(since_ns=since_ns), by="line", limit=limit)
    return [
        {
            "function": row.function,
            "name": row.name,
            "file": row.file,
            "line": row.line,
            "self_s": row.self_s,
            "self_pct": row.self_pct,
            "samples": row.samples,
        }
        for row in found.rows
    ]


def report_lines(result: dict[str, Any]) -> list[str]:
    """The report for people."""
    head = (
        f"{result['functions']} functions, {result['events']} events: {result['ok']} ok, "
        f"{result['failed']} failed, in {result['seconds']:.1f} s"
    )
    lines = [head, "", "Why they failed"]
    for row in result["failures"]:
        lines += _failure_lines(row)
    lines += ["", "Where the time went"]
    for row in result["hot_lines"]:
        place = f"{Path(row['file']).name}:{row['line']}"
        share = f"{row['self_pct']:5.1f} %  {row['self_s']:7.3f} s"
        lines.append(f"  {share}  {row['function']:<10} {place:<22} {row['name']}")
    newest = result["failures"][0]["invocation_id"] if result["failures"] else "last"
    return [
        *lines,
        "",
        "Next",
        "  relive tui                     the same, with one key to each cause",
        f"  relive failure {newest}",
        f"  relive why {newest}",
        f"  relive replay {newest}",
        *(f"  relive heap {row['invocation_id']}" for row in _hogs(result["failures"])[:1]),
        f"  relive trace {newest}",
        "  relive flame pricing",
    ]


def _hogs(failures: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [row for row in failures if row["kind"] == "memory"]


def _failure_lines(row: dict[str, Any]) -> list[str]:
    place = f"{Path(row['file']).name}:{row['line']}" if row["file"] else "(no Python frame)"
    error = title_line(f"{row['error_type']}: {row['message']}", 74)
    lines = [
        f"  {row['function']:<10} {error}  x{row['count']}",
        f"  {'':<10} {place}  {one_line(row['source'], 80)}",
    ]
    shown = "  ".join(f"{name}={one_line(text, _LOCAL_CHARS)}" for name, text in row["locals"].items())
    if shown:
        lines.append(f"  {'':<10} {one_line(shown, 150)}")
    return lines
