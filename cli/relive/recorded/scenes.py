"""The scene that a command is asked for: of a failure that was recorded, or in a file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from relive_base.errors import NotFound

from relive.output import note
from relive.recorded.listing import finder
from relive.session import Session

__all__ = ["archive_of", "is_scene_file", "load_scene"]


def is_scene_file(ident: str) -> bool:
    """Whether an archive file is meant, and not an id."""
    return ident.endswith(".scene") or "/" in ident or Path(ident).is_file()


def load_scene(session: Session, ident: str) -> Any:
    """The scene of a failed invocation (an id, its beginning, a function's name, "last"), or of an archive
    file. Raises SceneError if it is none, NotFound."""
    from relive_capture.explore import archive

    if is_scene_file(ident):
        return archive.read_scene(Path(ident))
    return archive.read_scene(archive_of(session, ident)[1])


def archive_of(session: Session, ident: str) -> tuple[str, bytes]:
    """(file name, bytes); those of the home's own file, and a note, if the store cannot be read."""
    from relive_capture.explore import archive, scenes
    from relive_store import StoreError

    if is_scene_file(ident):
        return Path(ident).name, archive.read_scene(Path(ident)).raw
    try:
        found = finder(session).failure(ident)
        if found.note:
            note(f"note: {found.note}")
        return scenes.archive_bytes(session.store(), session.scenes_dir, found.ident)
    except (StoreError, NotFound) as error:
        known = isinstance(error, NotFound) and session.has_read  # the store was read, and has no such scene
        path = None if known or session.server else scenes.path_on_disk(session.scenes_dir, ident)
        if path is None:
            raise
        which = "the newest scene file" if ident == "last" else "the scene file"
        reason = " ".join(error.message.split())
        note(f"note: the store cannot be read: {reason}\n      this is {which} of the home, {path.name}")
        return path.name, archive.read_scene(path).raw
