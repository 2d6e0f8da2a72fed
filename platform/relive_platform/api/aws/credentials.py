"""Key pairs: the home's owner's, and one for the functions of each application.

All are derived from the server's token: nothing more is to be kept, and who has a pair cannot get the token
from it.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Final

__all__ = ["OWNER", "KeyPair", "Keys", "aws_environment", "function_key_pair", "key_pair"]

OWNER: Final = ""
"""Who signs with the home's own key pair; others are named by their application."""
_MOST_KNOWN: Final = 10_000


@dataclass(frozen=True, slots=True)
class KeyPair:
    """What clients sign with."""

    access_key_id: str
    secret_access_key: str = field(repr=False)


def key_pair(token: str) -> KeyPair:
    """The owner's."""
    return _derived(token, b"owner", "AKRL")


def function_key_pair(token: str, app: str) -> KeyPair:
    """That of the functions of an application, which may do less."""
    return _derived(token, b"app/" + app.encode(), "AKRF")


def _derived(token: str, whose: bytes, prefix: str) -> KeyPair:
    """Lengths and letters are as AWS's own have them."""
    key = token.encode()
    name = base64.b32encode(hmac.digest(key, b"relive/aws/access-key-id/" + whose, hashlib.sha256))
    secret = base64.b64encode(hmac.digest(key, b"relive/aws/secret-access-key/" + whose, hashlib.sha256))
    return KeyPair(prefix + name[:16].decode(), secret[:40].decode())


def aws_environment(base_url: str, token: str, app: str, region: str = "us-east-1") -> dict[str, str]:
    """What clients in the functions of an application need to talk to the services of `base_url`."""
    pair = function_key_pair(token, app)
    return {
        "AWS_ACCESS_KEY_ID": pair.access_key_id,
        "AWS_SECRET_ACCESS_KEY": pair.secret_access_key,
        "AWS_REGION": region,
        "AWS_DEFAULT_REGION": region,
        "AWS_ENDPOINT_URL_SQS": base_url,
        "AWS_ENDPOINT_URL_EVENTBRIDGE": base_url,
    }


class Keys:
    """Whose key is which. `applications`: those in service now."""

    def __init__(self, token: str, applications: Callable[[], Iterable[str]] = tuple) -> None:
        self._token = token
        self._applications = applications
        pair = key_pair(token)
        self._known: dict[str, tuple[KeyPair, str]] = {pair.access_key_id: (pair, OWNER)}

    def find(self, access_key_id: str) -> tuple[KeyPair, str] | None:
        """The pair with this id and whose it is; None if it is nobody's."""
        found = self._known.get(access_key_id)
        if found is not None:
            return found
        if len(self._known) < _MOST_KNOWN:
            for app in set(self._applications()):
                pair = function_key_pair(self._token, app)
                self._known[pair.access_key_id] = (pair, app)
        return self._known.get(access_key_id)
