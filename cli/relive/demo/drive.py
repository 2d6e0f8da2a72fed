"""Sending the demo's events to a running platform: HTTP requests through the gateway, the rest by the API."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass

import msgspec
from relive_base.errors import ReliveError
from relive_platform.api import control_pb2 as pb
from relive_platform.api.client import ControlClient

from relive.demo.traffic import ShopEvent

__all__ = ["Sent", "drive"]

_CLIENTS = 6
_TIMEOUT_S = 30.0


@dataclass(slots=True)
class Sent:
    """What became of the events that were sent; asynchronous work that follows from them is not counted."""

    ok: int = 0
    failed: int = 0


def drive(
    control: ControlClient, gateway: str, events: list[ShopEvent], seen: Callable[[Sent], None]
) -> Sent:
    """Send `events` with a few clients at once; `seen` is told after each."""
    sent = Sent()
    # The gateway is on loopback: a proxy from the environment must not see these.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with ThreadPoolExecutor(_CLIENTS, thread_name_prefix="demo") as clients:
        running = [clients.submit(_send, control, opener, gateway, event) for event in events]
        for future in as_completed(running):
            if future.result():
                sent.ok += 1
            else:
                sent.failed += 1
            seen(sent)
    return sent


def _send(
    control: ControlClient, opener: urllib.request.OpenerDirector, gateway: str, event: ShopEvent
) -> bool:
    if event.path:
        return _post(opener, f"{gateway}{event.path}", event.body)
    request = pb.InvokeRequest(function=event.function, event=msgspec.json.encode(event.body))
    return control.invoke(request).status == "ok"


def _post(opener: urllib.request.OpenerDirector, url: str, body: object) -> bool:
    request = urllib.request.Request(url, json.dumps(body).encode(), {"Content-Type": "application/json"})
    try:
        with opener.open(request, timeout=_TIMEOUT_S) as response:
            return bool(response.status < 400)
    except urllib.error.HTTPError as error:
        error.close()
        return False  # the function failed: that is what the demo is about
    except OSError as error:
        raise ReliveError(f"the gateway does not answer: {error}", where=url, hint="relive doctor") from error
