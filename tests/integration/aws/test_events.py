"""EventBridge's API through the real boto3, against a real server: from outside, and from a function as it
is."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from aws_server import AwsServer, aws_server
from botocore.exceptions import ClientError
from relive_platform.api.aws.credentials import function_key_pair
from relive_platform.triggers.bus.buses import key_of
from server_harness import write_app

ARN = "arn:aws:events:us-east-1:000000000000:event-bus"
APP = """
[resources.orders]
type = "bus"
[functions.heard]
handler = "app:heard"
[[functions.heard.triggers]]
type = "bus"
bus = "orders"
pattern = { source = ["shop"], detail = { total = [{ numeric = [">", 10] }] } }
[functions.surroundings]
handler = "app:surroundings"
"""
SOURCE = """
import os

def heard(event, context):
    return event

def surroundings(event, context):
    return {name: value for name, value in os.environ.items() if name.startswith(("AWS_", "ORDERS_"))}
"""


@pytest.fixture(scope="module")
def aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AwsServer]:
    folder = tmp_path_factory.mktemp("events")
    with aws_server(folder / "home") as server:
        server.server.deploy(write_app(folder / "app", SOURCE, APP))
        yield server


def entry(**more: Any) -> dict[str, Any]:
    whole = {"Source": "shop", "DetailType": "placed", "Detail": '{"total": 99}', "EventBusName": "orders"}
    return {**whole, **more}


def test_events_that_are_put_reach_the_functions_that_they_fit(aws: AwsServer) -> None:
    # Given entries of which some cannot be
    put = aws.client("events").put_events(
        Entries=[
            entry(Resources=["order/7"]),
            entry(EventBusName=f"{ARN}/orders", Detail='{"total": 1}'),
            entry(Detail="[]"),
            entry(EventBusName="nope"),
        ]
    )

    # I expect each to have an answer of its own
    codes = [one.get("ErrorCode", "") for one in put["Entries"]]
    assert codes == ["", "", "InvalidArgument", "ResourceNotFoundException"]
    assert put["FailedEntryCount"] == 2

    # ... and the one that fits to have run its function
    event = _heard(aws, put["Entries"][0]["EventId"])
    assert (event["id"], event["resources"]) == (put["Entries"][0]["EventId"], ["order/7"])
    assert event["detail"] == {"total": 99}


def _heard(aws: AwsServer, ident: str) -> dict[str, Any]:
    """The event as the function got it, and gave it back."""
    queue = aws.server.queue

    def settled() -> bool:
        counts = queue.counts().result(60)
        return bool(counts.done) and not (counts.ready or counts.leased)

    aws.until(settled)
    row, result = queue.look(key_of("orders", ident), "heard").result(60)
    assert row.state == "done"
    found: dict[str, Any] = json.loads(result or b"")
    return found


def test_patterns_and_buses_can_be_asked_for(aws: AwsServer) -> None:
    client = aws.client("events")
    names = ("id", "source", "detail-type", "account", "time", "region")
    event = json.dumps({**dict.fromkeys(names, "x"), "resources": [], "detail": {"n": 1}})
    assert client.test_event_pattern(EventPattern='{"detail": {"n": [1]}}', Event=event)["Result"]
    assert not client.test_event_pattern(EventPattern='{"detail": {"n": [2]}}', Event=event)["Result"]
    with pytest.raises(ClientError) as caught:
        client.test_event_pattern(EventPattern='{"detail": {"n": 1}}', Event=event)
    assert caught.value.response["Error"]["Code"] == "InvalidEventPatternException"
    assert [one["Name"] for one in client.list_event_buses()["EventBuses"]] == ["default", "orders"]
    assert client.describe_event_bus(Name="orders")["Arn"].endswith(":event-bus/orders")
    with pytest.raises(ClientError, match="does not exist"):
        client.describe_event_bus(Name="nope")
    with pytest.raises(ClientError, match="does not serve"):
        client.put_rule(Name="r")


def test_functions_of_an_application_with_a_bus_know_the_way_and_may_put_only(aws: AwsServer) -> None:
    told = json.loads(aws.run(aws.server.invoke(_invoke("surroundings"))).body)
    assert told["AWS_ENDPOINT_URL_EVENTBRIDGE"] == aws.url
    assert told["ORDERS_BUS_NAME"] == "orders"
    keys = function_key_pair((aws.server.run_dir / "token").read_text().strip(), "test")
    assert told["AWS_ACCESS_KEY_ID"] == keys.access_key_id
    client = aws.client("events", keys)
    assert not client.put_events(Entries=[entry()])["FailedEntryCount"]
    with pytest.raises(ClientError) as caught:
        client.list_event_buses()
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] in (400, 403)


def _invoke(function: str) -> Any:
    from relive_platform.engine.invocation import InvokeRequest

    return InvokeRequest(function=function, event=b"{}")
