"""What there is, for all operations: functions, published versions, aliases, and what is noted of them."""

from __future__ import annotations

import asyncio
import contextlib
import re
import uuid
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Protocol

from relive_platform.api.aws.errors import AwsError
from relive_platform.api.aws.functions.names import Named, function_missing, named
from relive_platform.api.aws.functions.zips import KeptZips
from relive_platform.api.aws.service import Call
from relive_platform.engine.invocation import InvokeRequest, Outcome, StreamReader
from relive_platform.engine.qualifiers import LATEST
from relive_platform.registry import Alias, FunctionVersion, Registry, UnknownFunction
from relive_platform.triggers.queue.publisher import Accepted

__all__ = ["Catalog", "LogTail", "Platform", "Standing", "page", "stamp"]

APPLICATION: Final = "lambda"
"""The application of functions that are made by Lambda's API."""
_NUMBER: Final = re.compile(r"[1-9][0-9]{0,9}")
_MOST: Final = 50


class LogTail(Protocol):
    """The lines of one function from now on."""

    def text_of(self, invocation_id: str) -> str: ...


@dataclass(frozen=True, slots=True)
class Standing:
    """How the workers of a version stand. `problem`: why no further ones start."""

    ready: int = 0
    starting: int = 0
    problem: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Platform:
    """What Lambda's API needs of the server.

    `begin`: as `invoke`, for a waiter that takes the answer in parts. `fetch`: an object of S3, by bucket,
    key and version; raises AwsError. `gateway`: the functions' URL. `presign`: a URL of the listener, in a
    region, signed for a while. `caller`: invocation and depth of the one whose span has this id, if it runs.
    `mappings_changed`: event source mappings are others now. `workers`: of the host, at most. `standing`: how
    the workers of a function's version stand.
    """

    registry: Registry
    home: Path
    serving: Callable[[], Mapping[str, FunctionVersion]]
    invoke: Callable[[InvokeRequest], Awaitable[Outcome]]
    begin: Callable[[InvokeRequest, StreamReader], Awaitable[None]]
    publish: Callable[[InvokeRequest], Awaitable[Accepted]]
    tail: Callable[[str], AbstractContextManager[LogTail]]
    fetch: Callable[[str, str, str, str], Awaitable[bytes]]
    gateway: Callable[[], str]
    presign: Callable[[str, str], str]
    caller: Callable[[str], Awaitable[tuple[str, int] | None]]
    mappings_changed: Callable[[], Awaitable[None]]
    event_bytes: int = 6 * 1_048_576
    async_event_bytes: int = 1_048_576
    zip_bytes: int = 50 * 1_048_576
    unpacked_bytes: int = 250 * 1_048_576
    workers: int = 32
    call_depth: int = 16
    standing: Callable[[str, int], Standing] = field(default=lambda function, version: Standing())
    uuid: Callable[[], str] = field(default=lambda: str(uuid.uuid4()))


class Catalog:
    """Reads block for a moment (SQLite on this disk): writes and copies are done in threads."""

    def __init__(self, platform: Platform) -> None:
        self.platform = platform
        self.registry = platform.registry
        self.notes = platform.registry.notes
        self.aliases = platform.registry.aliases
        self.zips = KeptZips(platform.home / "packages")

    # ------------------------------------------------------------ zips

    def location(self, call: Call, sha256: str) -> str:
        """A URL of a zip that is kept, for ten minutes; "" if it is not."""
        path = self.zips.path_of(sha256)
        return self.platform.presign(f"{call.base_url}{path}", call.region) if path else ""

    async def sweep(self) -> None:
        """Versions have gone, or have other code: so do their zips, unless others have them, too."""
        await asyncio.to_thread(self.zips.sweep, self._hashes)

    def _hashes(self) -> set[str]:
        """Of the code of all versions that may be asked for, and of all layers."""
        versions = list(self.registry.functions())
        for name, number, _ in self.notes.all("published"):
            with contextlib.suppress(UnknownFunction):
                versions.append(self.registry.get(name, int(number)))
        found = {str(version.config.lambda_api.get("CodeSha256", "")) for version in versions}
        return (found | {document["sha256"] for _, _, document in self.notes.all("layer")}) - {""}

    # ------------------------------------------------------------ functions

    def latest(self, call: Call, name: Named) -> FunctionVersion:
        """The version in service. Raises AwsError."""
        found = self.platform.serving().get(name.name)
        if found is None:
            raise function_missing(call, name)
        return found

    def function(self, call: Call, member: str = "FunctionName") -> tuple[Named, FunctionVersion]:
        """The function that a request names, and its version in service. Raises AwsError."""
        name = named(call, member)
        return name, self.latest(call, name)

    def qualified(self, call: Call, name: Named) -> FunctionVersion:
        """The version that a request's qualifier leads to (of an alias with shares, the main one)."""
        latest = self.latest(call, name)
        if name.qualifier in ("", LATEST):
            return latest
        if _NUMBER.fullmatch(name.qualifier):
            return self.version(call, latest, int(name.qualifier), name)
        alias = self.alias(name.name, name.qualifier)
        if alias is None:
            raise function_missing(call, name)
        return latest if alias.version == latest.version else self.registry.get(name.name, alias.version)

    def has(self, call: Call, name: Named) -> bool:
        """Whether there is such a function, version or alias."""
        try:
            self.qualified(call, name)
        except AwsError:
            return False
        return True

    def version(self, call: Call, latest: FunctionVersion, number: int, name: Named) -> FunctionVersion:
        """A published version. Raises AwsError."""
        if not self.is_published(latest, number):
            raise function_missing(call, name)
        return latest if number == latest.version else self.registry.get(latest.name, number)

    def alias(self, function: str, name: str) -> Alias | None:
        """An alias, or None."""
        return next((alias for alias in self.aliases.of(function) if alias.name == name), None)

    # ------------------------------------------------------------ versions

    def is_published(self, latest: FunctionVersion, number: int) -> bool:
        """Whether callers may ask for a version by its number. What `relive deploy` has put in service always
        may be; what Lambda's API has, once it is published."""
        if self.published(latest.name, number) is not None:
            return True
        return not latest.config.lambda_api and number in self.registry.numbers(latest.name)

    def published(self, function: str, number: int) -> dict[str, Any] | None:
        """What is noted of a published version; None if it is not."""
        return self.notes.get("published", function, f"{number:010d}")

    def publish(self, version: FunctionVersion, description: str) -> dict[str, Any]:
        """Note that a version is published. The first time has the say."""
        found = self.published(version.name, version.version)
        if found is not None:
            return found
        note = {"description": description}
        self.notes.put("published", version.name, f"{version.version:010d}", note)
        return note

    def withdraw(self, function: str, number: int) -> bool:
        """A version is not published any more, and has no workers of its own. Whether it was."""
        if self.notes.get("provisioned", function, str(number)) is not None:
            self.registry.note("provisioned", function, str(number), None)
        return self.notes.drop("published", function, f"{number:010d}")

    def versions(self, latest: FunctionVersion) -> Iterator[FunctionVersion]:
        """The published ones, the oldest first."""
        numbers = {int(key) for key in self.notes.of("published", latest.name)}
        if not latest.config.lambda_api:
            numbers |= set(self.registry.numbers(latest.name))
        for number in sorted(numbers):
            yield latest if number == latest.version else self.registry.get(latest.name, number)

    # ------------------------------------------------------------ checks

    def check_revision(self, call: Call, current: str, told_by: str = "GetFunction/GetAlias") -> None:
        """A request may say which revision it means to change. Raises AwsError. `told_by`: who tells it."""
        asked = call.get("RevisionId")
        if asked and asked != current:
            raise AwsError(
                "PreconditionFailedException",
                "The Revision Id provided does not match the latest Revision Id."
                f" Call the {told_by} API to retrieve the latest Revision Id",
                412,
            )


def page(
    call: Call, entries: list[Any], member: str, *, most: int = _MOST, size: str = "MaxItems"
) -> dict[str, Any]:
    """The part of a list that Marker and MaxItems ask for."""
    marker = str(call.get("Marker") or "0")
    if not (marker.isascii() and marker.isdigit() and len(marker) < 10):
        raise AwsError("InvalidParameterValueException", "Invalid Marker")
    start = int(marker)
    count = min(int(call.get(size) or most), most)
    found = {member: entries[start : start + count]}
    if start + count < len(entries):
        found["NextMarker"] = str(start + count)  # type: ignore[assignment]
    return found


def stamp(time_ns: int) -> str:
    """As Lambda writes times: 2026-11-29T13:58:24.000+0000."""
    from datetime import UTC, datetime

    when = datetime.fromtimestamp(time_ns / 1e9, UTC)
    return when.strftime("%Y-%m-%dT%H:%M:%S.") + f"{when.microsecond // 1000:03d}+0000"
