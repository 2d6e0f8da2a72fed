"""What `relive.toml` says of a webhook."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar, Final

from relive_platform.triggers.base import Claim, Key, Path, TriggerConfig
from relive_platform.triggers.http.config import path_claims, path_problems
from relive_platform.triggers.patterns import pattern_problems

__all__ = ["SCHEMES", "WebhookTrigger"]

SCHEMES: Final = ("github", "stripe", "slack", "standard", "hmac", "token")
_OWN_HEADER: Final = ("hmac", "token")
_VARIABLE: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_HEADER: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,256}")
_FOR_OWN_HEADER: Final = ("header", "prefix", "id_header")
_FOR_HMAC: Final = ("algorithm", "encoding", "timestamp_header")


class WebhookTrigger(TriggerConfig, frozen=True, tag="webhook", kw_only=True):
    """Signed requests for `path`. The secret is in the server's environment, never here."""

    KEYS: ClassVar[Mapping[str, Key]] = {
        "path": Key("text", "Begins with /; `{name}` is one segment, `{name+}` the rest.", required=True),
        "scheme": Key("text", "How the sender signs.", required=True, choices=SCHEMES),
        "secret_env": Key("text", "Variable of the server's environment that has the secret.", required=True),
        "old_secret_env": Key("text", "One with the old secret, which is taken too while you change it."),
        "answer": Key(
            "text", "`accepted`: 202 once the event is stored; `function`: what the function answers.",
            choices=("accepted", "function"),
        ),
        "shape": Key(
            "text", "What the function gets: the request, as Lambda's function URLs give it, or its `body`"
            " (JSON) as the event: that of S3 servers.",
            choices=("request", "body"),
        ),
        "tolerance_s": Key("number", "How far the time of signing may be from now.", low=1, high=86_400),
        "deduplicate": Key(
            "text", "What makes two requests the same event: the sender's id of it, or the signature.",
            choices=("id", "signature"),
        ),
        "pattern": Key("table", "Event pattern for `headers` and `body`; the rest is answered and dropped."),
        "header": Key("text", "Of `hmac` and `token`: the header with the signature or the token."),
        "prefix": Key("text", "Of `hmac` and `token`: what stands before it, such as `sha256=`."),
        "id_header": Key("text", "Of `hmac` and `token`: the header with the sender's id of the event."),
        "algorithm": Key("text", "Of `hmac`.", choices=("sha256", "sha512", "sha1")),
        "encoding": Key("text", "Of `hmac`.", choices=("hex", "base64")),
        "timestamp_header": Key("text", "Of `hmac`: a time in seconds; `TIME.BODY` is signed then."),
    }  # fmt: skip

    path: str
    scheme: str
    secret_env: str
    old_secret_env: str = ""
    answer: str = "accepted"
    shape: str = "request"
    tolerance_s: float = 300.0
    deduplicate: str = "id"
    pattern: dict[str, Any] | None = None
    header: str = ""
    prefix: str = ""
    id_header: str = ""
    algorithm: str = "sha256"
    encoding: str = "hex"
    timestamp_header: str = ""

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> WebhookTrigger:
        lower = {
            name: values[name].lower()
            for name in ("header", "id_header", "timestamp_header")
            if name in values
        }
        return cls(**{**values, **lower})

    def describe(self) -> str:
        """As people read it: "webhook github /hooks/github"."""
        return f"webhook {self.scheme} {self.path}"

    def problems(self) -> Iterator[tuple[str, str, str]]:
        yield from path_problems(self.path)
        yield from self._secret_problems()
        yield from self._header_problems()
        if self.shape == "body" and self.answer == "function":
            yield "shape", "a function that answers the sender gets the request", "leave shape or answer out"
        if self.deduplicate == "signature" and self.scheme == "token":
            yield "deduplicate", "a token is the same for every request", "leave it out"
        yield from pattern_problems("pattern", self.pattern)

    def _secret_problems(self) -> Iterator[tuple[str, str, str]]:
        for key in ("secret_env", "old_secret_env"):
            name = getattr(self, key)
            if (name or key == "secret_env") and not _VARIABLE.fullmatch(name):
                yield key, f"{name!r} is no name of a variable", "name the variable, do not write the secret"

    def _header_problems(self) -> Iterator[tuple[str, str, str]]:
        for key in _FOR_OWN_HEADER:
            if getattr(self, key) and self.scheme not in _OWN_HEADER:
                yield key, f"the scheme {self.scheme} has its own headers", f"leave {key} out"
        for key in _FOR_HMAC:
            if getattr(self, key) != getattr(_DEFAULTS, key) and self.scheme != "hmac":
                yield key, f"{key} is for the scheme hmac", "leave it out"
        if self.scheme in _OWN_HEADER and not self.header:
            hint = 'add header = "x-signature", for example'
            yield "scheme", f"the scheme {self.scheme} needs a header", hint
        for key in ("header", "id_header", "timestamp_header"):
            name = getattr(self, key)
            if name and not _HEADER.fullmatch(name):
                yield key, f"{name!r} is not the name of a header", "use letters, digits and -"

    def claims(self) -> Iterator[Claim]:
        return path_claims(self.path, ("POST",))

    def paths(self) -> Iterator[Path]:
        yield Path(self.path, ("POST",), public=True)


_DEFAULTS: Final = WebhookTrigger(path="/", scheme="hmac", secret_env="X")
