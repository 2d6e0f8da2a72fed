"""Backends as there are: without a logs service, behind TLS, and asking for our certificate."""

from __future__ import annotations

import shutil
import ssl
import subprocess
from pathlib import Path

import grpc
import pytest
from otlp_receiver import otlp_over_grpc, otlp_over_http
from relive_tracer.explore.errors import ExportError, OtlpSettingsError
from relive_tracer.explore.models import LogRow, SpanRow
from relive_tracer.explore.otlp import OtlpExporter, export_rows
from relive_tracer.explore.otlp_settings import OtlpSettings, RetryPolicy, endpoint_settings
from tracer_records import NOW

P = "OTEL_EXPORTER_OTLP_"
ONCE = RetryPolicy(total_s=0.0)
SPAN = SpanRow(trace_id="1" * 32, span_id="2" * 16, name="s", service="f", start_ns=NOW)
LINE = LogRow(timestamp_ns=NOW, severity="INFO", body="hello", function="f")
RECEIVERS = {"grpc": otlp_over_grpc, "http": otlp_over_http}


@pytest.mark.parametrize("protocol", RECEIVERS)
def test_a_backend_without_a_logs_service_is_asked_once(protocol: str) -> None:
    # Given a backend as Jaeger is, and lines that come all the time
    with RECEIVERS[protocol](logs=False) as received:
        exporter = OtlpExporter(settings=endpoint_settings(received.endpoint, protocol))
        for _ in range(5):
            exporter.submit([LINE, LINE], "logs")
            exporter.submit([SPAN], "traces")
            assert exporter.flush(120)
        stats = exporter.close()
    # I expect no failure of it, the spans to arrive, and to be told
    assert (stats.sent, stats.failed, stats.dropped, stats.skipped) == (5, 0, 0, 10)
    assert "logs" in stats.off
    assert "UNIMPLEMENTED" in stats.off or "404" in stats.off
    if protocol == "http":
        assert len(received.headers) == 6  # five for spans, one for logs

    # A trace alone is sent all the same.
    with RECEIVERS[protocol](logs=False) as received:
        stats = export_rows(endpoint_settings(received.endpoint, protocol), [SPAN], [LINE])
        assert (stats.sent, stats.failed, stats.skipped) == (1, 0, 1)


def test_a_wrong_path_for_traces_stays_a_failure() -> None:
    with otlp_over_http() as received:
        settings = endpoint_settings(f"{received.endpoint}/nowhere", "http")
        with pytest.raises(ExportError, match="404"):
            export_rows(settings, [SPAN], retry=ONCE)


@pytest.fixture(scope="module")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An authority, a server's certificate for 127.0.0.1, and a client's."""
    if shutil.which("openssl") is None:
        pytest.skip("there is no openssl")
    folder = tmp_path_factory.mktemp("pki")

    def openssl(*arguments: str) -> None:
        subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)

    new_key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")
    openssl("req", "-x509", *new_key, "-keyout", "ca.key", "-out", "ca.pem", "-days", "2", "-subj", "/CN=ca")
    for name in ("server", "client"):
        openssl("req", *new_key, "-keyout", f"{name}.key", "-out", f"{name}.csr", "-subj", f"/CN={name}")
        (folder / "names").write_text("subjectAltName=IP:127.0.0.1\n")
        openssl(
            "x509", "-req", "-in", f"{name}.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial",
            "-out", f"{name}.pem", "-days", "2", "-extfile", "names",
        )  # fmt: skip
    return folder


def over_tls(pki: Path, protocol: str):  # type: ignore[no-untyped-def]
    """A receiver that wants a certificate of its client."""
    if protocol == "grpc":
        pair = ((pki / "server.key").read_bytes(), (pki / "server.pem").read_bytes())
        authority = (pki / "ca.pem").read_bytes()
        return otlp_over_grpc(credentials=grpc.ssl_server_credentials([pair], authority, True))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pki / "server.pem", pki / "server.key")
    context.load_verify_locations(pki / "ca.pem")
    context.verify_mode = ssl.CERT_REQUIRED
    return otlp_over_http(tls=context)


@pytest.mark.parametrize("protocol", ["grpc", "http/protobuf"])
def test_both_ends_show_their_certificate(pki: Path, protocol: str) -> None:
    kind = protocol.partition("/")[0]
    with over_tls(pki, kind) as received:
        env = {
            P + "ENDPOINT": received.endpoint, P + "PROTOCOL": protocol,
            P + "CERTIFICATE": str(pki / "ca.pem"),
            P + "CLIENT_CERTIFICATE": str(pki / "client.pem"), P + "CLIENT_KEY": str(pki / "client.key"),
        }  # fmt: skip
        settings = OtlpSettings.from_environment(env)
        assert settings is not None
        assert export_rows(settings, [SPAN], [LINE]).sent == 2
        by_hand = endpoint_settings(
            received.endpoint,
            kind,
            certificate=str(pki / "ca.pem"),
            client_certificate=str(pki / "client.pem"),
            client_key=str(pki / "client.key"),
        )
        assert export_rows(by_hand, [SPAN]).sent == 1

        # Without our certificate, or without trust in theirs, nothing arrives.
        for missing in ("CLIENT_CERTIFICATE", "CERTIFICATE"):
            less = OtlpSettings.from_environment({k: v for k, v in env.items() if k != P + missing})
            assert less is not None
            with pytest.raises(ExportError):
                export_rows(less, [SPAN], retry=ONCE, timeout_s=5.0)


@pytest.mark.parametrize("name", ["CERTIFICATE", "CLIENT_CERTIFICATE", "CLIENT_KEY"])
def test_a_file_that_is_not_there_is_named(pki: Path, name: str, tmp_path: Path) -> None:
    env = {
        P + "ENDPOINT": "https://127.0.0.1:1",
        P + "CLIENT_CERTIFICATE": str(pki / "client.pem"),
        P + name: str(tmp_path / "gone.pem"),
    }
    settings = OtlpSettings.from_environment(env)
    assert settings is not None
    assert settings.traces is not None
    with pytest.raises(OtlpSettingsError, match=r"gone\.pem"):
        settings.traces.check()
