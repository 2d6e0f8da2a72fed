"""Where OTLP goes, by hand and by the standard variables."""

from __future__ import annotations

import pytest
from relive_tracer.explore.errors import OtlpSettingsError
from relive_tracer.explore.otlp_settings import OtlpSettings, SignalSettings, endpoint_settings

P = "OTEL_EXPORTER_OTLP_"


@pytest.mark.parametrize(
    ("endpoint", "protocol", "expected"),
    [
        ("http://host:4317", "", ("grpc", "host:4317", False)),
        ("https://host:4317", "", ("grpc", "host:4317", True)),
        ("host:4317", "", ("grpc", "host:4317", False)),
        ("http://host", "grpc", ("grpc", "host:4317", False)),
        ("http://host:4318", "", ("http", "http://host:4318/v1/traces", False)),
        ("http://host:4318/v1/traces", "", ("http", "http://host:4318/v1/traces", False)),
        ("https://host/otlp/v1/logs/", "", ("http", "https://host:443/otlp/v1/traces", True)),
        ("https://host/otlp/", "", ("http", "https://host:443/otlp/v1/traces", True)),
        ("http://[::1]:9", "http/protobuf", ("http", "http://[::1]:9/v1/traces", False)),
    ],
)
def test_an_endpoint_by_hand(endpoint: str, protocol: str, expected: tuple[str, str, bool]) -> None:
    traces = endpoint_settings(endpoint, protocol).traces
    assert traces is not None
    assert (traces.protocol, traces.target, traces.secure) == expected


@pytest.mark.parametrize("endpoint", ["", "ftp://host:1", "http://host:99999", "http://", "http://host:0"])
def test_what_is_no_endpoint_is_refused(endpoint: str) -> None:
    with pytest.raises(OtlpSettingsError):
        endpoint_settings(endpoint)
    with pytest.raises(OtlpSettingsError, match="grpc or http/protobuf"):
        endpoint_settings("http://host:1", "carrier pigeon")


def test_the_variables_say_what_is_not_given_by_hand() -> None:
    env = {
        P + "ENDPOINT": "http://elsewhere:1", P + "LOGS_ENDPOINT": "http://elsewhere:2",
        P + "HEADERS": "a=1,b=2", P + "CERTIFICATE": "ca.pem", P + "CLIENT_CERTIFICATE": "me.pem",
        P + "CLIENT_KEY": "me.key", P + "TIMEOUT": "2500", P + "TRACES_COMPRESSION": "none",
    }  # fmt: skip
    settings = endpoint_settings("https://here:4317", headers={"B": "3"}, env=env)
    traces, logs = settings.traces, settings.logs
    assert traces is not None
    assert logs is not None
    assert (traces.target, logs.target, traces.secure) == ("here:4317", "here:4317", True)
    assert (traces.headers, traces.timeout_s) == ({"a": "1", "b": "3"}, 2.5)
    assert (traces.certificate, traces.client_certificate, traces.client_key) == (
        "ca.pem",
        "me.pem",
        "me.key",
    )
    assert (traces.gzip, logs.gzip) == (False, True)
    # What is given wins, and a signal can be switched off.
    given = endpoint_settings(
        "https://here:4317", certificate="mine.pem", timeout_s=1.0, env={**env, "OTEL_LOGS_EXPORTER": "none"}
    )
    assert given.logs is None
    assert given.traces is not None
    assert (given.traces.certificate, given.traces.timeout_s) == ("mine.pem", 1.0)


def read(**env: str) -> tuple[SignalSettings | None, SignalSettings | None]:
    settings = OtlpSettings.from_environment({P + k if k[:5] != "OTEL_" else k: v for k, v in env.items()})
    return (settings.traces, settings.logs) if settings is not None else (None, None)


def test_no_endpoint_means_no_export() -> None:
    assert OtlpSettings.from_environment({}) is None
    assert OtlpSettings.from_environment({P + "PROTOCOL": "grpc"}) is None


def test_the_general_variables() -> None:
    traces, logs = read(
        ENDPOINT="http://c:4318/base", PROTOCOL="http/protobuf", HEADERS="Key=a%20b, x = 1,broken",
        TIMEOUT="2500", COMPRESSION="none",
    )  # fmt: skip
    assert traces is not None
    assert logs is not None
    assert traces.target == "http://c:4318/base/v1/traces"
    assert logs.target == "http://c:4318/base/v1/logs"
    assert (traces.headers, traces.timeout_s, traces.gzip) == ({"key": "a b", "x": "1"}, 2.5, False)


def test_a_signals_own_variables_win_and_its_endpoint_is_taken_as_it_is() -> None:
    traces, logs = read(
        ENDPOINT="http://c:4317", TRACES_ENDPOINT="https://t/custom",
        TRACES_PROTOCOL="http/protobuf", TRACES_TIMEOUT="1",
    )  # fmt: skip
    assert traces is not None
    assert logs is not None
    assert (traces.target, traces.secure, traces.timeout_s) == ("https://t:443/custom", True, 1.0)
    assert (logs.protocol, logs.target, logs.secure) == ("grpc", "c:4317", False)


def test_without_a_scheme_grpc_is_secure_unless_insecure_is_set() -> None:
    assert read(ENDPOINT="c:4317")[0].secure  # type: ignore[union-attr]
    assert not read(ENDPOINT="c:4317", INSECURE="true")[0].secure  # type: ignore[union-attr]
    assert read(ENDPOINT="https://c:4317", INSECURE="true")[0].secure  # type: ignore[union-attr]


def test_a_signal_can_be_switched_off() -> None:
    traces, logs = read(ENDPOINT="http://c:4317", OTEL_LOGS_EXPORTER="none")
    assert traces is not None
    assert logs is None


def test_errors_name_the_variable() -> None:
    with pytest.raises(OtlpSettingsError, match="OTEL_EXPORTER_OTLP_TIMEOUT"):
        read(ENDPOINT="http://c:4317", TIMEOUT="soon")
    with pytest.raises(OtlpSettingsError, match="OTEL_EXPORTER_OTLP_CERTIFICATE"):
        read(ENDPOINT="https://c:4317", CERTIFICATE="/no/such/file")[0].trusted()  # type: ignore[union-attr]
