"""Kafka's servers as a URL: kafka://[USER:PASSWORD@]HOST:PORT[,HOST:PORT][?mechanism=SCRAM-SHA-512&ca=FILE].
`kafkas` is over TLS."""

from __future__ import annotations

import ssl
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from relive_platform.triggers.pull.connector import SetupError

__all__ = ["client_options", "servers_of"]

_MECHANISMS = ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512")


def servers_of(address: str) -> str:
    """Hosts and ports alone."""
    return urlsplit(address).netloc.rpartition("@")[2]


def client_options(address: str) -> dict[str, Any]:
    """What aiokafka's clients take. Raises SetupError."""
    parts = urlsplit(address)
    query = parse_qs(parts.query)
    secure = parts.scheme.lower() == "kafkas"
    options: dict[str, Any] = {"bootstrap_servers": servers_of(address)}
    if secure:
        try:
            options["ssl_context"] = ssl.create_default_context(cafile=query.get("ca", [None])[0])
        except (OSError, ssl.SSLError) as error:
            raise SetupError(f"the certificates of Kafka cannot be read: {error}", hint="see `ca`") from error
    user, colon, password = parts.netloc.rpartition("@")[0].partition(":")
    options["security_protocol"] = ("SASL_" if user else "") + ("SSL" if secure else "PLAINTEXT")
    if user:
        mechanism = query.get("mechanism", ["PLAIN"])[0].upper()
        if mechanism not in _MECHANISMS or not colon:
            raise SetupError(
                f"Kafka's mechanism {mechanism!r} is not known, or there is no password",
                hint=f"use one of {', '.join(_MECHANISMS)}",
            )
        options["sasl_mechanism"] = mechanism
        options["sasl_plain_username"], options["sasl_plain_password"] = unquote(user), unquote(password)
    return options
