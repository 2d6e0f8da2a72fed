"""What stands at a webhook's path: the signature decides who passes."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Any, Final

import msgspec
from relive_runtime.adapters.event.decoding import BadEvent, decode_event

from relive_platform.engine.invocation import InvokeRequest
from relive_platform.triggers.http.doors import Delivery, DoorRefusal, Passage
from relive_platform.triggers.http.responses import json_response
from relive_platform.triggers.patterns import compile_pattern
from relive_platform.triggers.pull.state import SourceState
from relive_platform.triggers.webhook.config import WebhookTrigger
from relive_platform.triggers.webhook.signatures import (
    SCHEMES,
    BadSecret,
    BadSignature,
    Signed,
    Terms,
    Verified,
)

__all__ = ["WebhookDoor"]

_log = logging.getLogger(__name__)
_LARGE_BYTES: Final = 65_536  # from here on a thread reads it
_REMEMBERED: Final = 10_000  # deliveries that a function has answered
_ID_CHARS: Final = 200
_CHALLENGE_CHARS: Final = 1_000


class WebhookDoor:
    """Of one trigger. `environment` is the server's; it is read for each request, so that a secret can be
    changed."""

    def __init__(
        self,
        trigger: WebhookTrigger,
        function: str,
        environment: Mapping[str, str],
        now_s: Callable[[], float] = time.time,
    ) -> None:
        self._trigger = trigger
        self._function = function
        self._environment = environment
        self._now_s = now_s
        self._verify = SCHEMES[trigger.scheme]
        self._pattern = compile_pattern(trigger.pattern) if trigger.pattern is not None else None
        self._answered: OrderedDict[str, bool] = OrderedDict()  # False: it runs
        self._terms = Terms(
            tolerance_s=trigger.tolerance_s,
            header=trigger.header,
            algorithm=trigger.algorithm,
            encoding=trigger.encoding,
            prefix=trigger.prefix,
            id_header=trigger.id_header,
            timestamp_header=trigger.timestamp_header,
        )
        self.state = SourceState(function, "webhook", trigger.describe(), "running")
        if not self._secrets():
            _log.warning("webhook %s of %s: %s", trigger.path, function, self._unset())

    def describe(self) -> SourceState:
        """How it stands. `fetched`: requests with a good signature."""
        if self._secrets():
            self.state.become("running")
        else:
            self.state.become("failed", self._unset())
        return self.state

    @property
    def synchronous(self) -> bool:
        """Whether the client gets the function's own answer."""
        return self._trigger.answer == "function"

    async def open(self, request: InvokeRequest) -> Passage:
        """One event, if the signature is the sender's. Raises DoorRefusal."""
        http = request.http
        assert http is not None
        headers: dict[str, str] = {}
        for name, value in http.headers:
            headers.setdefault(name, value)
        try:
            verified = self._verified(headers, http.body)
        except DoorRefusal:
            self.state.omitted += 1
            raise
        self.state.fetched += 1
        document = await self._document(http.body) if self._reads_body else None
        if self._trigger.shape == "body" and document is None:
            self.state.omitted += 1
            raise DoorRefusal(
                400, "BadEvent", "the body is no JSON, and it is what this webhook's function gets"
            )
        if self._trigger.scheme == "slack" and (challenge := _challenge(document)):
            return Passage(response=json_response(200, {"challenge": challenge}))
        ident = verified.delivery or _ident(self._trigger.scheme, document)
        if self._pattern is not None and not self._pattern.matches({"headers": headers, "body": document}):
            told = {"ignored": True, "reason": "the trigger's pattern does not fit"}
            return Passage(response=json_response(200, told))
        request.attributes = {**request.attributes, "relive.webhook.scheme": self._trigger.scheme}
        if ident:
            request.attributes["relive.webhook.delivery"] = ident[:_ID_CHARS]
        if self._trigger.scheme == "token":  # the secret itself: neither stored nor recorded
            kept = [pair for pair in http.headers if pair[0] != self._trigger.header]
            request.http = msgspec.structs.replace(http, headers=kept)
        if self._trigger.shape == "body":
            request = msgspec.structs.replace(request, http=None, event=http.body)
        delivery = Delivery(request, self._key(verified, ident))
        if self.synchronous:
            self._remember(delivery.key)
        else:
            request.trigger = "webhook"
        return Passage([delivery])

    def done(self, delivery: Delivery, ok: bool) -> None:
        """A delivery that failed may come again."""
        if not delivery.key:
            return
        if ok:
            self._answered[delivery.key] = True
        else:
            self._answered.pop(delivery.key, None)

    def _remember(self, key: str) -> None:
        if not key:
            return
        if key in self._answered:
            message = "this delivery has been answered before, or is being worked on"
            raise DoorRefusal(409, "Conflict", message)
        self._answered[key] = False
        while len(self._answered) > _REMEMBERED:
            self._answered.popitem(last=False)

    @property
    def _reads_body(self) -> bool:
        trigger = self._trigger
        return self._pattern is not None or trigger.scheme in ("slack", "stripe") or trigger.shape == "body"

    def _verified(self, headers: Mapping[str, str], body: bytes) -> Verified:
        secrets = self._secrets()
        if not secrets:
            _log.error("webhook %s of %s: %s", self._trigger.path, self._function, self._unset())
            raise DoorRefusal(503, "NoSecret", "this webhook has no secret yet", "retry-after: 60\r\n")
        try:
            return self._verify(Signed(headers, body, self._now_s()), secrets, self._terms)
        except BadSignature as error:
            raise DoorRefusal(401, "BadSignature", f"the request is refused: {error}") from None
        except BadSecret as error:
            _log.error("webhook %s of %s: %s", self._trigger.path, self._function, error)
            raise DoorRefusal(503, "NoSecret", "this webhook's secret cannot be used") from None

    def _secrets(self) -> list[bytes]:
        names = (self._trigger.secret_env, self._trigger.old_secret_env)
        found = [self._environment.get(name, "").strip() for name in names if name]
        return [_bytes(text) for text in found if text]

    def _unset(self) -> str:
        return (
            f"{self._trigger.secret_env} is not set in the server's environment; requests get 503, and"
            " senders try again later"
        )

    async def _document(self, body: bytes) -> Any:
        """The body as JSON; None if it is none."""
        try:
            if len(body) > _LARGE_BYTES:
                return await asyncio.to_thread(decode_event, body)
            return decode_event(body)
        except BadEvent:
            return None

    def _key(self, verified: Verified, ident: str) -> str:
        """What the event is known by: at most one is worked on. A sender's id that the signature does not
        cover is no secret: with `deduplicate = "signature"` a request that was overheard cannot come again
        under another one."""
        by_signature = self._trigger.deduplicate == "signature" or (not ident and verified.timed)
        known = verified.signature if by_signature else ident
        digest = hashlib.blake2b(known.encode("utf-8", "replace"), digest_size=16).hexdigest()
        return f"{self._trigger.scheme}-{digest}" if known else ""


def _bytes(text: str) -> bytes:
    """An environment variable's bytes as they were given to the process."""
    return text.encode("utf-8", "surrogateescape")


def _ident(scheme: str, document: Any) -> str:
    """The sender's id of an event that is in its body, which is signed."""
    name = {"stripe": "id", "slack": "event_id"}.get(scheme, "")
    found = document.get(name) if name and isinstance(document, dict) else None
    return found if isinstance(found, str) else ""


def _challenge(document: Any) -> str:
    """Slack asks a new address whether it is the application's."""
    if isinstance(document, dict) and document.get("type") == "url_verification":
        found = document.get("challenge")
        return found[:_CHALLENGE_CHARS] if isinstance(found, str) else ""
    return ""
