"""The flame tree of a filter or of one invocation."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from relive_base.errors import NotFound

from relive_profiler.explore.export import export
from relive_profiler.explore.filters import INVOCATION_FUNCTION, HotFilter
from relive_profiler.explore.folding import ENOUGH_SAMPLES, Folded, confidence, load
from relive_profiler.explore.imports import by_module
from relive_profiler.explore.memory import Memory, memory_of
from relive_profiler.explore.single import is_single, load_single
from relive_profiler.explore.tree import FlameTree, Weight, build

if TYPE_CHECKING:
    from relive_store import Store

__all__ = ["FlameTree", "Weight", "build", "flame", "render"]

_DAY_NS: Final = 86_400 * 1_000_000_000

render = export


def flame(
    store: Store,
    what: HotFilter | str,
    *,
    weight: Weight = "wall",
    by_line: bool = False,
    imports: bool = False,
    timeout_s: float = 30.0,
) -> FlameTree:
    """The tree of a filter, or of one invocation (its id). `imports`: of modules, as they import each other.

    An invocation with fewer than 5 samples gives the aggregate of its function over the day around it, and
    says so; spans of one that have fewer give the invocation. Raises NotFound if an invocation has no profile
    and is not known; store errors pass through.
    """
    filter_ = HotFilter(invocation_ids=(what,)) if isinstance(what, str) else what
    single = len(filter_.invocation_ids) == 1
    folded, held = _loaded(store, filter_, timeout_s)
    notes = []
    if filter_.span_ids and folded.samples < ENOUGH_SAMPLES:
        notes.append(f"this span has {confidence(folded.samples)[1]}; shown: its invocation")
        filter_ = replace(filter_, span_ids=())
        folded, held = _loaded(store, filter_, timeout_s)
    elif filter_.span_ids:
        notes.append("inside the span")
    if single and folded.samples < ENOUGH_SAMPLES:
        own = confidence(folded.samples)[1]
        filter_ = _function_filter(store, filter_, timeout_s)
        folded = load(store, filter_, timeout_s=timeout_s)
        notes.append(f"this invocation has {own}; shown: all of {filter_.function}")
        single = False
    if imports:
        folded = by_module(folded)
    note = "; ".join(notes)
    tree = build(
        folded, weight=weight, by_line=by_line, title=_title(filter_), note=note, aggregate=not single
    )
    if single and held is not None:
        return replace(tree, note=f"{tree.note}; {held.text}")
    return tree


def _loaded(store: Store, filter_: HotFilter, timeout_s: float) -> tuple[Folded, Memory | None]:
    """The stacks; of one invocation its memory, too."""
    if is_single(filter_):
        one = load_single(store, filter_, timeout_s=timeout_s)
        return one.folded, one.memory
    folded = load(store, filter_, timeout_s=timeout_s)
    if len(filter_.invocation_ids) != 1 or filter_.phase != "invoke" or filter_.span_ids:
        return folded, None
    held = memory_of(store, filter_.invocation_ids, timeout_s=timeout_s)
    return folded, held[max(held)] if held else None


def _title(filter_: HotFilter) -> str:
    if len(filter_.invocation_ids) == 1:
        return filter_.invocation_ids[0]
    name = filter_.function or "all functions"
    return f"{name} v{filter_.version}" if filter_.version else name


def _function_filter(store: Store, filter_: HotFilter, timeout_s: float) -> HotFilter:
    result = store.query(INVOCATION_FUNCTION, {"ids": list(filter_.invocation_ids)}, timeout_s=timeout_s)
    for function, started_ns in result.rows():
        return HotFilter(
            function=str(function),
            since_ns=int(str(started_ns)) - _DAY_NS,
            until_ns=int(str(started_ns)) + _DAY_NS,
            phase=filter_.phase,
        )
    raise NotFound(
        f"no profile and no invocation {filter_.invocation_ids[0]}",
        hint="`relive invocations` lists those that are recorded",
    )
