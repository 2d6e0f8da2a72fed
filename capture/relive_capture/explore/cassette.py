"""From what a worker recorded to `cassette.json` and `replay.json`: taken apart, redacted, bounded."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import msgspec
from relive_base.frames import PartState
from relive_base.redaction import Redactor

from relive_capture.bodies import body_bytes, body_of
from relive_capture.cassette_format import Body, Exchange, Failure, RawExchange, Recording
from relive_capture.explore.content_coding import decoded
from relive_capture.wire import Message, parse_request, parse_response

__all__ = ["Cassette", "build_cassette", "decode_recording"]

_UNPACKED_BYTES: Final = 4 * 1024 * 1024
_decoder = msgspec.msgpack.Decoder(Recording)


@dataclass(slots=True)
class Cassette:
    """What is written: the calls, the part's state, and the places that were redacted."""

    exchanges: list[Exchange]
    state: PartState
    redactions: list[str]


def decode_recording(data: bytes) -> Recording | None:
    """None if there is none, or what came is none: a worker may write anything."""
    try:
        return _decoder.decode(data) if data else None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def build_cassette(recording: Recording, redactor: Redactor) -> Cassette:
    """All calls, redacted."""
    exchanges = [_exchange(raw, redactor) for raw in recording.exchanges]
    places = [
        f"cassette[{number}].{place}"
        for number, exchange in enumerate(exchanges)
        for place in exchange.redacted
    ]
    return Cassette(exchanges, _state(recording, exchanges), places)


def _state(recording: Recording, exchanges: list[Exchange]) -> PartState:
    if not recording.http:
        return PartState("missing", "cassette = false in relive.toml")
    reasons = []
    if recording.left_out:
        reasons.append(f"{recording.left_out} calls are over the limit of their number")
    if cut := sum(bool(entry.response_body.cut or entry.request_body.cut) for entry in exchanges):
        reasons.append(f"{cut} bodies were cut")
    if hidden := sum(len(entry.redacted) for entry in exchanges):
        reasons.append(f"{hidden} values were redacted")
    if others := _other_connections(recording, exchanges):
        reasons.append(f"connections that are no HTTP: {', '.join(others[:5])}")
    if reasons:
        return PartState("partial", "; ".join(reasons))
    return PartState("ok") if exchanges else PartState("missing", "the function made no calls")


def _other_connections(recording: Recording, exchanges: list[Exchange]) -> list[str]:
    """Connections that were opened for something else: a database, say."""
    known = "\n".join(raw.origin for raw in recording.exchanges if raw.form == "wire")
    return [place for place in recording.connections if place not in known]


# ---------------------------------------------------------------- one call


def _exchange(raw: RawExchange, redactor: Redactor) -> Exchange:
    made = {"wire": _from_wire, "parts": _from_parts, "invoke": _from_invoke}.get(raw.form, _from_connect)
    found = made(raw)
    found.library, found.phase, found.started_ns = raw.library, raw.phase, raw.started_ns
    found.took_ns = raw.took_ns
    found.failure = _clean_failure(raw.failure, redactor)
    _redact(found, redactor)
    return found


def _from_wire(raw: RawExchange) -> Exchange:
    request = parse_request(raw.request) or Message(method=raw.method)
    response = parse_response(raw.response, method=request.method, ended=raw.ended and not raw.response_cut)
    found = Exchange(kind="http", method=request.method, url=_url(raw, request.target))
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


def _url(raw: RawExchange, target: str) -> str:
    if "://" in target.split("?")[0]:  # through a proxy
        return target
    if raw.url:
        return raw.url
    scheme, _, place = raw.origin.partition("://")
    host, _, port = place.rpartition(":")
    if port == {"http": "80", "https": "443"}.get(scheme):
        place = host
    return f"{scheme}://{place}{target if target.startswith('/') else '/' + target}"


def _from_parts(raw: RawExchange) -> Exchange:
    return Exchange(
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


def _from_invoke(raw: RawExchange) -> Exchange:
    return Exchange(
        kind="invoke",
        method=raw.method,
        url=raw.url,
        request_body=body_of(raw.request, complete=not raw.request_cut, cut=raw.request_cut),
        status=raw.status,
        response_body=body_of(raw.response, complete=not raw.response_cut, cut=raw.response_cut),
    )


def _from_connect(raw: RawExchange) -> Exchange:
    return Exchange(kind="connect", url=raw.origin)


def _clean_failure(failure: Failure | None, redactor: Redactor) -> Failure | None:
    if failure is None:
        return None
    arguments = [redactor.text(item) if isinstance(item, str) else item for item in failure.arguments]
    return Failure(failure.type, arguments, failure.where, _clean_failure(failure.inner, redactor))


# ---------------------------------------------------------------- bodies


def _redact(exchange: Exchange, redactor: Redactor) -> None:
    places = exchange.redacted
    clean = redactor.text(exchange.url)
    if clean is not exchange.url:
        exchange.url = clean
        places.append("url")
    exchange.request_headers = redactor.headers(exchange.request_headers, "request.headers", places)
    exchange.response_headers = redactor.headers(exchange.response_headers, "response.headers", places)
    exchange.request_body = _clean_body(
        exchange.request_body, exchange.request_headers, redactor, "request.body", places
    )[0]
    exchange.response_body, unpacked = _clean_body(
        exchange.response_body, exchange.response_headers, redactor, "response.body", places
    )
    if unpacked:
        exchange.response_headers = [
            pair for pair in exchange.response_headers if pair[0].lower() != "content-encoding"
        ]


def _clean_body(
    body: Body, headers: list[tuple[str, str]], redactor: Redactor, path: str, places: list[str]
) -> tuple[Body, bool]:
    """(the body without secrets, whether it is no longer compressed). A compressed one is looked into; what
    cannot be looked into is left out."""
    data = body_bytes(body)
    encoding = next((value.lower() for name, value in headers if name.lower() == "content-encoding"), "")
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
