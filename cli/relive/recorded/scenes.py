"""The scene that a command is asked for: of a failure that was recorded, or in a file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from relive_base.errors import NotFound, ReliveError

from relive.output import format_clock, note
from relive.recorded.listing import finder
from relive.session import Session

if TYPE_CHECKING:
    from relive_views.kept import KeptView

__all__ = [
    "archive_of", "is_from_elsewhere", "is_scene_file", "kept_failures", "load_scene", "tell_kept",
]  # fmt: skip

_TOLD: Final = 5


def is_scene_file(ident: str) -> bool:
    """Whether an archive file is meant, and not an id."""
    return ident.endswith(".scene") or "/" in ident or Path(ident).is_file()


def load_scene(session: Session, ident: str) -> Any:
    """The scene of a failed invocation (an id, its beginning, a function's name, "last"), or of an archive
    file. Raises SceneError if it is none, NotFound."""
    from relive_capture.explore.scene import read_scene

    if is_scene_file(ident):
        return read_scene(Path(ident))
    return read_scene(archive_of(session, ident)[1])


def is_from_elsewhere(session: Session, ident: str, scene: Any) -> bool:
    """Whether somebody else may have made it: a file, what was imported, or what another server has."""
    from relive_capture.explore.parts import outside_facts
    from relive_platform.inbox.importing import is_imported

    if is_scene_file(ident) or session.server or outside_facts(scene) is not None:
        return True
    return is_imported(session.scenes_dir, scene.invocation_id, scene.attempt)


def archive_of(session: Session, ident: str) -> tuple[str, bytes]:
    """(file name, bytes); those of the home's own file, and a note, if the store cannot be read. If there is
    no such file either, what the server keeps of the failure is said before the store's error."""
    from relive_capture.explore import scenes
    from relive_capture.explore.scene import read_scene
    from relive_store import StoreError

    if is_scene_file(ident):
        return Path(ident).name, read_scene(Path(ident)).raw
    try:
        found = finder(session).failure(ident)
        if found.note:
            note(f"note: {found.note}")
        return scenes.archive_bytes(session.store(), session.scenes_dir, found.ident)
    except (StoreError, NotFound) as error:
        known = isinstance(error, NotFound) and session.has_read  # the store was read, and has no such scene
        if known:
            raise
        kept = kept_failures(session, ident)
        path = None if session.server else _on_disk(session, ident, kept)
        if path is None:
            tell_kept(kept)
            raise
        which = "the newest scene file" if ident == "last" else "the scene file"
        reason = " ".join(error.message.split())
        note(f"note: the store cannot be read: {reason}\n      this is {which} of the home, {path.name}")
        return path.name, read_scene(path).raw


def _on_disk(session: Session, ident: str, kept: Sequence[KeptView]) -> Path | None:
    """The home's own file of what `ident` means; None if the server keeps a newer failure that has none."""
    from relive_capture.explore import scenes

    names = [ident, *(view.invocation_id for view in kept[:1])]
    found = {path for name in names if (path := scenes.path_on_disk(session.scenes_dir, name)) is not None}
    newest = max(found, key=lambda path: path.stat().st_mtime_ns, default=None)
    if newest is None or not kept or kept[0].invocation_id in newest.name:
        return newest
    return newest if newest.stat().st_mtime_ns > kept[0].failed_at else None


def kept_failures(session: Session, what: str) -> list[KeptView]:
    """The failed workers that the server keeps, of a failure, of a function or (""): all; newest first. None
    if no server answers."""
    from relive_views.kept import kept_meant, kept_view

    if not session.reachable:
        return []
    try:
        return kept_meant(map(kept_view, session.control().frozen()), what)
    except ReliveError:
        return []


def tell_kept(kept: Sequence[KeptView], *, as_json: bool = False) -> None:
    """Say of failed workers what the server knows by itself, and how to look into them."""
    from relive_views.failures import error_text

    for view in kept[:_TOLD]:
        error = error_text(view.error_type, view.message) or "it failed"
        note(
            f"{view.function} v{view.version}: {error}, at {format_clock(view.failed_at)};"
            f" its process is kept: relive debug {view.invocation_id}",
            as_json=as_json,
        )
    if len(kept) > _TOLD:
        note(f"{len(kept) - _TOLD:,} more failed processes are kept", as_json=as_json)
