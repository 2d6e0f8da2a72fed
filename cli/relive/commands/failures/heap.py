"""`relive heap`."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from relive_base.errors import NotFound, UsageError

from relive.arguments.belonging import goes_with
from relive.arguments.completing import complete_failure
from relive.output import echo, emit_object, json_option, text_width
from relive.output.files import writing
from relive.recorded.scenes import is_scene_file, load_scene
from relive.session import Session

if TYPE_CHECKING:
    from relive_views.heaps import Comparison, Heap, RetainerPath
    from relive_views.scenes.archives import SceneFile

__all__ = ["heap"]

_JSON_PATHS = 32


@click.command()
@click.argument(
    "ident", default="last", metavar="[ID | FUNCTION | last | FILE]", shell_complete=complete_failure
)
@click.option("--top", type=click.IntRange(1, 1_000), default=8, show_default=True, help="Rows of each list.")
@click.option("--retainers", metavar="ADDRESS", help="Show what holds the object at this address.")
@click.option(
    "--compare",
    "other",
    metavar="ID",
    help="Show what has grown since that heap: ID, file, or `baseline`.",
)
@click.option(
    "--next", "wait_next", is_flag=True, help="Keep the heap of the function's next success as its baseline."
)
@click.option(
    "--export",
    "target",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write it as a .heapsnapshot, for Chrome DevTools and memlab.",
)
@json_option
@click.pass_obj
def heap(
    session: Session,
    ident: str,
    top: int,
    retainers: str | None,
    other: str | None,
    wait_next: bool,
    target: Path | None,
    as_json: bool,
) -> None:
    """Show what filled the memory of a failed invocation, and who holds it.

    \b
    relive heap                                   the newest failure
    relive heap checkout                          the newest one of a function
    relive heap 01a2086a --retainers 0x7f3a2c01d940
    relive heap last --compare 01a2086a           what has grown since
    relive heap checkout --next                   keep the heap of its next success,
    relive heap last --compare baseline           and see what a failure has more
    relive heap last --export last.heapsnapshot   for Chrome DevTools
    relive heap node.heapsnapshot                 a heap of Node's
    """
    from relive.output import heap_report as report

    if wait_next:
        goes_with("a heap that is there", "top", "retainers", "other", "target", hint="leave out --next")
        _keep_next(session, ident, as_json)
        return
    if other == "baseline":
        other = str(_baseline_of(session, ident))
    found, title = _open(session, ident)
    width = text_width()
    if target is not None:
        _export(found, target, as_json)
    elif retainers is not None:
        node = _node(found, retainers)
        if as_json:
            emit_object(_retainers_json(found, node))
        else:
            echo(report.retainers_text(found, node, width))
    elif other is not None:
        before, before_title = _open(session, other)
        growth = _compared(before, found)
        if as_json:
            emit_object(_comparison_json(growth, top))
        else:
            echo(report.comparison_text(growth, before_title, title, top, width))
    else:
        healthy = None if is_scene_file(ident) else _healthy(session, found)
        since = _compared(healthy, found) if healthy is not None else None
        if as_json:
            grown = _comparison_json(since, top) if since is not None else None
            emit_object({**_heap_json(found, top), "since_baseline": grown})
        else:
            echo(report.heap_text(found, title, ident, top, width, since))


def _keep_next(session: Session, function: str, as_json: bool) -> None:
    if function == "last":
        raise UsageError("--next wants the name of a function", hint="relive heap FUNCTION --next")
    version = session.control().request_heap(function)
    if as_json:
        emit_object({"function": function, "version": version})
    else:
        echo(f"the next invocation of {function} v{version} that succeeds leaves its heap;")
        echo("then: relive heap last --compare baseline")


def _baseline_of(session: Session, ident: str) -> Path:
    """Of the version that failed, else of the function's newest one."""
    from relive_views.heaps import find_baseline

    manifest = load_scene(session, ident).manifest
    function = str(manifest["function"])
    found = find_baseline(session.scenes_dir, function, int(manifest["version"]))
    if found is None:
        raise NotFound(
            f"there is no baseline of {function}",
            hint=f"relive heap {function} --next, and let it succeed once",
        )
    return found


def _open(session: Session, ident: str) -> tuple[Heap, str]:
    """(the heap, what it is of)."""
    from relive_views.heaps import cache_of, open_heap, open_v8

    cache = cache_of(session.scenes_dir)
    if ident.endswith(".heapsnapshot"):
        return open_v8(Path(ident), cache), ident
    scene: SceneFile = load_scene(session, ident)
    if not scene.has_heap:
        scene = _same_failure(session, scene, ident)
    manifest = scene.manifest
    return open_heap(scene, cache), f"{manifest['function']} v{manifest['version']} · {scene.invocation_id}"


def _same_failure(session: Session, scene: SceneFile, ident: str) -> SceneFile:
    """The scene of the same failure whose heap was taken some minutes before. Raises NotFound."""
    from relive_capture.explore import scenes

    error = _without_heap(scene)
    if is_scene_file(ident):
        raise error
    found = scenes.with_same_heap(session.store(), session.scenes_dir, scene)
    if found is None:
        raise error
    echo(error.message, err=True)
    return found


def _without_heap(scene: SceneFile) -> NotFound:
    part = scene.parts.get("heap")
    reason = part.reason if part is not None and part.reason else "none was taken"
    other = scene.heap_elsewhere  # taken of the same failure a moment before
    hint = "see the values of the frames: relive failure"
    return NotFound(
        f"the scene of {scene.invocation_id} has no heap: {reason}",
        hint=f"relive heap {other}" if other else hint,
    )


def _node(heap: Heap, address: str) -> int:
    try:
        number = int(address, 0)
    except ValueError as error:
        raise UsageError(
            f"{address!r} is not an address", hint="give one that `relive heap --json` names"
        ) from error
    node = heap.find(number)
    if node is None:
        raise NotFound(f"there is no object at {address}", hint="give one that `relive heap --json` names")
    return node


def _export(heap: Heap, target: Path, as_json: bool) -> None:
    from relive_views.heaps import write_v8

    with writing(target):
        size = write_v8(heap, target)
    if as_json:
        emit_object({"path": str(target), "bytes": size})
    else:
        echo(f"{target}  {size:,} bytes; Chrome: DevTools > Memory > Load profile")


def _healthy(session: Session, found: Heap) -> Heap | None:
    """The heap of a success of the same function, if one was taken."""
    from relive_views.heaps import find_baseline

    path = find_baseline(session.scenes_dir, found.meta.function, found.meta.version)
    return _open(session, str(path))[0] if path is not None else None


def _compared(before: Heap, after: Heap) -> Comparison:
    from relive_views.heaps import compare

    return compare(before, after)


def _heap_json(heap: Heap, top: int) -> dict[str, Any]:
    from relive_views.heaps import findings, suspects

    meta = heap.meta
    return {
        "invocation_id": meta.invocation_id,
        "function": meta.function,
        "version": meta.version,
        "taken_at": meta.taken_ns,
        "walker": meta.walker,
        "truncated": meta.truncated,
        "objects": heap.held,
        "bytes": heap.total,
        "rss_bytes": meta.rss_bytes,
        "suspects": [
            {
                **_object_json(heap, found.node),
                "share": found.share,
                "shared_by": list(found.shared_by),
                "point": _object_json(heap, found.point),
                "holds": {"type": found.holds, "count": found.holds_count, "bytes": found.holds_bytes},
            }
            for found in suspects(heap)
        ],
        "locals": [
            {
                "name": row.name,
                "frame": row.frame,
                "in_app": row.in_app,
                "type": row.kind,
                "address": f"{heap.address(row.node):#x}",
                "retained": row.retained,
                "exclusive": row.exclusive,
                "reaches": row.reaches,
            }
            for row in findings.locals_of(heap)[:top]
        ],
        "threads": [
            {"kind": row.kind, "name": row.name, "retained": row.retained}
            for row in findings.threads(heap)[:top]
        ],
        "modules": [
            {"name": row.name, "retained": row.retained, "exclusive": row.exclusive}
            for row in findings.modules(heap)[:top]
        ],
        "dominators": [_object_json(heap, node) for node in findings.biggest(heap, top)],
        "types": [
            {"type": row.name, "count": row.count, "bytes": row.shallow, "retained": row.retained}
            for row in findings.types(heap)[:top]
        ],
    }


def _object_json(heap: Heap, node: int) -> dict[str, Any]:
    path = heap.path(node)
    return {
        "address": f"{heap.address(node):#x}" if heap.is_object(node) else "",
        "type": heap.kind(node),
        "value": heap.value(node),
        "bytes": heap.size(node),
        "retained": heap.retained(node),
        "objects": heap.retained_objects(node),
        "path": path.text if path is not None else "",
    }


def _retainers_json(heap: Heap, node: int) -> dict[str, Any]:
    return {
        **_object_json(heap, node),
        "paths": [_path_json(heap, path) for path in heap.paths(node, 0, _JSON_PATHS)],
        "referrers": [
            {"label": edge.label, **_object_json(heap, edge.node)}
            for edge in heap.referrers(node, 0, _JSON_PATHS)
        ],
        "referrer_count": heap.referrer_count(node),
    }


def _path_json(heap: Heap, path: RetainerPath) -> dict[str, Any]:
    steps = [
        {
            "label": step.label,
            "type": step.kind,
            "retained": step.retained,
            "address": f"{heap.address(step.node):#x}" if heap.is_object(step.node) else "",
        }
        for step in path.steps
    ]
    return {"text": path.text, "steps": steps}


def _comparison_json(found: Comparison, top: int) -> dict[str, Any]:
    places = [*found.places[:top], *(place for place in found.places[top:][-top:] if place.growth < 0)]
    return {
        "bytes_before": found.total_before,
        "bytes_after": found.total_after,
        "objects_before": found.objects_before,
        "objects_after": found.objects_after,
        "one_process": found.one_process,
        "places": [
            {
                "path": place.path,
                "type": place.kind,
                "growth": place.growth,
                "before": place.before,
                "after": place.after,
            }
            for place in places
        ],
        "types": [{**dataclasses.asdict(row), "growth": row.growth} for row in found.types[:top]],
    }
