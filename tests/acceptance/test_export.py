"""Traces and logs reach Jaeger, or anything else that speaks OTLP, as they happen and afterwards."""

from __future__ import annotations

import socket

import pytest
from otlp_receiver import Received, Span, otlp_over_grpc, otlp_over_http
from relive_cli import Relive, toml

FILES = {
    "app.py": """
import logging
import relive
from opentelemetry import trace

tracer = trace.get_tracer("app")

def web(request):
    logging.getLogger("app").warning("priced")
    with tracer.start_as_current_span("add up"):
        total = relive.invoke("price", {"sku": "A"})
    relive.send("order", {"total": total})
    return {"total": total}

def price(event, context):
    with tracer.start_as_current_span("look up", attributes={"sku": event["sku"], "n": 3}) as span:
        span.set_attributes({"vip": True, "f": 0.5})
        return 7

def order(event, context):
    with tracer.start_as_current_span("pack"):
        return "packed"
""",
    "relive.toml": toml(
        {
            "web": 'handler = "app:web"\nkind = "http"',
            "price": 'handler = "app:price"',
            "order": 'handler = "app:order"',
        }
    ),
}
RECEIVERS = {"grpc": otlp_over_grpc, "http": otlp_over_http}


def ask(relive: Relive) -> str:
    """One request; its trace id."""
    answer = relive.request("/fn/web/")
    assert answer.json() == {"total": 7}
    return answer.headers["traceparent"].split("-")[1]


def complete(received: Received, trace_id: str) -> dict[str, Span] | None:
    """The trace, once the last span of the asynchronous branch has come."""
    spans = received.trace(trace_id)
    names = {span.name for span in spans.values()}
    roots = [span for span in spans.values() if not span.parent_span_id]
    return spans if {"add up", "look up", "pack"} <= names and roots else None


def services_up(spans: dict[str, Span], name: str) -> list[str]:
    """The services from the span of that name to the root."""
    span: Span | None = next(span for span in spans.values() if span.name == name)
    found = []
    while span is not None:
        found.append(span.service)
        span = spans.get(span.parent_span_id)
    return found


@pytest.mark.parametrize("protocol", RECEIVERS)
@pytest.mark.parametrize("given", ["flag", "variable"])
def test_everything_is_exported_as_it_happens(relive: Relive, protocol: str, given: str) -> None:
    # Given a collector, named by the flag or by OpenTelemetry's own variables
    with RECEIVERS[protocol]() as received:
        flags = ["--otlp", received.endpoint] if given == "flag" else []
        relive.environment = {"RELIVE_OTLP_PROTOCOL": protocol}
        if given == "variable":
            relive.environment = {
                "OTEL_EXPORTER_OTLP_ENDPOINT": received.endpoint,
                "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc" if protocol == "grpc" else "http/protobuf",
                "OTEL_EXPORTER_OTLP_HEADERS": "x-team=blue",
            }
        with relive.serving(*flags):
            relive.run("deploy", str(relive.application(FILES)))

            # When a request goes through three functions, one of them over the queue
            trace_id = ask(relive)

            # I expect one trace with all spans, every parent in it, from each function to the trigger
            spans = relive.eventually(lambda: complete(received, trace_id))
            relive.eventually(lambda: not orphans(received.trace(trace_id)))
            spans = received.trace(trace_id)
            assert services_up(spans, "look up")[-1] == "web"
            assert services_up(spans, "pack")[0] == "order"
            assert services_up(spans, "pack")[-1] == "web"
            assert any(span.links for span in spans.values() if span.service == "order")
            assert any(span.attributes.get("faas.trigger") == "http" for span in spans.values())
            look_up = next(span for span in spans.values() if span.name == "look up")
            assert (look_up.attributes["n"], look_up.attributes["vip"], look_up.attributes["f"]) == (
                3,
                True,
                0.5,
            )

            # ... the log line with its trace, and the count
            (line,) = relive.eventually(
                lambda: [one for one in received.log_records if one.body.string_value == "priced"]
            )
            assert line.trace_id.hex() == trace_id
            if given == "variable":
                assert all(headers.get("x-team") == "blue" for headers in received.headers)
            counted = relive.eventually(
                lambda: (otlp := relive.json("status")[0]["otlp"])["sent"] >= len(spans) and otlp
            )
            assert counted["failed"] == counted["dropped"] == 0


def orphans(spans: dict[str, Span]) -> list[Span]:
    return [span for span in spans.values() if span.parent_span_id and span.parent_span_id not in spans]


def test_a_dead_collector_slows_nothing_and_is_counted(relive: Relive) -> None:
    # Given a server that exports to a port that swallows everything and never answers
    with socket.create_server(("127.0.0.1", 0)) as black_hole:
        relive.environment = {"RELIVE_OTLP_QUEUE_LIMIT": "100", "RELIVE_OTLP_TIMEOUT_S": "300"}
        with relive.serving("--otlp", f"http://127.0.0.1:{black_hole.getsockname()[1]}"):
            relive.run("deploy", str(relive.application(FILES)))

            # When many requests come
            for _ in range(30):
                answer = relive.request("/fn/web/")
                assert answer.status == 200, f"{answer.body!r}\n{relive.run('failure', check=False).stdout}"

            # I expect all to be answered while the first export still waits, and to see what was not sent
            lost = relive.eventually(lambda: (otlp := relive.json("status")[0]["otlp"])["dropped"] and otlp)
            assert (lost["sent"], lost["failed"]) == (0, 0)

    # ... and all of it in the store
    (row,) = relive.json("sql", "SELECT count() AS n FROM invocations WHERE Function = 'web'")
    assert row["n"] == 30


@pytest.mark.parametrize("protocol", RECEIVERS)
def test_what_was_recorded_is_exported_afterwards(relive: Relive, protocol: str) -> None:
    # Given traces of a server that exported nothing and has stopped
    with relive.serving():
        relive.run("deploy", str(relive.application(FILES)))
        traces = [ask(relive) for _ in range(3)]
        relive.eventually(lambda: not relive.json("events"))

    secrets = relive.home / "headers"
    secrets.write_text("# of the tenant\nx-team = green\n")
    with RECEIVERS[protocol]() as received:
        # When I send one of them, I expect that one, whole
        flags = ("--otlp", received.endpoint, "--protocol", protocol, "--headers", str(secrets))
        (sent,) = relive.json("export", "trace", traces[0], *flags)
        spans = complete(received, traces[0])
        assert spans is not None
        lines = received.log_records
        assert sent == {"sent": len(spans), "logs": len(lines), "failed": 0, "skipped": 0}
        assert [line.body.string_value for line in lines] == ["priced"]
        assert {line.trace_id.hex() for line in lines} == {traces[0]}
        assert {span.trace_id for span in received.spans} == {traces[0]}
        assert {headers["x-team"] for headers in received.headers} == {"green"}
        listed = relive.json("trace", traces[0])
        assert {span["span_id"] for span in listed} == set(spans)
        look_up = next(span for span in spans.values() if span.name == "look up")
        assert [look_up.attributes[name] for name in ("sku", "n", "vip", "f")] == ["A", 3, True, 0.5]

        # When I send the last, I expect the newest
        received.requests.clear()
        relive.json("export", "trace", "last", *flags)
        assert {span.trace_id for span in received.spans} == {traces[2]}

        # When I send all of an hour, I expect every span once
        received.requests.clear()
        (sent,) = relive.json("export", "--since", "1h", *flags)
        assert {span.trace_id for span in received.spans} == set(traces)
        assert sent["sent"] == len(received.spans) == len({span.span_id for span in received.spans})
        assert sent["logs"] == len(received.log_records) == len(traces)

    # When nobody listens any more, I expect to be told
    done = relive.run(
        "export", "trace", "last", "--otlp", received.endpoint, "--protocol", protocol, "--timeout", "1s",
        check=False,
    )  # fmt: skip
    assert done.returncode in (1, 3)
    assert received.endpoint.removeprefix("http://") in done.stderr
    assert "Traceback" not in done.stderr
