"""Asynchronous events: retried, buried, dug out again, and traced from the producer to the consumer."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator

import pytest
from relive_cli import Relive, relive_home, toml

BROKEN = """
from opentelemetry import trace

def order(event, context):
    return charge(event)

def charge(event):
    return 100 / event["lines"]

def tick(event, context):
    print("tick", event["source"], event["schedule"])

def send(event, context):
    import relive
    return {"event": relive.send("order", {"lines": 4})}
"""
FIXED = BROKEN.replace('event["lines"]', 'max(event["lines"], 1)')
FUNCTIONS = {
    "order": 'handler = "app:order"\nretries = 2',
    "send": 'handler = "app:send"',
    "tick": """handler = "app:tick"

[[functions.tick.triggers]]
type = "timer"
schedule = "rate(1 second)"
""",
}


@pytest.fixture(scope="module")
def lab() -> Iterator[Relive]:
    with relive_home() as home:
        home.environment = {"RELIVE_BACKOFF_S": "0.1", "RELIVE_BACKOFF_LIMIT_S": "0.2"}
        with home.serving():
            home.run("deploy", str(home.application({"app.py": BROKEN, "relive.toml": toml(FUNCTIONS)})))
            yield home


def test_an_event_that_always_fails_is_buried_and_done_once_the_function_is_fixed(lab: Relive) -> None:
    # Given an event that fails at each of its three attempts
    (accepted,) = lab.json("invoke", "order", "--event", '{"lines": 0}', "--async")
    assert accepted["status"] == "accepted"
    (dead,) = lab.eventually(lambda: lab.json("events", "order", "--state", "dead"))
    assert dead["attempts"] == 3
    assert "ZeroDivisionError" in dead["last_error"]
    lab.eventually(lambda: lab.json("status")[0]["queue"]["dead"] == 1)

    # I expect each attempt as an invocation with a scene of its own, all in one group
    tried = lab.json("invocations", "order", "--status", "error")
    assert sorted(row["attempt"] for row in tried) == [1, 2, 3]
    assert len({row["invocation_id"] for row in tried}) == 1
    assert {row["trigger"] for row in tried} <= {"queue", "pubsub"}
    (group,) = lab.json("failures", "order", "--group")
    assert group["count"] == 3

    # When a fixed version is deployed and the event is put back
    lab.run("deploy", str(lab.application({"app.py": FIXED, "relive.toml": toml(FUNCTIONS)})))
    (again,) = lab.json("events", "retry", dead["event_id"][:13])
    assert again["state"] == "ready"

    # I expect it to be done by the new version, in the same trace
    (done,) = lab.eventually(lambda: lab.json("invocations", "order", "--status", "ok", check=False))
    assert done["version"] == 2
    assert done["trace_id"] == accepted["trace_id"]
    lab.eventually(lambda: lab.json("events", "order") == [])  # its end is written after its row
    assert lab.run("events", "retry", "nosuchevent", check=False).returncode == 1


def test_waiting_for_an_event_tells_how_it_ended(lab: Relive) -> None:
    done = lab.run("invoke", "order", "--event", '{"lines": 2}', "--async", "--wait", "--json")
    told = json.loads(done.stdout)
    assert told["state"] == "done"
    assert told["result"] == json.loads(lab.run("invoke", "order", "--event", '{"lines": 2}').stdout)

    done = lab.run("invoke", "order", "--event", "{}", "--async", "--wait", "--json", check=False)
    told = json.loads(done.stdout)
    assert done.returncode == 1
    assert told["state"] == "dead"
    assert "KeyError" in told["last_error"]


def test_the_consumer_is_in_the_producers_trace_and_linked_to_it(lab: Relive) -> None:
    # Given a function that sends an event to another
    row = lab.invoke("send")

    # I expect one trace: producer, queue, consumer
    def consumed() -> list[dict[str, object]] | None:
        spans = lab.json("trace", row["trace_id"])
        return spans if any(span["service"] == "order" and span["links"] for span in spans) else None

    spans = {span["span_id"]: span for span in lab.eventually(consumed)}
    consumer = next(span for span in spans.values() if span["links"])
    assert consumer["kind"] == "Consumer"
    (link,) = consumer["links"]
    assert spans[link["span_id"]]["kind"] == "Producer"
    services = set()
    span = consumer
    while span:
        services.add(span["service"])
        span = spans.get(span["parent_span_id"])
    assert "send" in services


def test_a_timer_fires_by_itself(lab: Relive) -> None:
    # Given a function with a rate of a second, deployed a while ago
    rows = lab.eventually(lambda: len(rows := lab.json("invocations", "tick", check=False)) >= 3 and rows)

    # I expect a run for each second, and the schedule in its event
    assert {row["trigger"] for row in rows} == {"timer"}
    assert {row["status"] for row in rows} == {"ok"}
    lines = lab.json("logs", "tick")
    assert {line["body"] for line in lines} == {"tick timer rate(1 second)"}
    # ... one for each time at which it was due
    told = lab.json("sql", "SELECT EventId AS id FROM invocations FINAL WHERE Function = 'tick'")
    due_ms = sorted(int(row["id"].rpartition("-")[2]) for row in told)
    gaps_ms = [later - earlier for earlier, later in itertools.pairwise(due_ms)]
    assert all(gap and gap % 1_000 == 0 for gap in gaps_ms), gaps_ms


@pytest.mark.parametrize("command", [["events", "retry"], ["events", "discard"], ["cancel"]])
def test_a_slip_in_a_name_is_answered_with_what_was_meant(lab: Relive, command: list[str]) -> None:
    # When a function is named that is none
    done = lab.run(*command, "ordr", check=False)
    # I expect the one that was meant
    assert done.returncode == 1
    assert "there is no function and no" in done.stderr
    assert "did you mean order?" in done.stderr

    # When an id is given that nothing has
    done = lab.run(*command, "01a2086a-0000", check=False)
    # I expect no guess at functions
    assert done.returncode == 1
    assert "'01a2086a-0000'" in done.stderr
    assert "did you mean" not in done.stderr


SAM_CODE = """
import json

def handler(event, context):
    kind = event.get("httpMethod") or event.get("nightly") or event["Records"][0]["eventSource"]
    print("got", kind, context.function_name)
    return {"statusCode": 201, "body": json.dumps(event.get("pathParameters"))}
"""
SAM = """
Transform: AWS::Serverless-2016-10-31
Parameters:
  Stage: {Type: String}
Globals:
  Function: {Handler: app.handler, CodeUri: src/, Runtime: python3.11, Timeout: 60}
Resources:
  Jobs: {Type: AWS::SQS::Queue}
  Uploads: {Type: AWS::S3::Bucket}
  Asked:
    Type: AWS::Serverless::Function
    Properties:
      Environment: {Variables: {STAGE: !Ref Stage, QUEUE: !Ref Jobs}}
      Events:
        Web: {Type: Api, Properties: {Path: "/sam/{id}", Method: post}}
  Worker:
    Type: AWS::Serverless::Function
    Properties:
      Policies: AmazonSQSFullAccess
      Events:
        Jobs: {Type: SQS, Properties: {Queue: !GetAtt Jobs.Arn, BatchSize: 5}}
        Files: {Type: S3, Properties: {Bucket: !Ref Uploads, Events: "s3:ObjectCreated:*"}}
        Nightly: {Type: Schedule, Properties: {Schedule: rate(1 second), Input: '{"nightly": "timer"}'}}
"""


def test_a_sam_template_runs_with_all_its_events(lab: Relive) -> None:
    # Given a template with a queue, a bucket, an API and a schedule, deployed as it is
    folder = lab.application({"template.yaml": SAM, "src/app.py": SAM_CODE})
    told = lab.run("deploy", str(folder / "template.yaml"), "--parameter", "Stage=dev")
    assert "Worker.Properties.Policies: Relive gives no permissions in AWS" in told.stdout + told.stderr
    kept = {row["type"]: row for row in lab.json("resources") if row["type"] in ("queue", "bucket")}

    # When each of its sources has something to say
    asked = lab.request("/sam/7", b"{}", method="POST")
    lab.run("invoke", kept["queue"]["name"], "--async", "--event", '{"n": 1}')
    (lab.home / "buckets" / kept["bucket"]["name"] / "photo.jpg").write_text("x")

    # I expect the functions to get it in the shapes that they would on AWS
    assert (asked.status, asked.json()) == (201, {"id": "7"})
    wanted = {
        ("Asked", "got POST"),
        ("Worker", "got aws:sqs"),
        ("Worker", "got aws:s3"),
        ("Worker", "got timer"),
    }
    query = "SELECT ServiceName AS name, Body AS line FROM otel_logs WHERE Body LIKE 'got %'"

    def seen() -> bool:
        rows = lab.json("sql", query, check=False)
        return wanted <= {(row["name"], row["line"].rpartition(" ")[0]) for row in rows}

    lab.eventually(seen)
