"""Which recorded call answers a call: pure matching, in the order of the recording.

Method and URL decide, of calls of typed values the statement, too. Among the calls that are left with these,
the first with the same body is taken, else the first. Headers do not count. What was redacted in the
recording is redacted in the call before they are compared.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from urllib.parse import parse_qsl, urlsplit

from relive_base.redaction.redactor import Redactor

from relive_capture.bodies import body_bytes
from relive_capture.recording_format import Body, GivenAnswer, RecordedCall
from relive_capture.typed_bodies import clean_statement, clean_values

__all__ = ["RecordedCalls", "normal_url", "one_call"]

_JSON = [("Content-Type", "application/json")]
_SHOWN = 300
_NOTHING = b"null"
_PORTS = {"http": 80, "https": 443, "ws": 80, "wss": 443}


class RecordedCalls:
    """The recorded calls that are left. `answers`: for calls that have none; of several with one name each
    answers one call, and the last one all that follow."""

    def __init__(
        self,
        recorded_calls: Iterable[RecordedCall],
        redactor: Redactor | None = None,
        answers: Iterable[GivenAnswer] = (),
    ) -> None:
        self._redactor = redactor or Redactor()
        self._answers = list(answers)
        self.given: list[str] = []
        self._used: set[str] = set()  # names of `answers`
        self._names = list(dict.fromkeys(answer.name for answer in self._answers))
        self._left = list(recorded_calls)
        self._down: dict[tuple[str, str], RecordedCall] = {}  # failed last: does so whenever it is tried
        self.answered = 0
        self.missing: list[str] = []
        self.differing: list[str] = []
        self.redacted: list[str] = []

    def take(self, kind: str, method: str, url: str, body: bytes) -> RecordedCall | None:
        """The recorded call that answers this one; it is not taken again. None, and noted, if there is
        none."""
        wanted = normal_url(self._redactor.text(url)) if kind == "http" else url
        same = [
            entry
            for entry in self._left
            if entry.kind == kind
            and entry.method == method
            and (normal_url(entry.url) if kind == "http" else entry.url) == wanted
        ]
        if not same:
            return self._given(kind, method, url)
        sent = _canonical(self._redactor.json_bytes(body))
        found = next((entry for entry in same if _same_body(entry, sent)), None)
        if found is None:
            found = same[0]
            self.differing.append(f"{method} {url}")
        self._use(found)
        return found

    def take_values(self, method: str, target: str, statement: str, request: bytes) -> RecordedCall | None:
        """The recorded call that answers one of typed values. None, and noted, if there is none."""
        wanted, where = _words(clean_statement(statement, self._redactor)), self._redactor.text(target)
        same = [
            entry
            for entry in self._left
            if entry.kind == "values"
            and entry.method == method
            and entry.url == where
            and _words(entry.statement) == wanted
        ]
        if not same:
            self.missing.append(one_call(method, statement or target))
            return None
        sent, _ = clean_values(request, statement, "request.body", self._redactor, [])
        found = next((entry for entry in same if _same_values(entry, sent)), None)
        if found is None:
            found = same[0]
            self.differing.append(one_call(method, statement or target))
        self._use(found)
        return found

    @property
    def redactor(self) -> Redactor:
        """What takes secrets out of a call before it is compared."""
        return self._redactor

    def same_values(self, method: str, target: str, statement: str, request: bytes) -> RecordedCall | None:
        """The recorded call that is just this one; None if there is none, which is not noted."""
        wanted, where = _words(clean_statement(statement, self._redactor)), self._redactor.text(target)
        sent, _ = clean_values(request, statement, "request.body", self._redactor, [])
        for entry in self._left:
            if (
                (entry.kind, entry.method, entry.url) == ("values", method, where)
                and _words(entry.statement) == wanted
                and _same_values(entry, sent)
            ):
                self._use(entry)
                return entry
        return None

    def has_values(self, target: str, method: str = "") -> bool:
        """Whether any call that is left went to `target`, with that method."""
        where = self._redactor.text(target)
        return any(
            entry.kind == "values" and entry.url == where and method in ("", entry.method)
            for entry in self._left
        )

    def first_values(self, method: str, target: str, statement: str) -> RecordedCall | None:
        """The first that is left with that statement; it is not taken."""
        where, wanted = self._redactor.text(target), _words(clean_statement(statement, self._redactor))
        for entry in self._left:
            same = entry.kind == "values" and (entry.method, entry.url) == (method, where)
            if same and _words(entry.statement) == wanted:
                return entry
        return None

    def next_values(self, method: str, target: str) -> RecordedCall | None:
        """The first call that is left of those to `target`, with that method or any; it is not taken."""
        where = self._redactor.text(target)
        for entry in self._left:
            if entry.kind == "values" and entry.url == where and method in ("", entry.method):
                return entry
        return None

    def use(self, entry: RecordedCall) -> None:
        """Take one that is left."""
        self._use(entry)

    def targets(self, scheme: str) -> list[str]:
        """Whom the calls that are left went to, of one kind."""
        return list(dict.fromkeys(entry.url for entry in self._left if entry.url.startswith(scheme)))

    def has_statement(self, method: str, target: str, statement: str) -> bool:
        """Whether a call that is left did this with that statement."""
        where, wanted = self._redactor.text(target), _words(clean_statement(statement, self._redactor))
        return any(
            entry.kind == "values"
            and (entry.method, entry.url) == (method, where)
            and _words(entry.statement) == wanted
            for entry in self._left
        )

    def _given(self, kind: str, method: str, url: str) -> RecordedCall | None:
        fitting = [answer for answer in self._answers if _is_for(answer.name, kind, method, url)]
        if fitting:
            self._used.add(fitting[0].name)
        if not fitting:
            self.missing.append(f"{method} {url}")
            return None
        if len(fitting) > 1:
            self._answers.remove(fitting[0])
        self.given.append(f"{method} {url}")
        body = Body(text=fitting[0].body.decode("utf-8", "replace"))
        headers = _JSON if kind == "http" else []
        return RecordedCall(
            kind=kind, method=method, url=url, status=200, response_headers=headers, response_body=body
        )

    def unasked(self) -> list[str]:
        """Names of given answers that no call was for."""
        return [name for name in self._names if name not in self._used]

    def failed(self, kind: str, place: str) -> RecordedCall | None:
        """The recorded call of `kind` that failed without an answer, if it is the next one for that place.

        `place` is a URL for "http", "host:port" (or a TLS server's name) for "connect".
        """
        wanted = normal_url(self._redactor.text(place)) if kind == "http" else place
        for entry in self._left:
            if entry.kind == "http":
                at = normal_url(entry.url) if kind == "http" else _origin(entry.url)
            else:
                at = entry.url if kind == entry.kind else ""
            if at == wanted:
                if entry.kind != kind or entry.status or entry.failure is None:
                    return None
                if kind == "http" and entry.failure.where != "connect":
                    return None  # it was connected; what came of that is the answer's
                self._use(entry)
                self._down[kind, wanted] = entry
                return entry
        return self._down.get((kind, wanted))

    def _use(self, entry: RecordedCall) -> None:
        self._left.remove(entry)
        self.answered += 1
        self.redacted += [
            f"{one_call(entry.method, entry.statement or entry.url)}: {place}"
            for place in entry.redacted
            if place.startswith("response.")
        ]

    def unused(self) -> list[str]:
        """Recorded calls that were not made."""
        return [
            one_call(entry.method or entry.kind, entry.statement or entry.url)
            for entry in self._left
            if entry.kind != "values" or entry.method != "open"  # it was there before
        ]

    def drop(self, phase: str) -> None:
        """Forget what is left of a phase."""
        self._left = [entry for entry in self._left if entry.phase != phase]


def one_call(method: str, what: str) -> str:
    """A call in one line."""
    words = _words(what)[:_SHOWN]
    return words if words.startswith(f"{method} ") else f"{method} {words}"


def normal_url(url: str) -> str:
    """A URL without its default port and fragment; the query in one order."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return url
    host = (parts.hostname or "").lower()
    place = host if port in (None, _PORTS.get(parts.scheme)) else f"{host}:{port}"
    query = (
        sorted(parse_qsl(parts.query, keep_blank_values=True)) if len(parts.query) < 65_536 else parts.query
    )
    return f"{parts.scheme}://{place}{parts.path or '/'}?{query}"


def _is_for(name: str, kind: str, method: str, url: str) -> bool:
    """Whether an answer of that name answers a call."""
    called = name.removeprefix(f"{method} ")
    return called == url or (kind == "http" and normal_url(called) == normal_url(url))


def _origin(url: str) -> str:
    """ "host:port" of a URL."""
    try:
        parts = urlsplit(url)
        return f"{parts.hostname}:{parts.port or _PORTS.get(parts.scheme, '')}"
    except ValueError:
        return url


def _same_body(entry: RecordedCall, sent: bytes) -> bool:
    body = entry.request_body
    recorded = body_bytes(body)
    if body.cut:
        return sent.startswith(recorded)
    return _canonical(recorded) == sent


def _words(statement: str) -> str:
    return " ".join(statement.split())


def _same_values(entry: RecordedCall, sent: bytes) -> bool:
    recorded = body_bytes(entry.request_body)
    if recorded == sent or (not recorded and sent == _NOTHING):
        return True
    try:
        return [json.loads(line) for line in recorded.split(b"\n")] == [
            json.loads(line) for line in sent.split(b"\n")
        ]
    except (ValueError, RecursionError):
        return False


def _canonical(data: bytes) -> bytes:
    """JSON in one order of its keys; anything else as it is."""
    if data[:1] not in (b"{", b"["):
        return data
    try:
        return json.dumps(json.loads(data), sort_keys=True).encode()
    except (ValueError, RecursionError):
        return data
