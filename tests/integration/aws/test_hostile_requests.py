"""What the listener of AWS's APIs does with those who wish it ill."""

from __future__ import annotations

import hashlib
import io
import json
import socket
import stat
import urllib.error
import urllib.request
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from aws_server import ROLE, AwsServer, aws_server, zip_of
from botocore.exceptions import ClientError
from patience import PATIENCE_S
from relive_platform.api.aws.credentials import function_key_pair


@pytest.fixture(scope="module")
def aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AwsServer]:
    home = tmp_path_factory.mktemp("aws") / "home"
    with aws_server(home, aws_body_limit_bytes=2 * 1_048_576, package_bytes=1_048_576) as server:
        yield server


def raw(aws: AwsServer, data: bytes) -> bytes:
    host, _, port = aws.url.removeprefix("http://").rpartition(":")
    with socket.create_connection((host, int(port)), PATIENCE_S) as sock:
        try:
            sock.sendall(data)
        except ConnectionError:
            pass
        parts = []
        while part := sock.recv(65_536):
            parts.append(part)
    return b"".join(parts)


HEAD = b"POST /2015-03-31/functions HTTP/1.1\r\nhost: x\r\nconnection: close\r\n"


@pytest.mark.parametrize(
    ("request_bytes", "status"),
    [
        (HEAD + b"\r\n", 403),
        (HEAD + b"authorization: AWS4-HMAC-SHA256 nonsense\r\n\r\n", 403),
        (HEAD + b"authorization: a\r\nauthorization: b\r\n\r\n", 400),
        (HEAD + b"authorization: " + b"x" * 100_000 + b"\r\n\r\n", 431),
        (HEAD + b"".join(b"h%d: 1\r\n" % number for number in range(500)) + b"\r\n", 431),
        (HEAD + b"content-length: 99999999999\r\n\r\n", 413),
        (HEAD + b"transfer-encoding: chunked\r\n\r\n" + b"100000\r\n" + b"x" * 0x100000 + b"\r\n"
         + b"200000\r\n" + b"x" * 0x200000 + b"\r\n0\r\n\r\n", 413),
        (HEAD + b"upgrade: websocket\r\nconnection: upgrade\r\nsec-websocket-key: eA==\r\n\r\n", 403),
        (b"GET /../../etc/passwd HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n", 403),
        (b"GET /" + b"a" * 20_000 + b" HTTP/1.1\r\nhost: x\r\n\r\n", 414),
        (b"GET /_relive/packages/" + b"0" * 64 + b".zip HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n",
         403),
        (b"\x16\x03\x01\x02\x00\x01\x00", 400),
    ],
)  # fmt: skip
def test_bytes_that_nobody_should_send(aws: AwsServer, request_bytes: bytes, status: int) -> None:
    answer = raw(aws, request_bytes)
    assert answer.startswith(b"HTTP/1.1 %d " % status)
    aws.client("lambda").list_functions()  # and it serves on


def create(aws: AwsServer, name: str, data: bytes, **more: Any) -> dict[str, Any]:
    made = aws.client("lambda").create_function(
        FunctionName=name,
        Runtime="python3.11",
        Role=ROLE,
        Handler="app.handler",
        Code={"ZipFile": data},
        **more,
    )
    return dict(made)


def zipped(name: str, content: bytes = b"x", mode: int = 0) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as package:
        info = zipfile.ZipInfo(name)
        info.external_attr = mode << 16
        info.compress_type = zipfile.ZIP_DEFLATED
        package.writestr(info, content)
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (zipped("../escape.py"), "leaves the package"),
        (zipped("/etc/cron.d/x"), "leaves the package"),
        (zipped("a\\..\\b.py"), "leaves the package"),
        (zipped("link", b"/etc/passwd", stat.S_IFLNK | 0o777), "a link or a special file"),
        (zipped("bomb", b"\0" * 1_100_000), "bytes"),
        (b"PK\x05\x06" + b"\0" * 18, "non-empty"),
        (b"PK\x03\x04" + b"\xff" * 200, "unzip"),
        (b"", ""),
    ],
)
def test_zips_that_nobody_should_unpack(aws: AwsServer, data: bytes, says: str, tmp_path: Path) -> None:
    with pytest.raises(ClientError) as caught:
        create(aws, "hostile", data)
    error = caught.value.response["Error"]
    assert error["Code"] in ("InvalidParameterValueException", "RequestTooLargeException")
    assert says in error["Message"]
    assert str(aws.server.home) not in error["Message"]
    # and nothing is left of it
    assert "hostile" not in aws.server.functions.serving
    assert list((aws.server.home / "tmp").iterdir()) == []


def test_a_zip_over_the_limit(aws: AwsServer) -> None:
    large = zipped("data", bytes(range(256)) * 5_000)[:-1] + b"\0" * 1_100_000
    with pytest.raises(ClientError) as caught:
        create(aws, "large", large)
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 413


class TestFunctionKeys:
    """A function has a key pair of its application, which is no owner's."""

    @pytest.fixture(scope="class")
    @staticmethod
    def client(aws: AwsServer) -> Any:
        create(aws, "victim", zip_of(app="def handler(event, context):\n    return 'ran'\n"))
        token = (aws.server.run_dir / "token").read_text().strip()
        return aws.client("lambda", function_key_pair(token, "lambda"))

    def test_it_may_invoke(self, client: Any) -> None:
        assert client.invoke(FunctionName="victim")["Payload"].read() == b'"ran"'

    @pytest.mark.parametrize(
        "work",
        [
            lambda client: client.list_functions(),
            lambda client: client.get_function(FunctionName="victim"),
            lambda client: client.delete_function(FunctionName="victim"),
            lambda client: client.update_function_code(FunctionName="victim", ZipFile=zip_of(app="")),
            lambda client: client.add_permission(
                FunctionName="victim", StatementId="s", Action="lambda:*", Principal="*"
            ),
        ],
    )
    def test_it_may_do_nothing_else(self, client: Any, work: Callable[[Any], object]) -> None:
        with pytest.raises(ClientError) as caught:
            work(client)
        assert caught.value.response["Error"]["Code"] == "AccessDeniedException"

    def test_a_function_calls_another_one_as_its_application(self, aws: AwsServer) -> None:
        # Given a function that uses boto3 as it is there on Lambda
        code = (
            "import boto3, json\n"
            "def handler(event, context):\n"
            "    answer = boto3.client('lambda').invoke(FunctionName='victim')\n"
            "    return json.loads(answer['Payload'].read())\n"
        )
        create(aws, "caller", zip_of(app=code), Timeout=60, MemorySize=512)
        # When it is invoked, I expect what the other one has answered
        answer = aws.client("lambda").invoke(FunctionName="caller")
        assert json.loads(answer["Payload"].read()) == "ran"


def test_a_package_is_given_to_who_has_its_url(aws: AwsServer) -> None:
    data = zip_of(app="def handler(event, context):\n    return 1\n")
    create(aws, "kept", data)
    url = aws.client("lambda").get_function(FunctionName="kept")["Code"]["Location"]
    with urllib.request.urlopen(url) as answer:
        assert answer.read() == data
    for changed in (url.split("?")[0], url.replace("X-Amz-Expires=600", "X-Amz-Expires=6000")):
        with pytest.raises(urllib.error.HTTPError) as caught:
            urllib.request.urlopen(changed)
        assert caught.value.code == 403


def test_a_package_goes_with_the_last_version_that_has_it(aws: AwsServer) -> None:
    client = aws.client("lambda")
    folder = aws.server.home / "packages"
    zips = [
        zip_of(app=f"def handler(event, context):\n    return {number}  # versions\n") for number in range(4)
    ]
    names = {hashlib.sha256(data).hexdigest(): number for number, data in enumerate(zips)}
    seen: list[list[int]] = []

    def look() -> None:
        seen.append(sorted(names[path.stem] for path in folder.glob("*.zip") if path.stem in names))

    # Given a version that is published, and zips that a function and a layer have, too
    for name, number in (("first", 0), ("same", 0), ("other", 3)):
        create(aws, name, zips[number])
    published = client.publish_version(FunctionName="first")["Version"]
    layer = client.publish_layer_version(LayerName="also", Content={"ZipFile": zips[3]})["Version"]
    look()
    # When code is changed twice, and functions, a layer and a version are deleted
    for number in (1, 2):
        client.update_function_code(FunctionName="first", ZipFile=zips[number])
    look()
    client.delete_function(FunctionName="other")
    look()
    client.delete_layer_version(LayerName="also", VersionNumber=layer)
    look()
    client.delete_function(FunctionName="same")
    look()
    client.delete_function(FunctionName="first", Qualifier=published)
    look()
    client.delete_function(FunctionName="first")
    look()
    # I expect each zip as long as somebody may ask for it, and no longer
    assert seen == [[0, 3], [0, 2, 3], [0, 2, 3], [0, 2], [0, 2], [2], []]
