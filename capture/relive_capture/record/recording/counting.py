"""How often an invocation has called whom: what a profile says of its calls."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final
from urllib.parse import urlsplit

from relive_base.wire.messages import CallCount

from relive_capture.record.recording.again import Repetitions
from relive_capture.record.recording.recorded import Call

__all__ = ["count_calls"]

_TARGETS: Final = 20
_SERVER_ERROR: Final = 500
_OTHERS: Final = "others"


def count_calls(calls: Iterable[Call], left_out: int) -> list[CallCount]:
    """By whom they went to, in the order of the first ones. `left_out`: calls over the limit of recording;
    they count to the last one's."""
    found: dict[str, CallCount] = {}
    places: dict[str, str] = {}  # of databases and the like, which are asked often
    last: CallCount | None = None
    repetitions = Repetitions()
    for call in calls:
        raw = call.raw
        if raw.method == "open" and raw.failure is None:
            continue  # what was known of a server before: nobody was asked
        if raw.form == "values":
            target = places.get(raw.origin) or places.setdefault(raw.origin, _host_of(raw.origin))
        else:
            target = _target(raw.form, raw.origin, raw.url)
        if len(found) >= _TARGETS and target not in found:
            target = _OTHERS
        last = found.setdefault(target, CallCount(target, 0))
        last.count += 1 + call.again
        last.wait_ns += raw.took_ns
        failed = raw.failure is not None or _status(call) >= _SERVER_ERROR
        if failed:
            last.failed += 1 + call.again
        repetitions.take(call, failed, last)
    if left_out and last is not None:
        last.count += left_out
    return list(found.values())


def _target(form: str, origin: str, url: str) -> str:
    """Host and port; a path, or what a user signs in with, is nobody's business here."""
    if form == "invoke":
        return f"function {url}"
    if origin:
        return origin
    try:
        parts = urlsplit(url)
    except ValueError:
        return _OTHERS
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"


def _host_of(origin: str) -> str:
    """ "postgresql://host:port" of a database there; of a file its name."""
    scheme, mark, rest = origin.partition("://")
    if not mark:
        return origin
    host, _, path = rest.partition("/")
    return f"{scheme}://{host.rpartition('@')[2]}" if host else f"{scheme} {path.rpartition('/')[2]}"


def _status(call: Call) -> int:
    if call.raw.status:
        return call.raw.status
    head = call.response[0][:12] if call.response else b""
    return int(head[9:12]) if head.startswith(b"HTTP/") and head[9:12].isdigit() else 0
