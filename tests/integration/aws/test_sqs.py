"""SQS's API through the real boto3, against a real server."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode
from xml.etree import ElementTree

import pytest
import requests
from aws_server import ROLE, AwsServer, aws_server, zip_of
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.exceptions import ClientError
from patience import PATIENCE_S
from relive_platform.api.aws.credentials import function_key_pair
from server_harness import write_app

PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
APP = """
[resources.jobs]
type = "queue"
dead_letter = "dead"
max_receive_count = 3
[resources.dead]
type = "queue"
[functions.work]
handler = "app:work"
[[functions.work.triggers]]
type = "queue"
queue = "jobs"
filters = [{ body = { kind = ["wanted"] } }]
[functions.surroundings]
handler = "app:surroundings"
environment = { QUEUE_URL = "${resources.dead.url}" }
"""
SOURCE = """
import os, json, urllib.request

def work(event, context):
    return event

def surroundings(event, context):
    return {name: value for name, value in os.environ.items() if "AWS_" in name or "QUEUE" in name}
"""


@pytest.fixture(scope="module")
def aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AwsServer]:
    with aws_server(tmp_path_factory.mktemp("sqs") / "home", call_depth=3) as server:
        yield server


@pytest.fixture(scope="module")
def sqs(aws: AwsServer) -> Any:
    return aws.client("sqs")


@pytest.fixture
def queue(sqs: Any, request: pytest.FixtureRequest) -> str:
    return str(
        sqs.create_queue(QueueName=request.node.name[:60].replace("[", "-").replace("]", ""))["QueueUrl"]
    )


def received(sqs: Any, queue: str) -> dict[str, Any]:
    """The one message that comes; SQS waits for 20 s at most."""
    deadline = time.monotonic() + PATIENCE_S
    while "Messages" not in (found := sqs.receive_message(QueueUrl=queue, WaitTimeSeconds=20)):
        assert time.monotonic() < deadline
    [message] = found["Messages"]
    return dict(message)


def refused(work: Any) -> str:
    with pytest.raises(ClientError) as caught:
        work()
    return str(caught.value.response["Error"]["Code"])


def test_a_message_and_its_attributes_come_back_with_the_digests_that_boto_checks(
    sqs: Any, queue: str
) -> None:
    attributes = {
        "text": {"DataType": "String", "StringValue": "\u00fc"},
        "number": {"DataType": "Number.int", "StringValue": "-1.5e3"},
        "bytes": {"DataType": "Binary", "BinaryValue": b"\x00\xff"},
    }
    sent = sqs.send_message(QueueUrl=queue, MessageBody="h\u00e9 {", MessageAttributes=attributes)
    (found,) = sqs.receive_message(
        QueueUrl=queue, AttributeNames=["All"], MessageAttributeNames=["text", "num*", "by.*"]
    )["Messages"]

    assert found["MessageId"] == sent["MessageId"]
    assert found["Body"] == "h\u00e9 {"
    assert set(found["MessageAttributes"]) == {"text", "bytes"}
    assert found["MD5OfBody"] == sent["MD5OfMessageBody"]
    assert found["Attributes"]["ApproximateReceiveCount"] == "1"
    counts = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["All"])["Attributes"]
    assert counts["ApproximateNumberOfMessagesNotVisible"] == "1"
    sqs.delete_message(QueueUrl=queue, ReceiptHandle=found["ReceiptHandle"])
    assert "Messages" not in sqs.receive_message(QueueUrl=queue)


def test_batches_tell_of_each_entry(sqs: Any, queue: str) -> None:
    sent = sqs.send_message_batch(
        QueueUrl=queue,
        Entries=[
            {"Id": "a", "MessageBody": "1"},
            {"Id": "b", "MessageBody": "\u0000"},
            {"Id": "c", "MessageBody": "3", "DelaySeconds": 901},
        ],
    )
    assert [entry["Id"] for entry in sent["Successful"]] == ["a"]
    assert {entry["Id"]: entry["Code"] for entry in sent["Failed"]} == {
        "b": "InvalidMessageContents",
        "c": "InvalidParameterValue",
    }
    (found,) = sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10)["Messages"]
    changed = sqs.change_message_visibility_batch(
        QueueUrl=queue,
        Entries=[
            {"Id": "good", "ReceiptHandle": found["ReceiptHandle"], "VisibilityTimeout": 0},
            {"Id": "bad", "ReceiptHandle": "forged", "VisibilityTimeout": 0},
        ],
    )
    assert [entry["Id"] for entry in changed["Successful"]] == ["good"]
    assert [entry["Code"] for entry in changed["Failed"]] == ["ReceiptHandleIsInvalid"]
    (again,) = sqs.receive_message(QueueUrl=queue)["Messages"]
    deleted = sqs.delete_message_batch(
        QueueUrl=queue, Entries=[{"Id": "x", "ReceiptHandle": again["ReceiptHandle"]}]
    )
    assert [entry["Id"] for entry in deleted["Successful"]] == ["x"]


@pytest.mark.parametrize(
    ("call", "arguments", "code"),
    [
        ("send_message", {"MessageBody": ""}, "MissingParameter"),
        ("send_message", {"MessageBody": "x" * 1_048_577}, "InvalidParameterValue"),
        ("send_message", {"MessageBody": "\ufffe"}, "InvalidMessageContents"),
        ("send_message", {"MessageBody": "x", "DelaySeconds": 901}, "InvalidParameterValue"),
        ("receive_message", {"MaxNumberOfMessages": 11}, "InvalidParameterValue"),
        ("receive_message", {"WaitTimeSeconds": 21}, "InvalidParameterValue"),
        ("delete_message", {"ReceiptHandle": "A" * 56}, "ReceiptHandleIsInvalid"),
        (
            "change_message_visibility",
            {"ReceiptHandle": "x", "VisibilityTimeout": 43_201},
            "InvalidParameterValue",
        ),
        ("send_message_batch", {"Entries": []}, "AWS.SimpleQueueService.EmptyBatchRequest"),
        (
            "send_message_batch",
            {"Entries": [{"Id": "a", "MessageBody": "x"}] * 2},
            "AWS.SimpleQueueService.BatchEntryIdsNotDistinct",
        ),
        (
            "send_message_batch",
            {"Entries": [{"Id": str(n), "MessageBody": "x"} for n in range(11)]},
            "AWS.SimpleQueueService.TooManyEntriesInBatchRequest",
        ),
        (
            "send_message_batch",
            {"Entries": [{"Id": str(n), "MessageBody": "x" * 600_000} for n in range(2)]},
            "AWS.SimpleQueueService.BatchRequestTooLong",
        ),
        ("set_queue_attributes", {"Attributes": {"VisibilityTimeout": "-1"}}, "InvalidAttributeValue"),
        ("set_queue_attributes", {"Attributes": {"Nonsense": "1"}}, "InvalidAttributeName"),
        ("set_queue_attributes", {"Attributes": {"RedrivePolicy": "{"}}, "InvalidParameterValue"),
        (
            "set_queue_attributes",
            {"Attributes": {"ContentBasedDeduplication": "true"}},
            "InvalidAttributeName",
        ),
    ],
)
def test_what_is_wrong_is_refused_in_sqs_words(
    sqs: Any, call: str, arguments: dict[str, Any], code: str
) -> None:
    url = sqs.create_queue(QueueName="strict")["QueueUrl"]

    assert refused(lambda: getattr(sqs, call)(QueueUrl=url, **arguments)) == code


def test_queues_are_made_listed_tagged_and_deleted(aws: AwsServer, sqs: Any) -> None:
    made = [sqs.create_queue(QueueName=f"listed-{n}")["QueueUrl"] for n in range(3)]
    first = sqs.list_queues(QueueNamePrefix="listed-", MaxResults=2)
    rest = sqs.list_queues(QueueNamePrefix="listed-", MaxResults=2, NextToken=first["NextToken"])
    sqs.tag_queue(QueueUrl=made[0], Tags={"team": "shop", "x": "y"})
    sqs.untag_queue(QueueUrl=made[0], TagKeys=["x"])
    dead = sqs.get_queue_attributes(QueueUrl=made[1], AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    policy = json.dumps({"deadLetterTargetArn": dead, "maxReceiveCount": 1})
    sqs.set_queue_attributes(QueueUrl=made[0], Attributes={"RedrivePolicy": policy})

    assert first["QueueUrls"] + rest["QueueUrls"] == made
    assert sqs.list_queue_tags(QueueUrl=made[0])["Tags"] == {"team": "shop"}
    assert sqs.get_queue_url(QueueName="listed-2")["QueueUrl"] == made[2]
    assert sqs.list_dead_letter_source_queues(QueueUrl=made[1])["queueUrls"] == [made[0]]
    assert refused(lambda: sqs.create_queue(QueueName="listed-2", Attributes={"DelaySeconds": "3"})) == (
        "QueueAlreadyExists"
    )
    assert refused(lambda: sqs.create_queue(QueueName="no dots.")) == "InvalidParameterValue"
    sqs.delete_queue(QueueUrl=made[2])
    with pytest.raises(sqs.exceptions.QueueDoesNotExist):
        sqs.get_queue_url(QueueName="listed-2")

    # dead letters are moved back to where they came from
    sqs.send_message(QueueUrl=made[0], MessageBody="poison")
    sqs.receive_message(QueueUrl=made[0], VisibilityTimeout=0)
    assert "Messages" not in sqs.receive_message(QueueUrl=made[0])
    task = sqs.start_message_move_task(SourceArn=dead)
    back = received(sqs, made[0])
    assert back["Body"] == "poison"

    def moves() -> dict[str, Any]:
        (told,) = sqs.list_message_move_tasks(SourceArn=dead)["Results"]
        return dict(told)

    aws.until(lambda: moves()["Status"] == "COMPLETED")  # once it has seen that none is left
    assert moves()["ApproximateNumberOfMessagesMoved"] == 1
    with pytest.raises(sqs.exceptions.ResourceNotFoundException):
        sqs.cancel_message_move_task(TaskHandle=task["TaskHandle"])
    assert refused(lambda: sqs.cancel_message_move_task(TaskHandle="forged")) == "InvalidParameterValue"
    sqs.purge_queue(QueueUrl=made[0])
    with pytest.raises(sqs.exceptions.PurgeQueueInProgress):
        sqs.purge_queue(QueueUrl=made[0])


def test_a_fifo_queue(sqs: Any) -> None:
    url = sqs.create_queue(
        QueueName="line.fifo", Attributes={"FifoQueue": "true", "ContentBasedDeduplication": "true"}
    )["QueueUrl"]
    for body, group in (("a1", "a"), ("a2", "a"), ("b1", "b"), ("a1", "a")):
        sent = sqs.send_message(QueueUrl=url, MessageBody=body, MessageGroupId=group)
    assert sent["SequenceNumber"].isdigit()

    (first,) = sqs.receive_message(QueueUrl=url, AttributeNames=["MessageGroupId", "SequenceNumber"])[
        "Messages"
    ]
    (other,) = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10)["Messages"]

    assert (first["Body"], first["Attributes"]["MessageGroupId"]) == ("a1", "a")
    assert other["Body"] == "b1"
    assert refused(lambda: sqs.send_message(QueueUrl=url, MessageBody="x")) == "MissingParameter"


def test_functions_use_queues_with_their_own_keys(aws: AwsServer, sqs: Any, tmp_path: Path) -> None:
    server = aws.server
    server.deploy(write_app(tmp_path / "app", SOURCE, APP))

    # Given what a function is told
    from relive_platform.engine.invocation import InvokeRequest

    outcome = aws.run(server.invoke(InvokeRequest(function="surroundings", event=b"{}")))
    told = json.loads(outcome.body)
    keys = function_key_pair((server.run_dir / "token").read_text().strip(), "test")

    # I expect the listener, a key pair of the application's own, and the queue under the name it wants
    assert told["AWS_ENDPOINT_URL_SQS"] == aws.url
    assert told["AWS_ACCESS_KEY_ID"] == keys.access_key_id
    assert told["QUEUE_URL"] == told["DEAD_QUEUE_URL"] == f"{aws.url}/000000000000/dead"

    # When its application's queues are used with it, I expect that to work, and nothing else
    mine = aws.client("sqs", keys)
    mine.send_message(QueueUrl=told["QUEUE_URL"], MessageBody="from the function")
    private = sqs.create_queue(QueueName="mine")["QueueUrl"]
    made = mine.create_queue(QueueName="made-by-test")["QueueUrl"]
    other = aws.client("sqs", function_key_pair((server.run_dir / "token").read_text().strip(), "other"))
    assert refused(lambda: other.list_queues()) in ("InvalidClientTokenId", "UnrecognizedClientException")
    assert (
        refused(lambda: mine.delete_queue(QueueUrl=told["QUEUE_URL"]))
        == "AWS.SimpleQueueService.UnsupportedOperation"
    )
    assert refused(lambda: aws.client("lambda", keys).list_functions()) == "AccessDeniedException"
    assert made in mine.list_queues()["QueueUrls"]
    mine.receive_message(QueueUrl=private)

    # When messages come with a trace, the filtered ones are gone and the others run in that trace
    url = f"{aws.url}/000000000000/jobs"
    sqs.send_message(QueueUrl=url, MessageBody='{"kind": "other"}')
    attributes = {"traceparent": {"DataType": "String", "StringValue": PARENT}}
    sqs.send_message(QueueUrl=url, MessageBody='{"kind": "wanted"}', MessageAttributes=attributes)
    aws.until(lambda: sum(report.filtered for report in server.batches.reports()) == 1)
    aws.until(lambda: sum(report.messages for report in server.batches.reports()) == 1)
    aws.until(lambda: aws.run(server.queues.counts("jobs")).deleted == 2)  # the batch is counted before


def test_an_event_source_mapping_polls(aws: AwsServer, sqs: Any) -> None:
    functions = aws.client("lambda")
    code = "import os\ndef handler(event, context):\n    return [r['body'] for r in event['Records']]\n"
    functions.create_function(
        FunctionName="mapped", Runtime="python3.11", Role=ROLE, Handler="app.handler", Timeout=5,
        Code={"ZipFile": zip_of(app=code)},
    )  # fmt: skip
    url = sqs.create_queue(QueueName="mapped")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    for bad in ("{", '{"body": 3}', "[1]"):
        filters = {"Filters": [{"Pattern": bad}]}
        with pytest.raises(functions.exceptions.InvalidParameterValueException):
            functions.create_event_source_mapping(
                EventSourceArn=arn, FunctionName="mapped", FilterCriteria=filters
            )
    made = functions.create_event_source_mapping(EventSourceArn=arn, FunctionName="mapped", BatchSize=5)
    sqs.send_message(QueueUrl=url, MessageBody="hello")

    report = aws.server.batches.report
    aws.until(lambda: report(made["UUID"]).messages == 1)
    assert report(made["UUID"]).last_result == "OK"

    # outcomes of its asynchronous events go where Lambda's configuration says
    outcomes = sqs.create_queue(QueueName="outcomes")["QueueUrl"]
    functions.put_function_event_invoke_config(
        FunctionName="mapped",
        MaximumRetryAttempts=0,
        DestinationConfig={"OnFailure": {"Destination": arn.replace("mapped", "outcomes")}},
    )
    functions.invoke(FunctionName="mapped", InvocationType="Event", Payload=b"{}")
    told = received(sqs, outcomes)
    assert json.loads(told["Body"])["responsePayload"]["errorType"] == "KeyError"
    functions.update_event_source_mapping(UUID=made["UUID"], Enabled=False)
    aws.until(lambda: not report(made["UUID"]).enabled)
    functions.delete_event_source_mapping(UUID=made["UUID"])
    assert report(made["UUID"]) is None


def test_a_function_that_fills_the_queue_that_it_works_on_is_a_loop_that_ends(
    aws: AwsServer, sqs: Any
) -> None:
    # Given a function that sends on what it gets, to its own queue, which has a queue of dead letters
    made = {name: sqs.create_queue(QueueName=name)["QueueUrl"] for name in ("circle", "circle-dead")}
    policy = {"deadLetterTargetArn": "arn:aws:sqs:us-east-1:000000000000:circle-dead", "maxReceiveCount": 1}
    sqs.set_queue_attributes(QueueUrl=made["circle"], Attributes={"RedrivePolicy": json.dumps(policy)})
    functions = aws.client("lambda")
    code = (
        "import boto3, os\n"
        "def handler(event, context):\n"
        "    for record in event['Records']:\n"
        "        url = os.environ['AWS_ENDPOINT_URL'] + '/000000000000/circle'\n"
        "        boto3.client('sqs').send_message(QueueUrl=url, MessageBody=record['body'] + '.')\n"
    )
    functions.create_function(
        FunctionName="circle", Runtime="python3.11", Role=ROLE, Handler="app.handler", Timeout=60,
        MemorySize=512, Code={"ZipFile": zip_of(app=code)},
    )  # fmt: skip
    functions.create_event_source_mapping(
        EventSourceArn="arn:aws:sqs:us-east-1:000000000000:circle", FunctionName="circle"
    )
    # When a message gets there, I expect it to go round as often as functions may lie below each other
    sqs.send_message(QueueUrl=made["circle"], MessageBody="m")
    dead = received(sqs, made["circle-dead"])
    assert dead["Body"] == "m...."


def test_the_older_query_protocol(aws: AwsServer, sqs: Any) -> None:
    keys = Credentials(aws.keys.access_key_id, aws.keys.secret_access_key)

    def ask(path: str = "/", **fields: str) -> tuple[int, ElementTree.Element]:
        body = urlencode({"Version": "2012-11-05", **fields}).encode()
        kind = {"Content-Type": "application/x-www-form-urlencoded; charset=utf-8"}
        request = AWSRequest("POST", aws.url + path, headers=kind, data=body)
        SigV4Auth(keys, "sqs", "us-east-1").add_auth(request)
        answer = requests.post(request.url, data=body, headers=dict(request.headers), timeout=60)
        return answer.status_code, ElementTree.fromstring(answer.content)

    def found(answer: ElementTree.Element, name: str) -> list[str | None]:
        return [element.text for element in answer.iter() if element.tag.endswith(f"}}{name}")]

    # Given a queue that was made by a form, and messages with attributes and odd characters
    _, made = ask(
        Action="CreateQueue",
        QueueName="older",
        **{"Attribute.1.Name": "DelaySeconds", "Attribute.1.Value": "0"},
    )
    (url,) = found(made, "QueueUrl")
    assert url == f"{aws.url}/000000000000/older"
    attribute = {"Name": "k", "Value.DataType": "Binary", "Value.BinaryValue": "AP8="}
    ask(
        "/000000000000/older",
        Action="SendMessage",
        MessageBody="<\u00e9 & \r>",
        **{f"MessageAttribute.1.{name}": value for name, value in attribute.items()},
    )
    entries = {"1.Id": "a", "1.MessageBody": "x", "2.Id": "b", "2.MessageBody": "\u0001"}
    _, sent = ask(
        Action="SendMessageBatch",
        QueueUrl=url,
        **{f"SendMessageBatchRequestEntry.{name}": value for name, value in entries.items()},
    )
    assert found(sent, "Id") == ["a", "b"]
    assert found(sent, "Code") == ["InvalidMessageContents"]

    # When they are received, I expect them whole, and errors by their old names
    _, got = ask(
        Action="ReceiveMessage", QueueUrl=url, MaxNumberOfMessages="10",
        **{"AttributeName.1": "All", "MessageAttributeName.1": "All"},
    )  # fmt: skip
    assert sorted(map(str, found(got, "Body"))) == ["<\u00e9 & \r>", "x"]
    assert found(got, "BinaryValue") == ["AP8="]
    assert "ApproximateReceiveCount" in found(got, "Name")
    status, error = ask(Action="GetQueueUrl", QueueName="nowhere")
    assert (status, found(error, "Code")) == (400, ["AWS.SimpleQueueService.NonExistentQueue"])
    assert found(ask(Action="Nonsense")[1], "Code") == ["InvalidAction"]
    assert found(ask(Action="ReceiveMessage", QueueUrl=url, MaxNumberOfMessages="x")[1], "Code") == [
        "InvalidParameterValue"
    ]
