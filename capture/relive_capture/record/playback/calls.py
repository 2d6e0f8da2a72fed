"""Recorded calls, for what stands in the place of the libraries that make them."""

from __future__ import annotations

from collections.abc import Iterable

from relive_base.redaction import Redactor

from relive_capture.bodies import body_bytes
from relive_capture.cassette_format import Exchange, Script
from relive_capture.record.playback.answers import NotInCassette, is_abandoned, pause, rebuild
from relive_capture.record.playback.deck import Deck
from relive_capture.record.playback.undo import Undo

__all__ = ["HINT", "PlayedCalls"]

_LONGEST_S = 900.0
HINT = "run the replay with --live to let calls reach the network"
_FUNCTIONS = "a replay asks no other function; to run it with them: relive invoke FUNCTION"


class PlayedCalls:
    """Answers each call as it was answered, and refuses others."""

    def __init__(self, script: Script, redact_keys: Iterable[str], hint: str) -> None:
        self.undo = Undo()
        self._hint = hint
        self._script = script
        self.deck = Deck(script.exchanges, Redactor(redact_keys))
        self.own_ports: set[object] = set()
        """Where the function itself has listened: it may go there."""

    def request(self, method: str, url: str, body: bytes) -> Exchange:
        """The recorded call, of which the caller does `took_s`, then `ended`. Raises NotInCassette."""
        found = self.deck.take("http", method, url, body)
        if found is None:
            raise NotInCassette(f"{method} {url} is not in the scene's cassette", hint=self._hint)
        return found

    def took_s(self, exchange: Exchange) -> float:
        """How long to wait before its answer: what it took if time matters to the failure, else 0."""
        return min(exchange.took_ns / 1e9, _LONGEST_S) if self._script.paced else 0.0

    def ended(self, exchange: Exchange) -> bool:
        """Whether it had a response; if not it was given up (`is_abandoned`), and the caller waits. Raises
        what it ended in before there was one."""
        if exchange.failure is not None and not exchange.status and not is_abandoned(exchange):
            raise rebuild(exchange.failure)
        return bool(exchange.status)

    def connection_failure(self, host: object, port: object) -> Exception | None:
        """What a connection to that place ended in."""
        found = self.deck.failed("connect", f"{host}:{port}")
        return rebuild(found.failure) if found is not None and found.failure is not None else None

    def handshake_failure(self, host: object) -> Exception | None:
        """What a TLS handshake with that host ended in."""
        found = self.deck.failed("connect", str(host))
        return rebuild(found.failure) if found is not None and found.failure is not None else None

    def refuse(self, what: str) -> NotInCassette:
        """The error for something that would reach the network and is no recorded call."""
        self.deck.missing.append(what)
        return NotInCassette(f"{what} is not in the scene's cassette", hint=self._hint)

    def invoked(self, method: str, function: str, payload: bytes) -> tuple[Exchange, bytes]:
        """The recorded answer of another function, with `live`, too: there is no server to ask. Raises
        NotInCassette."""
        found = self.deck.take("invoke", method, function, payload)
        if found is None:
            hint = _FUNCTIONS if self._hint == HINT else self._hint
            raise NotInCassette(f"the call of {function} is not in the scene's cassette", hint=hint)
        pause(self.took_s(found))
        return found, body_bytes(found.response_body)
