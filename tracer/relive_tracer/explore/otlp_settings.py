"""Where OTLP goes and how: from arguments, or from the standard OTEL_EXPORTER_OTLP_* variables."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final
from urllib.parse import SplitResult, unquote, urlsplit

from relive_base.addresses import without_password

from relive_tracer.explore.errors import OtlpSettingsError

__all__ = ["DEFAULT_TIMEOUT_S", "OtlpSettings", "RetryPolicy", "SignalSettings", "endpoint_settings"]

DEFAULT_TIMEOUT_S: Final = 10.0
_LEAST_TIMEOUT_S: Final = 1.0
_PREFIX: Final = "OTEL_EXPORTER_OTLP_"
_PROTOCOLS: Final = {"grpc": "grpc", "http": "http", "http/protobuf": "http"}
_HTTP_PORT: Final = 4318


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    """How long a batch is tried again: waits double from `first_s` to `longest_s`, `total_s` in all."""

    first_s: float = 0.5
    longest_s: float = 30.0
    total_s: float = 300.0


@dataclass(frozen=True, slots=True, kw_only=True)
class SignalSettings:
    """Where one signal goes. `target` is host:port for gRPC, a whole URL for HTTP."""

    protocol: str  # "grpc" | "http"
    target: str
    secure: bool
    headers: dict[str, str] = field(default_factory=dict)
    timeout_s: float = DEFAULT_TIMEOUT_S
    certificate: str = ""  # a PEM file with the authorities to trust; "" means the system's
    gzip: bool = True
    client_certificate: str = ""  # a PEM file by which we are known; "" for none
    client_key: str = ""  # its key, if that is a file of its own

    def check(self) -> None:
        """Read all files. Raises OtlpSettingsError."""
        if self.secure:
            self.trusted()
            self.client_pair()
            self.tls()

    def client_pair(self) -> tuple[bytes | None, bytes | None]:
        """Key and certificate for gRPC; None for none. Raises OtlpSettingsError."""
        if not self.client_certificate:
            return None, None
        certificate = _file(self.client_certificate, "CLIENT_CERTIFICATE")
        key = _file(self.client_key, "CLIENT_KEY") if self.client_key else certificate
        return key, certificate

    def trusted(self) -> bytes | None:
        """The PEM text of `certificate`, None for the system's. Raises OtlpSettingsError."""
        if not self.certificate:
            return None
        return _file(self.certificate, "CERTIFICATE")

    def tls(self) -> ssl.SSLContext:
        """A client's TLS context. Raises OtlpSettingsError."""
        variable = "CERTIFICATE"
        try:
            context = ssl.create_default_context(cafile=self.certificate or None)
            if self.client_certificate:
                variable = "CLIENT_CERTIFICATE"
                context.load_cert_chain(self.client_certificate, self.client_key or None)
            return context
        except (OSError, ssl.SSLError) as error:
            raise OtlpSettingsError(
                f"the certificate cannot be used: {error}", where=_PREFIX + variable
            ) from error


@dataclass(frozen=True, slots=True)
class OtlpSettings:
    """Where each signal goes; None switches it off."""

    traces: SignalSettings | None
    logs: SignalSettings | None
    metrics: SignalSettings | None = None

    @property
    def signals(self) -> dict[str, SignalSettings]:
        """Those that go somewhere, by name."""
        found = {"traces": self.traces, "logs": self.logs, "metrics": self.metrics}
        return {name: chosen for name, chosen in found.items() if chosen is not None}

    @classmethod
    def from_environment(cls, env: Mapping[str, str]) -> OtlpSettings | None:
        """By the standard variables, a signal's own before the general ones; None if no endpoint is set.

        OTEL_TRACES_EXPORTER (likewise LOGS, METRICS) set to "none" switches a signal off. Timeouts are in
        milliseconds, as the specification says; less than a second counts as one. Raises OtlpSettingsError.
        """
        traces = _signal(env, "TRACES", "/v1/traces")
        logs = _signal(env, "LOGS", "/v1/logs")
        metrics = _signal(env, "METRICS", "/v1/metrics")
        return cls(traces, logs, metrics) if traces or logs or metrics else None


def endpoint_settings(
    endpoint: str,
    protocol: str = "",
    headers: Mapping[str, str] | None = None,
    timeout_s: float | None = None,
    *,
    env: Mapping[str, str] | None = None,
    certificate: str = "",
    client_certificate: str = "",
    client_key: str = "",
    gzip: bool = True,
) -> OtlpSettings:
    """For one endpoint given by hand: `http://host:4317`. Without a scheme the connection is in plain text.

    Without a protocol it is gRPC, but HTTP on port 4318 or with a path. `env`: the standard variables say
    what is not given here (headers, certificates, time, compression, signals that are off), but no other
    endpoint. Raises OtlpSettingsError.
    """
    given = {k: v for k, v in (env or {}).items() if not k.endswith("_ENDPOINT")}
    given[_PREFIX + "ENDPOINT"] = endpoint
    if "://" not in endpoint:
        given[_PREFIX + "INSECURE"] = "true"
    own = {
        "PROTOCOL": protocol,
        "CERTIFICATE": certificate,
        "CLIENT_CERTIFICATE": client_certificate,
        "CLIENT_KEY": client_key,
        "COMPRESSION": "" if gzip else "none",
    }
    for name, value in own.items():
        if value:
            for part in ("", "TRACES_", "LOGS_", "METRICS_"):
                given[f"{_PREFIX}{part}{name}"] = value
    _parse(endpoint, "endpoint")
    more = {k.lower(): v for k, v in (headers or {}).items()}

    def chosen(name: str, path: str) -> SignalSettings | None:
        found = _signal(given, name, path)
        if found is None:
            return None
        return replace(
            found,
            headers={**found.headers, **more},
            timeout_s=found.timeout_s if timeout_s is None else timeout_s,
        )

    paths = {"TRACES": "/v1/traces", "LOGS": "/v1/logs", "METRICS": "/v1/metrics"}
    return OtlpSettings(*(chosen(name, path) for name, path in paths.items()))


def _file(path: str, variable: str) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise OtlpSettingsError(
            f"the {variable.lower().replace('_', ' ')} cannot be read: {error.strerror}: {path}",
            where=_PREFIX + variable,
        ) from error


def _signal(env: Mapping[str, str], signal: str, path: str) -> SignalSettings | None:
    if env.get(f"OTEL_{signal}_EXPORTER", "").strip().lower() == "none":
        return None

    def value(name: str) -> str:
        return (env.get(f"{_PREFIX}{signal}_{name}") or env.get(_PREFIX + name) or "").strip()

    own = env.get(f"{_PREFIX}{signal}_ENDPOINT", "").strip()
    endpoint = own or env.get(_PREFIX + "ENDPOINT", "").strip()
    if not endpoint:
        return None
    where = f"{_PREFIX}{signal}_ENDPOINT" if own else _PREFIX + "ENDPOINT"
    url = _parse(endpoint, where)
    protocol = _protocol(value("PROTOCOL"), url, _PREFIX + "PROTOCOL")
    secure = url.scheme == "https" or (not url.scheme and value("INSECURE").lower() != "true")
    if protocol == "http" and not url.scheme:
        secure = False
    return SignalSettings(
        protocol=protocol,
        # A signal's own endpoint is taken as it is, the general one is the base of all.
        target=_target(url, protocol, "" if own else path),
        secure=secure,
        headers=_headers(value("HEADERS")),
        timeout_s=_timeout(value("TIMEOUT")),
        certificate=value("CERTIFICATE"),
        client_certificate=value("CLIENT_CERTIFICATE"),
        client_key=value("CLIENT_KEY"),
        gzip=value("COMPRESSION").lower() != "none",
    )


def _parse(endpoint: str, where: str) -> SplitResult:
    text = endpoint.strip()
    try:
        url = urlsplit(text if "://" in text else f"//{text}")
        port = url.port
    except ValueError as error:
        shown = without_password(endpoint)
        why = f": {error}" if shown == endpoint else ""  # which may quote a part of a password
        raise OtlpSettingsError(f"{shown!r} is not an address{why}", where=where) from None
    if url.scheme not in ("", "http", "https") or not url.hostname or port == 0:
        raise OtlpSettingsError(
            f"{without_password(endpoint)!r} is not an OTLP endpoint",
            where=where,
            hint="for example http://localhost:4317",
        )
    return url


def _protocol(name: str, url: SplitResult, where: str) -> str:
    if not name:
        return "http" if url.port == _HTTP_PORT or url.path.strip("/") else "grpc"
    found = _PROTOCOLS.get(name.lower())
    if found is None:
        raise OtlpSettingsError(
            f"the protocol {name!r} is not known", where=where, hint="use grpc or http/protobuf"
        )
    return found


def _target(url: SplitResult, protocol: str, path: str) -> str:
    host = f"[{url.hostname}]" if ":" in (url.hostname or "") else url.hostname
    if protocol == "grpc":
        return f"{host}:{url.port or 4317}"
    scheme = url.scheme or "http"
    port = url.port or (443 if scheme == "https" else _HTTP_PORT if not url.scheme else 80)
    whole = _base(url.path) + path if path else url.path or "/"
    return f"{scheme}://{host}:{port}{whole}"


def _base(path: str) -> str:
    """Of a general endpoint; many write the path of one signal, which others' pages show, for it."""
    base = path.rstrip("/")
    for signal in ("/v1/traces", "/v1/logs", "/v1/metrics"):
        base = base.removesuffix(signal)
    return base


def _headers(text: str) -> dict[str, str]:
    headers = {}
    for part in text.split(","):
        name, found, value = part.partition("=")
        if found and name.strip():
            headers[unquote(name.strip()).lower()] = unquote(value.strip())
    return headers


def _timeout(text: str) -> float:
    if not text:
        return DEFAULT_TIMEOUT_S
    try:
        return max(float(text) / 1e3, _LEAST_TIMEOUT_S)
    except ValueError:
        raise OtlpSettingsError(
            f"{text!r} is not a number of milliseconds", where=_PREFIX + "TIMEOUT"
        ) from None
