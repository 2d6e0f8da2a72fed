"""Every operation is one of the model, and stands in the documentation."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, cast

import pytest
from relive_platform.api.aws.errors import AwsError
from relive_platform.api.aws.functions.catalog import Platform
from relive_platform.api.aws.functions.service import LambdaService
from relive_platform.api.aws.model.loading import load
from relive_platform.api.aws.protocols.rest_json import RestJson
from relive_platform.api.aws.signature import Signed
from relive_platform.registry import Registry

PAGE = Path(__file__).resolve().parents[3] / "docs/reference/lambda-api.md"


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> LambdaService:
    registry = Registry(tmp_path_factory.mktemp("home"))
    nothing = cast(Any, None)
    return LambdaService(
        Platform(
            registry=registry, home=Path("/nowhere"), serving=dict, invoke=nothing, begin=nothing,
            publish=nothing,
            tail=nothing, fetch=nothing, gateway=str, presign=nothing, caller=nothing,
            mappings_changed=nothing,
        )
    )  # fmt: skip


def test_what_is_served_is_documented(service: LambdaService) -> None:
    table = PAGE.read_text().partition("## Only kept")[0]
    named = set(
        re.findall(
            r"`([A-Z]\w+)`", " ".join(line.split("|")[1] for line in table.splitlines() if "|" in line)
        )
    )
    assert named == set(service.operations())


def test_what_is_served_is_in_the_model(service: LambdaService) -> None:
    assert set(service.operations()) <= set(load("lambda").operations)


LAYER = "arn:aws:lambda:us-east-1:000000000000:layer:l:1"
PROVISIONED = "/2019-09-30/functions/f/provisioned-concurrency"
FUNCTION = "arn%3Aaws%3Alambda%3Aus-east-1%3A000000000000%3Afunction%3Af"
PROTOCOL = RestJson(load("lambda"))


def ask(method: str, target: str, body: bytes = b"", **headers: str) -> tuple[str, dict[str, Any]]:
    request = Signed(method, target, [(name.replace("_", "-"), text) for name, text in headers.items()], body)
    operation, in_path = PROTOCOL.operation_of(request)
    return operation, PROTOCOL.read(request, operation, in_path)


@pytest.mark.parametrize(
    ("method", "target", "operation"),
    [
        ("GET", "/2018-10-31/layers", "ListLayers"),
        ("GET", f"/2018-10-31/layers?find=LayerVersion&Arn={LAYER}", "GetLayerVersionByArn"),
        ("GET", f"{PROVISIONED}?List=ALL", "ListProvisionedConcurrencyConfigs"),
        ("GET", f"{PROVISIONED}?Qualifier=1", "GetProvisionedConcurrencyConfig"),
        ("GET", "/2015-03-31/functions/f/", "GetFunction"),
        ("GET", "/2015-03-31/functions/", "ListFunctions"),
    ],
)  # fmt: skip
def test_paths_that_operations_share(method: str, target: str, operation: str) -> None:
    assert ask(method, target)[0] == operation


def test_parameters_come_from_everywhere() -> None:
    operation, params = ask(
        "POST",
        f"/2015-03-31/functions/{FUNCTION}/invocations?Qualifier=live",
        b"raw",
        x_amz_invocation_type="Event",
    )
    assert operation == "Invoke"
    assert params == {
        "FunctionName": "arn:aws:lambda:us-east-1:000000000000:function:f",
        "Qualifier": "live",
        "InvocationType": "Event",
        "Payload": b"raw",
    }


@pytest.mark.parametrize(
    ("target", "body", "code", "says"),
    [
        ("/2015-03-31/functions", b"{", "InvalidRequestContentException", "Could not parse"),
        ("/2015-03-31/functions", b"[]", "SerializationException", "an object"),
        ("/2015-03-31/functions", b"[" * 100_000, "InvalidRequestContentException", "deep"),
        ("/2015-03-31/functions", b'{"a":' * 900 + b"1" + b"}" * 900, "SerializationException", "levels"),
        ("/2015-03-31/functions", b'{"FunctionName": 1}', "SerializationException", "NUMBER_VALUE"),
        ("/2015-03-31/functions", b"null", "SerializationException", "NULL_VALUE can not be converted to an"),
        ("/2015-03-31/functions", b'{"Timeout": "3"}', "SerializationException", "STRING_VALUE"),
        ("/2015-03-31/functions", b'{"Timeout": true}', "SerializationException", "TRUE_VALUE"),
        ("/2015-03-31/functions", b'{"Code": {"ZipFile": "!"}}', "SerializationException", "base64"),
        ("/2015-03-31/functions", b'{"Tags": []}', "SerializationException", "START_ARRAY"),
        ("/2015-03-31/functions", b"{}", "ValidationException", "3 validation errors"),
        (f"/2015-03-31/functions/{'f' * 300}/invocations", b"", "ValidationException", "less than or"),
        ("/2015-03-31/functions/%00/invocations", b"", "ValidationException", "functionName"),
        ("/2015-03-31/nothing", b"", "UnknownOperationException", "no operation"),
        ("/", b"", "UnknownOperationException", "no operation"),
        ("/2015-03-31/functions?" + "a=1&" * 600, b"{}", "SerializationException", "fields"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said(target: str, body: bytes, code: str, says: str) -> None:
    with pytest.raises(AwsError) as caught:
        ask("POST", target, body)
    assert caught.value.code == code
    assert says in caught.value.message


def test_whole_numbers_may_not_be_endless() -> None:
    with pytest.raises(AwsError, match="SerializationException"):
        ask("GET", "/2015-03-31/functions?MaxItems=" + "9" * 5_000)
