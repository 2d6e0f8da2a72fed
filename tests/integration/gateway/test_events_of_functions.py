"""What event functions see of a request, and what becomes of what they answer."""

from __future__ import annotations

import json
from pathlib import Path

from server_harness import served, write_app

SOURCE = """
def old(event, context):
    return {"statusCode": 200, "multiValueHeaders": {"x-two": ["1", "2"]},
            "body": event["httpMethod"] + event["path"] + event["multiValueHeaders"]["X-Tag"][1]}

def shows(event, context):
    return event

def moves(event, context):
    return {"statusCode": 307, "headers": {"Location": event["queryStringParameters"]["to"]}}
"""
FUNCTIONS = "".join(
    f'[functions.{name}]\nsource = "."\nhandler = "app:{name}"\n[[functions.{name}.triggers]]\n'
    f'type = "http"\npath = "/{name}"\n{more}'
    for name, more in (("old", 'payload = "1.0"\n'), ("shows", ""), ("moves", ""))
)
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


async def test_a_trigger_says_which_payload_its_function_gets(tmp_path: Path) -> None:
    app = write_app(tmp_path / "app", SOURCE, FUNCTIONS)
    async with served(tmp_path / "home") as server:
        await server.deploy(app)

        # A handler of a REST API, with names of headers as the client wrote them
        raw = (
            b"PUT /old HTTP/1.1\r\nhost: localhost\r\nX-Tag: a\r\nx-tag: b\r\n"
            b"connection: close\r\ncontent-length: 0\r\n\r\n"
        )
        data = await server.raw(raw)
        assert data.endswith(b"PUT/oldb")
        assert data.count(b"x-two: ") == 2

        # The request carries the invocation's own trace and says how its client came
        sent = {"traceparent": f"00-{TRACE}-00f067aa0ba902b7-01", "x-forwarded-proto": "https"}
        answer = await server.http("GET", "/fn/shows/a", headers=sent)
        event = json.loads(answer.body)
        assert event["headers"]["traceparent"] == answer.headers["traceparent"]
        assert event["headers"]["traceparent"].split("-")[1] == TRACE
        assert event["headers"]["x-forwarded-proto"] == "https"
        assert event["rawPath"] == "/a"

        # A redirect stays within the function, but for paths of triggers
        for to, location in (
            ("/slash/", "/fn/moves/slash/"),
            ("/shows", "/shows"),
            ("https://a/", "https://a/"),
        ):
            answer = await server.http("GET", f"/fn/moves/x?to={to}")
            assert (answer.status, answer.headers["location"]) == (307, location)
        assert (await server.http("GET", "/moves?to=/slash/")).headers["location"] == "/slash/"
