"""From what a worker recorded to `cassette.json` and `replay.json`: taken apart, redacted, bounded."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import msgspec
from relive_base.parts import PartState, Reason, State, Why, missing, not_applicable, ok
from relive_base.redaction.redactor import Redactor

from relive_capture.bodies import body_bytes, body_of
from relive_capture.explore.scene.content_coding import decoded
from relive_capture.explore.scene.mongo_calls import from_mongo
from relive_capture.explore.scene.redis_calls import from_redis
from relive_capture.recording_format import Body, Failure, RawCall, RecordedCall, Recording
from relive_capture.typed_bodies import clean_statement, clean_values, unknown_in
from relive_capture.wire import Message, parse_request, parse_response

__all__ = ["CheckedRecording", "build_recording", "decode_recording"]

_UNPACKED_BYTES: Final = 4 * 1024 * 1024
_NAMES: Final = 5
_PROTOCOLS: Final = {"redis": from_redis, "mongo": from_mongo}
_CALLS: Final = ("wire", "values", *_PROTOCOLS)
_decoder = msgspec.msgpack.Decoder(Recording)


@dataclass(slots=True)
class CheckedRecording:
    """What is written: the calls, the part's state, and the places that were redacted."""

    recorded_calls: list[RecordedCall]
    state: PartState
    redactions: list[str]


def decode_recording(data: bytes) -> Recording | None:
    """None if there is none, or what came is none: a worker may write anything."""
    try:
        return _decoder.decode(data) if data else None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def build_recording(recording: Recording, redactor: Redactor) -> CheckedRecording:
    """All calls, redacted."""
    recorded_calls = [_recorded_call(raw, redactor) for raw in recording.recorded_calls]
    places = [
        f"cassette[{number}].{place}"
        for number, recorded_call in enumerate(recorded_calls)
        for place in recorded_call.redacted
    ]
    return CheckedRecording(recorded_calls, _state(recording, recorded_calls), places)


def _state(recording: Recording, recorded_calls: list[RecordedCall]) -> PartState:
    if not recording.http:
        return missing(Why.RECORDING_OFF)
    reasons = []
    if recording.left_out:
        reasons.append(Reason(Why.CALLS_LEFT_OUT, (recording.left_out,)))
    if cut := sum(bool(entry.response_body.cut or entry.request_body.cut) for entry in recorded_calls):
        reasons.append(Reason(Why.BODIES_CUT, (cut,)))
    if hidden := sum(len(entry.redacted) for entry in recorded_calls):
        reasons.append(Reason(Why.REDACTED, (hidden,)))
    if unknown := [name for entry in recorded_calls for name in entry.unknown]:
        names = ", ".join(list(dict.fromkeys(unknown))[:_NAMES])
        reasons.append(
            Reason(Why.VALUES_UNKNOWN, (sum(bool(entry.unknown) for entry in recorded_calls), names))
        )
    if others := _other_connections(recording, recorded_calls):
        reasons.append(Reason(Why.OTHER_CONNECTIONS, (", ".join(others[:5]),)))
    if reasons:
        return PartState(State.PARTIAL, reasons)
    return ok() if recorded_calls else not_applicable(Why.NO_CALLS)


def _other_connections(recording: Recording, recorded_calls: list[RecordedCall]) -> list[str]:
    """Connections that were opened for something else: a database, say."""
    known = "\n".join(raw.origin for raw in recording.recorded_calls if raw.form in _CALLS)
    return [_without_user(place) for place in recording.connections if place not in known]


def _without_user(place: str) -> str:
    """`user:password@host:port`, as some clients hand it to the resolver, without the first part."""
    return place.rpartition("@")[2]


# ---------------------------------------------------------------- one call


def _recorded_call(raw: RawCall, redactor: Redactor) -> RecordedCall:
    if raw.form in _PROTOCOLS:
        found = _PROTOCOLS[raw.form](raw, redactor)
    else:
        found = _MADE.get(raw.form, _from_connect)(raw)
    found.library, found.phase, found.started_ns = raw.library, raw.phase, raw.started_ns
    found.took_ns = raw.took_ns
    found.failure = _clean_failure(raw.failure, redactor)
    if found.kind == "values":
        _redact_values(found, redactor)
    else:
        _redact(found, redactor)
    return found


def _from_wire(raw: RawCall) -> RecordedCall:
    request = parse_request(raw.request) or Message(method=raw.method)
    response = parse_response(raw.response, method=request.method, ended=raw.ended and not raw.response_cut)
    found = RecordedCall(kind="http", method=request.method, url=_url(raw, request.target))
    found.request_headers = request.headers
    found.request_body = body_of(request.body, complete=not raw.request_cut, cut=raw.request_cut)
    if response is not None:
        found.status, found.reason, found.response_headers = (
            response.status,
            response.reason,
            response.headers,
        )
        complete = response.complete and not raw.response_cut
        found.response_body = body_of(response.body, complete=complete, cut=raw.response_cut)
    return found


def _url(raw: RawCall, target: str) -> str:
    if "://" in target.split("?")[0]:  # through a proxy
        return target
    if raw.url:
        return raw.url
    scheme, _, place = raw.origin.partition("://")
    host, _, port = place.rpartition(":")
    if port == {"http": "80", "https": "443"}.get(scheme):
        place = host
    return f"{scheme}://{place}{target if target.startswith('/') else '/' + target}"


def _from_parts(raw: RawCall) -> RecordedCall:
    return RecordedCall(
        kind="http",
        method=raw.method,
        url=raw.url,
        request_headers=list(raw.request_headers),
        request_body=body_of(raw.request, complete=not raw.request_cut, cut=raw.request_cut),
        status=raw.status,
        response_headers=list(raw.response_headers),
        response_body=body_of(
            raw.response, complete=raw.ended and not raw.response_cut, cut=raw.response_cut
        ),
    )


def _from_invoke(raw: RawCall) -> RecordedCall:
    return RecordedCall(
        kind="invoke",
        method=raw.method,
        url=raw.url,
        request_body=body_of(raw.request, complete=not raw.request_cut, cut=raw.request_cut),
        status=raw.status,
        response_body=body_of(raw.response, complete=not raw.response_cut, cut=raw.response_cut),
    )


def _from_connect(raw: RawCall) -> RecordedCall:
    return RecordedCall(kind="connect", url=_without_user(raw.origin))


def _from_values(raw: RawCall) -> RecordedCall:
    return RecordedCall(
        kind="values",
        method=raw.method,
        url=_without_user(raw.origin) if "://" not in raw.origin else raw.origin,
        statement=raw.statement,
        request_body=body_of(raw.request, complete=not raw.request_cut, cut=raw.request_cut),
        response_body=body_of(raw.response, complete=not raw.response_cut, cut=raw.response_cut),
        status=raw.status,
    )


_MADE: Final = {
    "wire": _from_wire,
    "parts": _from_parts,
    "invoke": _from_invoke,
    "values": _from_values,
}


def _clean_failure(failure: Failure | None, redactor: Redactor) -> Failure | None:
    if failure is None:
        return None
    arguments = [redactor.text(item) if isinstance(item, str) else item for item in failure.arguments]
    return Failure(failure.type, arguments, failure.where, _clean_failure(failure.inner, redactor))


# ---------------------------------------------------------------- bodies


def _redact(recorded_call: RecordedCall, redactor: Redactor) -> None:
    places = recorded_call.redacted
    clean = redactor.text(recorded_call.url)
    if clean is not recorded_call.url:
        recorded_call.url = clean
        places.append("url")
    recorded_call.request_headers = redactor.headers(recorded_call.request_headers, "request.headers", places)
    recorded_call.response_headers = redactor.headers(
        recorded_call.response_headers, "response.headers", places
    )
    recorded_call.request_body = _clean_body(
        recorded_call.request_body, recorded_call.request_headers, redactor, "request.body", places
    )[0]
    recorded_call.response_body, unpacked = _clean_body(
        recorded_call.response_body, recorded_call.response_headers, redactor, "response.body", places
    )
    if unpacked:
        recorded_call.response_headers = [
            pair for pair in recorded_call.response_headers if pair[0].lower() != "content-encoding"
        ]


def _redact_values(recorded_call: RecordedCall, redactor: Redactor) -> None:
    """Typed values, by the names that stand beside them. The types that cannot be made again are noted."""
    places = recorded_call.redacted
    for name in ("url", "statement"):
        text = getattr(recorded_call, name)
        clean = clean_statement(text, redactor) if name == "statement" else redactor.text(text)
        if clean != text:
            setattr(recorded_call, name, clean)
            places.append(name)
    for name in ("request", "response"):
        body: Body = getattr(recorded_call, f"{name}_body")
        data = body_bytes(body)
        lines, lost = clean_values(data, recorded_call.statement, f"{name}.body", redactor, places)
        if lines != data:
            cut = body.cut + lost
            setattr(
                recorded_call, f"{name}_body", body_of(lines, complete=body.complete and not lost, cut=cut)
            )
    recorded_call.unknown = unknown_in(body_bytes(recorded_call.response_body))


def _clean_body(
    body: Body, headers: list[tuple[str, str]], redactor: Redactor, path: str, places: list[str]
) -> tuple[Body, bool]:
    """(the body without secrets, whether it is no longer compressed). A compressed one is looked into; what
    cannot be looked into is left out."""
    data = body_bytes(body)
    codings = [value.lower() for name, value in headers if name.lower() == "content-encoding"]
    encoding = ", ".join(codings)
    if not data:
        return body, False
    if not encoding or encoding == "identity":
        clean = redactor.json_bytes(data, path, places)
        return (body if clean is data else body_of(clean, complete=body.complete, cut=body.cut)), False
    plain = decoded(data, encoding, _UNPACKED_BYTES)
    if plain is None:
        places.append(f"{path} ({encoding} cannot be searched for secrets)")
        return Body(complete=False, cut=len(data)), True
    clean = redactor.json_bytes(plain, path, places)
    if clean is plain:
        return body, False
    return body_of(clean, complete=body.complete, cut=body.cut), True
