"""`relive scene import`: scenes of other machines, brought into this home."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from relive_base.errors import ExitCode, NotFound, ReliveError, UsageError
from relive_base.terminal import one_line, title_line

from relive.output import echo, emit_object, note
from relive.session import Session

if TYPE_CHECKING:
    from relive_platform.inbox.importing import Imported

__all__ = ["import_scenes"]

_MOST: Final = 1_000
_BYTES: Final = 64 * 1_048_576
_TOLD: Final = {"new": "imported", "known": "known already", "other": "kept out: another scene has its id"}


def import_scenes(session: Session, places: tuple[str, ...], *, remove: bool, as_json: bool) -> int:
    """Each place is a file, a folder or `s3://bucket/prefix`. The status is 1 if any was refused."""
    if not places:
        raise UsageError(
            "name what to import", hint="relive scene import FILE, a folder, or s3://bucket/prefix"
        )
    if session.server:
        raise UsageError(
            "scenes are imported into a home of this machine",
            hint="send them to that server's inbox over HTTP: POST /_relive/scenes/NAME, with its token",
        )
    from relive_platform.inbox.importing import Importer

    (session.home / "store").mkdir(mode=0o700, parents=True, exist_ok=True)
    session.scenes_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    importer = Importer(session.scenes_dir, session.store())
    found: list[dict[str, Any]] = []
    refused = 0
    for where, read, forget in _all(places):
        try:
            imported = importer.take(read(), where)
        except (ReliveError, OSError) as error:
            refused += 1
            text = error.message if isinstance(error, ReliveError) else str(error)
            note(f"{one_line(where)}: refused: {one_line(text, 300)}", as_json=as_json)
            continue
        found.append({"from": where, **_row(imported)})
        _tell(imported, as_json=as_json)
        if remove and imported.state != "other":
            forget()
    if as_json:
        emit_object({"scenes": found, "refused": refused})
    elif found:
        new = sum(row["state"] == "new" for row in found)
        echo(f"{new} new of {len(found)}; see them: relive failures")
    elif not refused:
        raise NotFound(f"no scene is in {', '.join(places)}", hint="they are named ID-ATTEMPT.scene")
    return ExitCode.FAILED if refused else ExitCode.DONE


def _row(imported: Imported) -> dict[str, str]:
    return {
        "state": imported.state,
        "invocation_id": imported.invocation_id,
        "function": imported.function,
        "host": imported.host,
        "error_type": imported.error_type,
        "message": imported.message,
    }


def _tell(imported: Imported, *, as_json: bool) -> None:
    if not as_json:
        host = f" on {imported.host}" if imported.host else ""
        text = f"{imported.invocation_id}  {_TOLD[imported.state]}  {imported.function}{host}"
        echo(one_line(f"{text}  {imported.error_type}: {imported.message}", 160))
    if imported.note:
        note(f"{imported.invocation_id}: {one_line(imported.note, 500)}", as_json=as_json)


def _all(places: tuple[str, ...]) -> Iterator[tuple[str, Callable[[], bytes], Callable[[], object]]]:
    for place in places:
        if place.startswith("s3://"):
            yield from _of_bucket(place)
            continue
        path = Path(place)
        files = [path]
        if path.is_dir():  # what is no file there, a pipe say, would never come to its end
            files = sorted(file for file in path.glob("*.scene") if file.is_file())[:_MOST]
        for file in files:
            yield str(file), partial(_read, file), partial(file.unlink, missing_ok=True)


def _read(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(_BYTES + 1)  # over the limit of an archive, as its reader says


def _fetched(client: Any, bucket: str, key: str) -> bytes:
    return bytes(client.get_object(Bucket=bucket, Key=key)["Body"].read(_BYTES + 1))


def _of_bucket(place: str) -> Iterator[tuple[str, Callable[[], bytes], Callable[[], object]]]:
    try:
        import boto3
    except ImportError as error:
        raise UsageError("S3 is read by boto3", hint="install it: pip install 'relive[aws]'") from error
    bucket, _, prefix = place.removeprefix("s3://").partition("/")
    client: Any = boto3.client("s3")
    count = 0
    try:
        for page in client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
            for entry in page.get("Contents", ()):
                key = str(entry["Key"])
                if not key.endswith(".scene") or count >= _MOST:
                    continue
                count += 1
                yield (
                    f"s3://{bucket}/{key}",
                    partial(_fetched, client, bucket, key),
                    partial(client.delete_object, Bucket=bucket, Key=key),
                )
    except Exception as error:
        if isinstance(error, ReliveError):
            raise
        text = f"{type(error).__name__}: {title_line(str(error), 300)}"
        raise NotFound(f"{place} cannot be read: {text}") from error
