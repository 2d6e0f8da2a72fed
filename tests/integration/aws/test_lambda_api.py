"""Lambda's API through the real boto3, against a real server."""

from __future__ import annotations

import base64
import contextlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from aws_server import ROLE, AwsServer, aws_server, zip_of
from botocore.exceptions import ClientError

CODE = """
import json, os, sys, time

def handler(event, context):
    print("working on", json.dumps(event))
    if event.get("raise"):
        raise KeyError("country")
    if event.get("exit"):
        os._exit(3)
    if event.get("sleep"):
        time.sleep(60)
    if event.get("set"):
        return {1, 2}
    custom = context.client_context.custom if context.client_context else None
    return {"got": event, "arn": context.invoked_function_arn, "version": context.function_version,
            "custom": custom, "trace": context.trace_id, "stage": os.environ.get("STAGE"), "code": 1}
"""

SIGNING = "arn:aws:lambda:us-east-1:000000000000:code-signing-config:csc-0123456789abcdef0"
STREAMING = """
const fs = require('node:fs');
const pause = () => new Promise((resolve) => setTimeout(resolve, 5));
exports.handler = awslambda.streamifyResponse(async (event, stream) => {
  stream.write('first ');
  while (event.end !== 'never' && !fs.existsSync(event.arrived)) await pause();
  for (let n = 0; event.end === 'never' && n < 200; n++) {
    await new Promise((resolve) => stream.write('x'.repeat(65536), resolve));
  }
  if (event.end === 'never') fs.writeFileSync(event.arrived, '');
  stream.write('second');
  if (event.end === 'badly') throw new RangeError('in the middle');
  stream.end();
});
"""


@pytest.fixture(scope="module")
def aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AwsServer]:
    with aws_server(tmp_path_factory.mktemp("aws") / "home") as server:
        yield server


@pytest.fixture(scope="module")
def client(aws: AwsServer) -> Any:
    return aws.client("lambda")


def create(client: Any, name: str, code: str = CODE, **more: Any) -> dict[str, Any]:
    asked = {"Runtime": "python3.11", "Role": ROLE, "Handler": "app.handler", "Timeout": 5, **more}
    return client.create_function(FunctionName=name, Code={"ZipFile": zip_of(app=code)}, **asked)


def invoke(client: Any, name: str, event: object = None, **more: Any) -> dict[str, Any]:
    answer = client.invoke(FunctionName=name, Payload=json.dumps(event or {}), **more)
    body = answer["Payload"].read()
    return {**answer, "Payload": json.loads(body) if body else None}


def refused(work: Any) -> ClientError:
    with pytest.raises(ClientError) as caught:
        work()
    return caught.value


class TestInvoke:
    @pytest.fixture(scope="class", autouse=True)
    @staticmethod
    def shop(client: Any) -> None:
        create(client, "shop", Environment={"Variables": {"STAGE": "dev"}})

    def test_a_result_with_log_and_context(self, client: Any) -> None:
        # Given a function, when it is invoked with a client context and its log is wanted
        context = base64.b64encode(b'{"custom": {"k": "v"}}').decode()
        answer = invoke(client, "shop", {"a": 1}, LogType="Tail", ClientContext=context)
        # I expect the result, the context in the handler, and the log's end
        assert answer["StatusCode"] == 200
        assert "FunctionError" not in answer
        assert answer["ExecutedVersion"] == "$LATEST"
        assert answer["Payload"]["got"] == {"a": 1}
        assert answer["Payload"]["custom"] == {"k": "v"}
        assert answer["Payload"]["stage"] == "dev"
        assert answer["Payload"]["arn"] == "arn:aws:lambda:us-east-1:000000000000:function:shop"
        log = base64.b64decode(answer["LogResult"]).decode()
        assert log.startswith("START RequestId: ")
        assert 'working on {"a": 1}\n' in log
        assert "REPORT RequestId: " in log

    @pytest.mark.parametrize(
        ("event", "kind", "message"),
        [
            ({"raise": 1}, "KeyError", "'country'"),
            ({"exit": 1}, "Runtime.ExitError", "Runtime exited with error: exit status 3"),
            ({"set": 1}, "Runtime.MarshalError", "Unable to marshal response"),
        ],
    )
    def test_a_failure_is_a_200_that_says_so(
        self, client: Any, event: object, kind: str, message: str
    ) -> None:
        answer = invoke(client, "shop", event)
        assert (answer["StatusCode"], answer["FunctionError"]) == (200, "Unhandled")
        assert answer["Payload"]["errorType"] == kind
        assert message in answer["Payload"]["errorMessage"]

    def test_an_exception_has_its_frames(self, client: Any) -> None:
        trace = invoke(client, "shop", {"raise": 1})["Payload"]["stackTrace"]
        assert "in handler" in trace[-1]
        assert 'raise KeyError("country")' in trace[-1]

    def test_a_timeout(self, client: Any) -> None:
        create(client, "slow", Timeout=1)
        answer = invoke(client, "slow", {"sleep": 1})
        assert answer["FunctionError"] == "Unhandled"
        assert answer["Payload"]["errorType"] == "Sandbox.Timedout"
        assert "Task timed out after 1.00 seconds" in answer["Payload"]["errorMessage"]

    @pytest.mark.parametrize(
        ("code", "handler", "kind"),
        [
            ("import not_there", "app.handler", "Runtime.ImportModuleError"),
            ("x = 1", "app.handler", "Runtime.HandlerNotFound"),
            ("def handler(:", "app.handler", "Runtime.UserCodeSyntaxError"),
            (CODE, "elsewhere.handler", "Runtime.ImportModuleError"),
        ],
    )
    def test_code_that_does_not_load_is_taken_and_fails(
        self, client: Any, code: str, handler: str, kind: str
    ) -> None:
        name = f"broken-{abs(hash((code, handler)))}"
        assert create(client, name, code, Handler=handler)["State"] == "Active"
        answer = invoke(client, name)
        assert answer["FunctionError"] == "Unhandled"
        assert answer["Payload"]["errorType"] == kind

    def test_an_event_is_queued_and_run(self, aws: AwsServer, client: Any) -> None:
        answer = invoke(client, "shop", {"queued": 1}, InvocationType="Event")
        assert (answer["StatusCode"], answer["Payload"]) == (202, None)
        aws.until(lambda: aws.server.queue.counts().result().done == 1)

    def test_a_dry_run_runs_nothing(self, client: Any) -> None:
        assert invoke(client, "shop", InvocationType="DryRun")["StatusCode"] == 204

    @pytest.mark.parametrize(
        "name",
        [
            "shop",
            "shop:$LATEST",
            "000000000000:function:shop",
            "arn:aws:lambda:us-east-1:000000000000:function:shop",
            "arn:aws:lambda:us-east-1:000000000000:function:shop:$LATEST",
        ],
    )
    def test_every_way_to_name_it(self, client: Any, name: str) -> None:
        assert invoke(client, name, {"n": 1})["Payload"]["got"] == {"n": 1}

    @pytest.mark.parametrize(
        "name",
        [
            "nobody",
            "shop:7",
            "shop:live",
        ],
    )
    def test_what_is_not_there(self, client: Any, name: str) -> None:
        error = refused(lambda: invoke(client, name))
        assert error.response["Error"]["Code"] == "ResourceNotFoundException"
        assert "Function not found: arn:aws:lambda:us-east-1:" in error.response["Error"]["Message"]

    @pytest.mark.parametrize(
        ("region", "account", "code", "message"),
        [
            ("eu-west-1", "000000000000", "ResourceNotFoundException", "Functions from 'eu-west-1' are not"),
            ("us-east-1", "111111111111", "AccessDeniedException", "of the account 000000000000"),
        ],
    )
    def test_what_is_elsewhere(self, client: Any, region: str, account: str, code: str, message: str) -> None:
        error = refused(lambda: invoke(client, f"arn:aws:lambda:{region}:{account}:function:shop"))
        assert error.response["Error"]["Code"] == code
        assert message in error.response["Error"]["Message"]

    def test_an_event_that_is_no_json(self, client: Any) -> None:
        error = refused(lambda: client.invoke(FunctionName="shop", Payload=b"{"))
        assert error.response["Error"]["Code"] == "InvalidRequestContentException"

    def test_an_answer_in_parts(self, client: Any) -> None:
        answer = client.invoke_with_response_stream(FunctionName="shop", Payload=b'{"s": 1}', LogType="Tail")
        events = list(answer["EventStream"])
        body = b"".join(event["PayloadChunk"]["Payload"] for event in events[:-1])
        assert json.loads(body)["got"] == {"s": 1}
        assert "ErrorCode" not in events[-1]["InvokeComplete"]
        assert "START RequestId" in base64.b64decode(events[-1]["InvokeComplete"]["LogResult"]).decode()

    def test_a_failure_in_parts(self, client: Any) -> None:
        answer = client.invoke_with_response_stream(FunctionName="shop", Payload=b'{"raise": 1}')
        complete = list(answer["EventStream"])[-1]["InvokeComplete"]
        assert complete["ErrorCode"] == "KeyError"
        assert "'country'" in complete["ErrorDetails"]

    def test_parts_come_as_the_function_sends_them(self, aws: AwsServer, client: Any, tmp_path: Path) -> None:
        # Given a program that sends a part, and the next when it is told that this one has arrived
        (tmp_path / "index.js").write_text(STREAMING)
        (tmp_path / "relive.toml").write_text(
            '[app]\nname = "parts"\n[functions.parts]\nruntime = "nodejs"\nhandler = "index.handler"\n'
            "isolation_tier = 0\ntimeout_s = 60\n"
        )
        aws.server.deploy(tmp_path)

        def stream(end: str) -> Any:
            event = {"arrived": str(tmp_path / end), "end": end}
            answer = client.invoke_with_response_stream(FunctionName="parts", Payload=json.dumps(event))
            return answer["EventStream"]

        # When it ends well, fails in the middle, or its client leaves
        ends = {}
        for end in ("well", "badly"):
            events = iter(stream(end))
            assert next(events)["PayloadChunk"]["Payload"] == b"first "
            (tmp_path / end).touch()
            *parts, last = list(events)
            body = b"".join(part["PayloadChunk"]["Payload"] for part in parts)
            ends[end] = (body, last["InvokeComplete"].get("ErrorCode"))
        left = stream("never")
        next(iter(left))
        left.close()
        # I expect each part at once, then how it ended; a client that has gone holds up no program
        assert ends == {"well": (b"second", None), "badly": (b"second", "RangeError")}
        aws.until((tmp_path / "never").exists)

    def test_the_trace_goes_on(self, aws: AwsServer, client: Any) -> None:
        trace_id = "4bf92f3577b34da6a3ce929d0e0e4736"

        def add(request: Any, **_: Any) -> None:
            request.headers["traceparent"] = f"00-{trace_id}-00f067aa0ba902b7-01"

        other = aws.client("lambda")
        other.meta.events.register("before-sign.lambda.Invoke", add)
        assert invoke(other, "shop", {"traced": 1})["Payload"]["trace"] == trace_id


class TestFunctions:
    def test_it_is_described_as_it_was_made(self, client: Any) -> None:
        made = create(
            client,
            "made",
            Description="d",
            MemorySize=256,
            Tags={"team": "x"},
            TracingConfig={"Mode": "Active"},
            CodeSigningConfigArn=SIGNING,
            Publish=True,
        )
        assert made["FunctionArn"] == "arn:aws:lambda:us-east-1:000000000000:function:made"
        found = client.get_function(FunctionName="made")
        signing = client.get_function_code_signing_config(FunctionName="made")
        assert signing["CodeSigningConfigArn"] == SIGNING
        assert found["Tags"] == {"team": "x"}
        configuration = found["Configuration"]
        assert configuration["CodeSha256"] == made["CodeSha256"]
        assert (configuration["MemorySize"], configuration["Timeout"]) == (256, 5)
        assert configuration["TracingConfig"] == {"Mode": "Active"}
        assert (configuration["State"], configuration["LastUpdateStatus"]) == ("Active", "Successful")
        client.get_waiter("function_active_v2").wait(FunctionName="made")

    def test_the_same_name_twice(self, client: Any) -> None:
        create(client, "twice")
        error = refused(lambda: create(client, "twice"))
        assert error.response["Error"]["Code"] == "ResourceConflictException"
        assert error.response["ResponseMetadata"]["HTTPStatusCode"] == 409

    def test_changes_are_what_runs_next(self, client: Any) -> None:
        create(client, "changing")
        assert invoke(client, "changing")["Payload"]["code"] == 1
        zipped = zip_of(app=CODE.replace('"code": 1', '"code": 2'))
        client.update_function_code(FunctionName="changing", ZipFile=zipped)
        assert invoke(client, "changing")["Payload"]["code"] == 2
        changed = client.update_function_configuration(
            FunctionName="changing", Environment={"Variables": {"STAGE": "prod"}}, MemorySize=512
        )
        assert (changed["MemorySize"], changed["Timeout"]) == (512, 5)
        answer = invoke(client, "changing")["Payload"]
        assert (answer["code"], answer["stage"]) == (2, "prod")

    def test_a_change_of_another_revision_is_refused(self, client: Any) -> None:
        create(client, "revised")
        error = refused(
            lambda: client.update_function_configuration(
                FunctionName="revised", Timeout=9, RevisionId="00000000-0000-0000-0000-000000000000"
            )
        )
        assert error.response["Error"]["Code"] == "PreconditionFailedException"

    def test_a_list_in_pages(self, client: Any) -> None:
        for name in ("page-1", "page-2", "page-3"):
            create(client, name)
        pages = list(client.get_paginator("list_functions").paginate(PaginationConfig={"PageSize": 2}))
        names = [function["FunctionName"] for page in pages for function in page["Functions"]]
        assert {"page-1", "page-2", "page-3"} <= set(names)
        assert all(len(page["Functions"]) <= 2 for page in pages)
        assert names == sorted(names)

    def test_what_is_deleted_is_gone(self, client: Any) -> None:
        create(client, "going")
        client.delete_function(FunctionName="going")
        assert refused(lambda: client.get_function(FunctionName="going")).response["Error"]["Code"] == (
            "ResourceNotFoundException"
        )

    @pytest.mark.parametrize(
        ("change", "code"),
        [
            ({"Runtime": "java21"}, "InvalidParameterValueException"),
            ({"Runtime": "cobol85"}, "ValidationException"),
            ({"Timeout": 901}, "ValidationException"),
            ({"MemorySize": 1}, "ValidationException"),
            ({"Role": "nobody"}, "ValidationException"),
            ({"Environment": {"Variables": {"AWS_REGION": "x"}}}, "InvalidParameterValueException"),
            ({"Code": {"ZipFile": b"no zip"}}, "InvalidParameterValueException"),
            ({"Code": {"ImageUri": "x"}}, "InvalidParameterValueException"),
            ({"Code": {"S3Bucket": "bucket", "S3Key": "key"}}, "InvalidParameterValueException"),
            (
                {"Layers": ["arn:aws:lambda:us-east-1:000000000000:layer:no:1"]},
                "InvalidParameterValueException",
            ),
        ],
    )
    def test_what_cannot_be_made(self, aws: AwsServer, change: dict[str, Any], code: str) -> None:
        loose = aws.client("lambda", parameter_validation=False)
        asked = {
            "FunctionName": "impossible", "Runtime": "python3.11", "Role": ROLE, "Handler": "app.handler",
            "Code": {"ZipFile": zip_of(app=CODE)}, **change,
        }  # fmt: skip
        error = refused(lambda: loose.create_function(**asked))
        assert error.response["Error"]["Code"] == code
        assert refused(lambda: loose.get_function(FunctionName="impossible"))


class TestVersions:
    def test_versions_and_a_weighted_alias(self, client: Any) -> None:
        # Given two published versions
        create(client, "numbered")
        first = client.publish_version(FunctionName="numbered", Description="the first")
        assert (first["Version"], first["Description"]) == ("1", "the first")
        assert client.publish_version(FunctionName="numbered")["Version"] == "1"
        zipped = zip_of(app=CODE.replace('"code": 1', '"code": 2'))
        second = client.update_function_code(FunctionName="numbered", ZipFile=zipped, Publish=True)
        assert second["Version"] == "2"
        listed = client.list_versions_by_function(FunctionName="numbered")["Versions"]
        assert [version["Version"] for version in listed] == ["$LATEST", "1", "2"]
        # When each is asked for, I expect its own code
        answer = invoke(client, "numbered", Qualifier="1")
        assert (answer["Payload"]["code"], answer["ExecutedVersion"]) == (1, "1")
        assert invoke(client, "numbered:2")["Payload"]["code"] == 2
        # When an alias leads to one, it is that; with the whole weight on the other, the other
        made = client.create_alias(FunctionName="numbered", Name="live", FunctionVersion="1")
        assert "RoutingConfig" not in made
        assert invoke(client, "numbered:live")["Payload"]["code"] == 1
        client.update_alias(
            FunctionName="numbered", Name="live", RoutingConfig={"AdditionalVersionWeights": {"2": 1.0}}
        )
        answer = invoke(client, "numbered", Qualifier="live")
        assert (answer["Payload"]["code"], answer["ExecutedVersion"]) == (2, "2")
        assert answer["Payload"]["arn"].endswith(":numbered:live")

    def test_an_alias_survives_the_next_deploys(self, client: Any) -> None:
        create(client, "pinned", Publish=True)
        client.create_alias(FunctionName="pinned", Name="live", FunctionVersion="1")
        for number in (2, 3):
            zipped = zip_of(app=CODE.replace('"code": 1', f'"code": {number}'))
            client.update_function_code(FunctionName="pinned", ZipFile=zipped)
            assert invoke(client, "pinned")["Payload"]["code"] == number
            assert invoke(client, "pinned:live")["Payload"]["code"] == 1

    def test_what_is_wrong_with_an_alias(self, client: Any) -> None:
        create(client, "aliased", Publish=True)
        alias = {"FunctionName": "aliased", "Name": "a", "FunctionVersion": "1"}
        client.create_alias(**alias)
        assert refused(lambda: client.create_alias(**alias)).response["Error"]["Code"] == (
            "ResourceConflictException"
        )
        error = refused(lambda: client.create_alias(FunctionName="aliased", Name="b", FunctionVersion="9"))
        assert error.response["Error"]["Code"] == "ResourceNotFoundException"
        error = refused(lambda: client.delete_function(FunctionName="aliased", Qualifier="1"))
        assert error.response["Error"]["Code"] == "ResourceConflictException"
        client.delete_alias(FunctionName="aliased", Name="a")
        client.delete_alias(FunctionName="aliased", Name="a")
        assert client.list_aliases(FunctionName="aliased")["Aliases"] == []

    def test_an_alias_is_described_by_its_own_arn(self, client: Any) -> None:
        create(client, "led", Publish=True)
        client.create_alias(FunctionName="led", Name="live", FunctionVersion="1")
        found = client.get_function(FunctionName="led", Qualifier="live")["Configuration"]
        assert (found["FunctionArn"].rpartition(":")[2], found["Version"]) == ("live", "1")
        error = refused(
            lambda: client.update_alias(
                FunctionName="led", Name="live", RoutingConfig={"AdditionalVersionWeights": {"1": 0.5}}
            )
        )
        assert error.response["Error"]["Message"] == (
            "Invalid function version 1. Function version 1 is already included in routing configuration."
        )


# As AWS answered when other test suites asked it
REFUSALS: list[tuple[str, dict[str, Any], str, str]] = [
    ("get_function", {"FunctionName": "led", "Qualifier": "7"}, "ResourceNotFoundException",
     "Function not found: {arn}:7"),
    ("delete_function", {"FunctionName": "nobody", "Qualifier": "$LATEST"}, "InvalidParameterValueException",
     "$LATEST version cannot be deleted without deleting the function."),
    ("create_alias", {"FunctionName": "led", "Name": "x", "FunctionVersion": "1",
                      "RoutingConfig": {"AdditionalVersionWeights": {"2": 2.0}}}, "ValidationException",
     "1 validation error detected: Value '{{2=2.0}}' at 'routingConfig.additionalVersionWeights' failed to"
     " satisfy constraint: Map value must satisfy constraint: [Member must have value less than or equal to"
     " 1.0, Member must have value greater than or equal to 0.0, Member must not be null]"),
    ("update_function_configuration", {"FunctionName": "led", "VpcConfig": {"SubnetIds": ["x"]}},
     "ValidationException", "1 validation error detected: Value '[x]' at 'vpcConfig.subnetIds' failed to"),
    ("update_alias", {"FunctionName": "led", "Name": "gone"}, "ResourceNotFoundException",
     "Alias not found: {arn}:gone"),
    ("put_function_event_invoke_config", {"FunctionName": "nobody", "MaximumRetryAttempts": 0},
     "ResourceNotFoundException", "The function doesn't exist."),
    ("put_function_event_invoke_config",
     {"FunctionName": "led", "DestinationConfig": {"OnSuccess": {"Destination": "{arn}"}}},
     "InvalidParameterValueException", "You can't specify the function as a destination for itself."),
    ("put_function_event_invoke_config",
     {"FunctionName": "led", "DestinationConfig": {"OnSuccess": {"Destination": "{arn}-not"}}},
     "InvalidParameterValueException", "The destination ARN {arn}-not is invalid."),
    ("get_function_event_invoke_config", {"FunctionName": "led", "Qualifier": "7"},
     "ResourceNotFoundException", "The function {arn}:7 doesn't have an EventInvokeConfig"),
    ("create_function_url_config", {"FunctionName": "nobody", "AuthType": "NONE"},
     "ResourceNotFoundException", "Function does not exist"),
    ("get_function_url_config", {"FunctionName": "nobody"}, "ResourceNotFoundException",
     "The resource you requested does not exist."),
    ("get_provisioned_concurrency_config", {"FunctionName": "led", "Qualifier": "$LATEST"},
     "InvalidParameterValueException",
     "The function resource provided must be an alias or a published version."),
    ("put_function_concurrency", {"FunctionName": "led:1", "ReservedConcurrentExecutions": 1},
     "InvalidParameterValueException", "This operation is permitted on Lambda functions only."),
    ("add_permission", {"FunctionName": "led", "StatementId": "a", "Action": "lambda:InvokeFunction",
                        "Principal": "invalid.nonaws.com"}, "InvalidParameterValueException",
     "The provided principal was invalid. Please check the principal and try again."),
    ("remove_permission", {"FunctionName": "nobody", "StatementId": "a"}, "ResourceNotFoundException",
     "No policy found for: "),
    ("tag_resource", {"Resource": "{arn}", "Tags": {str(number): "" for number in range(51)}},
     "InvalidParameterValueException", "Number of tags exceeds resource tag limit."),
    ("get_layer_version", {"LayerName": "x", "VersionNumber": 0}, "InvalidParameterValueException",
     "Layer Version Cannot be less than 1"),
    ("create_event_source_mapping", {"FunctionName": "nobody",
                                     "EventSourceArn": "arn:aws:sqs:us-east-1:000000000000:q"},
     "InvalidParameterValueException", "Function does not exist"),
    ("create_event_source_mapping", {"FunctionName": "led", "EventSourceArn":
                                     "arn:aws:sqs:us-east-1:000000000000:q", "DestinationConfig": {
                                         "OnFailure": {"Destination": "arn:aws:sqs:us-east-1:000000000000:d"}
                                     }}, "InvalidParameterValueException",
     "Unsupported DestinationConfig parameter for given event source mapping type."),
]  # fmt: skip


@pytest.mark.parametrize(("operation", "asked", "code", "message"), REFUSALS)
def test_refusals_are_those_of_aws(
    aws: AwsServer, client: Any, operation: str, asked: dict[str, Any], code: str, message: str
) -> None:
    arn = "arn:aws:lambda:us-east-1:000000000000:function:led"
    with contextlib.suppress(ClientError):
        create(client, "led", Publish=True)
    loose = aws.client("lambda", parameter_validation=False)
    asked = json.loads(json.dumps(asked).replace("{arn}", arn))
    error = refused(lambda: getattr(loose, operation)(**asked))
    assert error.response["Error"]["Code"] == code
    assert error.response["Error"]["Message"].startswith(message.format(arn=arn))


class TestAttached:
    @pytest.fixture(scope="class", autouse=True)
    @staticmethod
    def holder(client: Any) -> None:
        create(client, "holder", Publish=True)

    def test_reserved_concurrency_of_zero_runs_nothing(self, client: Any) -> None:
        client.put_function_concurrency(FunctionName="holder", ReservedConcurrentExecutions=0)
        error = refused(lambda: invoke(client, "holder"))
        assert error.response["Error"]["Code"] == "TooManyRequestsException"
        assert error.response["Reason"] == "ReservedFunctionConcurrentInvocationLimitExceeded"
        client.delete_function_concurrency(FunctionName="holder")
        assert invoke(client, "holder")["StatusCode"] == 200
        assert "ReservedConcurrentExecutions" not in client.get_function_concurrency(FunctionName="holder")

    def test_provisioned_concurrency_has_workers_ready(self, aws: AwsServer, client: Any) -> None:
        client.put_provisioned_concurrency_config(
            FunctionName="holder", Qualifier="1", ProvisionedConcurrentExecutions=2
        )
        asked = {"FunctionName": "holder", "Qualifier": "1"}
        pool = aws.server.engine.host.pools["holder", 1]
        aws.until(lambda: client.get_provisioned_concurrency_config(**asked)["Status"] == "READY")
        assert len(pool.live()) == 2
        found = client.get_provisioned_concurrency_config(**asked)
        assert (found["RequestedProvisionedConcurrentExecutions"], found["Status"]) == (2, "READY")
        assert found["AvailableProvisionedConcurrentExecutions"] == 2
        error = refused(
            lambda: client.put_function_concurrency(FunctionName="holder", ReservedConcurrentExecutions=1)
        )
        assert error.response["Error"]["Code"] == "InvalidParameterValueException"
        assert "total provisioned concurrency [2]" in error.response["Error"]["Message"]
        error = refused(
            lambda: client.put_provisioned_concurrency_config(
                **asked, ProvisionedConcurrentExecutions=100_000
            )
        )
        assert error.response["Error"]["Code"] == "InvalidParameterValueException"
        assert "[32]" in error.response["Error"]["Message"]
        assert pool.limits.provisioned == 2
        client.delete_provisioned_concurrency_config(FunctionName="holder", Qualifier="1")
        error = refused(
            lambda: client.get_provisioned_concurrency_config(FunctionName="holder", Qualifier="1")
        )
        assert error.response["Error"]["Code"] == "ProvisionedConcurrencyConfigNotFoundException"

    def test_provisioned_concurrency_goes_with_its_alias(self, aws: AwsServer, client: Any) -> None:
        client.create_alias(FunctionName="holder", Name="live", FunctionVersion="1")
        asked = {"FunctionName": "holder", "Qualifier": "live"}
        client.put_provisioned_concurrency_config(**asked, ProvisionedConcurrentExecutions=2)
        pool = aws.server.engine.host.pools["holder", 1]
        assert pool.limits.provisioned == 2
        client.delete_alias(FunctionName="holder", Name="live")
        assert pool.limits.provisioned == 0
        found = client.list_provisioned_concurrency_configs(FunctionName="holder")
        assert found["ProvisionedConcurrencyConfigs"] == []
        error = refused(lambda: client.delete_provisioned_concurrency_config(**asked))
        assert "Cannot find alias arn: " in error.response["Error"]["Message"]
        # ... and while it is there, its version cannot be provided for a second time
        client.create_alias(FunctionName="holder", Name="live", FunctionVersion="1")
        client.put_provisioned_concurrency_config(**asked, ProvisionedConcurrentExecutions=1)
        version = {**asked, "Qualifier": "1", "ProvisionedConcurrentExecutions": 1}
        error = refused(lambda: client.put_provisioned_concurrency_config(**version))
        assert error.response["Error"]["Code"] == "ResourceConflictException"
        client.delete_alias(FunctionName="holder", Name="live")

    def test_what_others_have_reserved_cannot_be_provisioned(self, aws: AwsServer, client: Any) -> None:
        create(client, "reserving")
        client.put_function_concurrency(FunctionName="reserving", ReservedConcurrentExecutions=30)
        asked = {"FunctionName": "holder", "Qualifier": "1", "ProvisionedConcurrentExecutions": 3}
        error = refused(lambda: client.put_provisioned_concurrency_config(**asked))
        assert "[2]" in error.response["Error"]["Message"]
        assert "this host 32, of which other functions keep 30." in error.response["Error"]["Message"]
        client.delete_function(FunctionName="reserving")
        client.put_provisioned_concurrency_config(**{**asked, "ProvisionedConcurrentExecutions": 1})
        client.delete_provisioned_concurrency_config(FunctionName="holder", Qualifier="1")

    def test_retries_of_events(self, aws: AwsServer, client: Any) -> None:
        client.put_function_event_invoke_config(
            FunctionName="holder", MaximumRetryAttempts=0, MaximumEventAgeInSeconds=60
        )
        assert client.get_function_event_invoke_config(FunctionName="holder")["MaximumRetryAttempts"] == 0
        receiver = aws.server.functions.receiver("holder")
        assert receiver is not None
        assert (receiver.config.retries, receiver.config.max_age_s) == (0, 60)
        client.delete_function_event_invoke_config(FunctionName="holder")
        error = refused(lambda: client.get_function_event_invoke_config(FunctionName="holder"))
        assert error.response["Error"]["Code"] == "ResourceNotFoundException"

    def test_its_url_answers(self, client: Any) -> None:
        import urllib.request

        made = client.create_function_url_config(FunctionName="holder", AuthType="NONE")
        with urllib.request.urlopen(made["FunctionUrl"]) as answer:
            assert json.loads(answer.read())["code"] == 1
        assert refused(lambda: client.create_function_url_config(FunctionName="holder", AuthType="NONE"))
        client.delete_function_url_config(FunctionName="holder")
        assert client.list_function_url_configs(FunctionName="holder")["FunctionUrlConfigs"] == []

    def test_tags(self, client: Any) -> None:
        arn = client.get_function_configuration(FunctionName="holder")["FunctionArn"]
        client.tag_resource(Resource=arn, Tags={"a": "1", "b": "2"})
        client.untag_resource(Resource=arn, TagKeys=["a"])
        assert client.list_tags(Resource=arn)["Tags"] == {"b": "2"}

    def test_permissions_are_kept(self, client: Any) -> None:
        statement = {
            "FunctionName": "holder", "StatementId": "s3", "Action": "lambda:InvokeFunction",
            "Principal": "s3.amazonaws.com", "SourceArn": "arn:aws:s3:::bucket",
        }  # fmt: skip
        client.add_permission(**statement)
        assert refused(lambda: client.add_permission(**statement))
        policy = json.loads(client.get_policy(FunctionName="holder")["Policy"])
        assert policy["Statement"][0]["Principal"] == {"Service": "s3.amazonaws.com"}
        client.remove_permission(FunctionName="holder", StatementId="s3")
        error = refused(lambda: client.remove_permission(FunctionName="holder", StatementId="s3"))
        assert error.response["Error"]["Message"] == "No policy is associated with the given resource."
        assert refused(lambda: client.get_policy(FunctionName="holder"))

    def test_mappings_are_kept(self, client: Any) -> None:
        arn = "arn:aws:sqs:us-east-1:000000000000:queue"
        made = client.create_event_source_mapping(
            FunctionName="holder", EventSourceArn=arn, BatchSize=5, Enabled=False
        )
        assert (made["BatchSize"], made["FunctionArn"].rpartition(":")[2]) == (5, "holder")
        found = client.list_event_source_mappings(FunctionName="holder")["EventSourceMappings"]
        assert [mapping["UUID"] for mapping in found] == [made["UUID"]]
        assert client.update_event_source_mapping(UUID=made["UUID"], BatchSize=7)["BatchSize"] == 7
        client.delete_event_source_mapping(UUID=made["UUID"])
        assert refused(lambda: client.get_event_source_mapping(UUID=made["UUID"]))

    @pytest.mark.parametrize(
        "arn",
        [
            "arn:aws:states:us-east-1:000000000000:stateMachine:steps",
            "arn:aws:sqs:us-west-2:000000000000:elsewhere",
            "arn:aws:sqs:us-east-1:000000000000:",
        ],
    )
    def test_what_cannot_be_read_or_sent_to_is_refused(self, client: Any, arn: str) -> None:
        # Given ARNs of another service, of another region and without a name, I expect each use to be refused
        for work in (
            lambda: client.create_event_source_mapping(FunctionName="holder", EventSourceArn=arn),
            lambda: client.put_function_event_invoke_config(
                FunctionName="holder", DestinationConfig={"OnFailure": {"Destination": arn}}
            ),
            lambda: client.update_function_configuration(
                FunctionName="holder", DeadLetterConfig={"TargetArn": arn}
            ),
        ):
            error = refused(work).response["Error"]
            assert (error["Code"], arn in error["Message"]) == ("InvalidParameterValueException", True)


def test_a_layer_is_on_the_path(client: Any) -> None:
    # Given a layer with a module, in both of the places that Lambda knows
    content = zip_of(
        **{
            "python/shared_tax": "RATE = 19",
            "python/lib/python3.11/site-packages/shared_fee": "FEE = 2",
        }
    )
    layer = client.publish_layer_version(LayerName="tax", Content={"ZipFile": content})
    # When a function with that layer imports it, I expect it to be there
    code = (
        "import shared_tax, shared_fee\n"
        "def handler(event, context):\n    return shared_tax.RATE + shared_fee.FEE"
    )
    create(client, "layered", code, Layers=[layer["LayerVersionArn"]])
    assert invoke(client, "layered")["Payload"] == 21
    listed = client.list_layers()["Layers"][0]["LatestMatchingVersion"]
    assert (listed["Version"], listed.get("Description")) == (1, None)
    assert client.get_layer_version(LayerName="tax", VersionNumber=1)["Description"] == ""
    client.delete_layer_version(LayerName="tax", VersionNumber=1)
    assert client.list_layers()["Layers"] == []
    assert invoke(client, "layered")["Payload"] == 21


def test_what_relive_deploy_made_is_there_too(aws: AwsServer, client: Any, tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text("def handler(event, context):\n    return 'local'\n")
    aws.server.deploy(tmp_path, "local", "app:handler")
    assert invoke(client, "local")["Payload"] == "local"
    found = client.get_function(FunctionName="local")["Configuration"]
    assert (found["Handler"], found["Version"]) == ("app.handler", "$LATEST")
    assert invoke(client, "local:1")["ExecutedVersion"] == "1"
    # ... with the number of workers that it says, and versions that stay to be rolled back to
    error = refused(
        lambda: client.put_provisioned_concurrency_config(
            FunctionName="local", Qualifier="1", ProvisionedConcurrentExecutions=5
        )
    )
    assert "the function has at most 4 workers" in error.response["Error"]["Message"]
    error = refused(lambda: client.delete_function(FunctionName="local", Qualifier="1"))
    assert error.response["Error"]["Code"] == "ResourceConflictException"
    assert "relive deploy" in error.response["Error"]["Message"]
    assert invoke(client, "local:1")["ExecutedVersion"] == "1"


def test_what_lambda_has_and_we_do_not(client: Any) -> None:
    error = refused(lambda: client.list_code_signing_configs())
    assert error.response["Error"]["Code"] == "NotImplementedException"
    assert "ListCodeSigningConfigs" in error.response["Error"]["Message"]


def test_a_service_that_nobody_serves(aws: AwsServer) -> None:
    error = refused(lambda: aws.client("dynamodb").list_tables())
    assert error.response["Error"]["Code"] == "UnknownServiceException"
    assert "RELIVE_AWS_ENDPOINTS=dynamodb=" in error.response["Error"]["Message"]
    for work in (aws.client("s3").list_buckets, aws.client("iam").list_users):  # they read XML
        assert refused(work).response["Error"]["Code"] == "UnknownServiceException"


def test_functions_of_other_runtimes(client: Any) -> None:
    # Given a function for Node.js as a zip of Lambda's kind
    code = (
        "exports.handler = async (event, context) => {\n"
        "  if (event.fail) throw new RangeError('no ' + event.fail);\n"
        "  return { got: event, custom: context.clientContext, arn: context.invokedFunctionArn };\n"
        "};\n"
    )
    made = client.create_function(
        FunctionName="in-node",
        Code={"ZipFile": zip_of(**{"index.js": code})},
        Runtime="nodejs20.x",
        Role=ROLE,
        Handler="index.handler",
        Timeout=10,
    )
    assert (made["Runtime"], made["Handler"]) == ("nodejs20.x", "index.handler")

    # When it is called, and fails, I expect answer and error to be Lambda's
    context = base64.b64encode(b'{"custom": {"a": 1}}').decode()
    answer = invoke(client, "in-node", {"n": 1}, ClientContext=context)["Payload"]
    assert answer == {"got": {"n": 1}, "custom": {"custom": {"a": 1}}, "arn": made["FunctionArn"]}
    failed = invoke(client, "in-node", {"fail": "ink"})
    assert failed["FunctionError"] == "Unhandled"
    assert (failed["Payload"]["errorType"], failed["Payload"]["errorMessage"]) == ("RangeError", "no ink")
    assert "index.js:2" in failed["Payload"]["stackTrace"][0]

    # ... an ES module to find the packages of its layers, and nothing else to be looked for there
    content = zip_of(**{"nodejs/node_modules/helper/index.js": "module.exports.SAYS = 'from a layer';"})
    layer = client.publish_layer_version(LayerName="node-helper", Content={"ZipFile": content})
    module = (
        "import helper from 'helper';\n"
        "export const handler = async ({ name }) => helper.SAYS + (name ? await import(name) : '');\n"
    )
    client.create_function(
        FunctionName="in-esm", Code={"ZipFile": zip_of(**{"index.mjs": module})}, Runtime="nodejs20.x",
        Role=ROLE, Handler="index.handler", Timeout=10, Layers=[layer["LayerVersionArn"]],
    )  # fmt: skip
    assert invoke(client, "in-esm")["Payload"] == "from a layer"
    assert "missing" in invoke(client, "in-esm", {"name": "missing"})["Payload"]["errorMessage"]

    # ... and what nobody runs to be refused by name
    error = refused(lambda: create(client, "in-java", Runtime="java21"))
    assert "java21" in error.response["Error"]["Message"]
