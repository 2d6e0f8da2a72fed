"""Webhooks and CloudEvents reach their functions through the durable queue, once, with the trace of their
sender."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from tests.support.server_harness import Answer, Served, parse, served, write_app

SOURCE = """
import json

def handler(event, context):
    print("got", json.dumps(event, sort_keys=True))
    return {"n": len(event)}

def answering(event, context):
    body = json.loads(event["body"])
    if body.get("fail"):
        raise ValueError("not now")
    return {"statusCode": 200, "body": "hello " + body["who"]}

def says(event, context):
    import relive
    return [relive.emit("order placed", event, source="shop", event_id=event.get("id", "")) for _ in range(2)]

def stores(event, context):
    import os
    folder = os.environ["UPLOADS_BUCKET_PATH"]
    path = os.path.join(folder, "out", event["name"])
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path + ".part", "w") as file:
        file.write("hello")
    os.setxattr(path + ".part", "user.traceparent", event["traceparent"].encode())
    os.rename(path + ".part", path)
    return sorted(os.listdir(os.path.dirname(path)))

def talks(event, context):
    import logging
    logging.getLogger("talks").error("disk full %s", event["n"])
    print("nothing special", event["n"])
    if event.get("fail"):
        raise KeyError("missing")

def listens(event, context):
    import base64, gzip
    if "awslogs" in event:
        event = json.loads(gzip.decompress(base64.b64decode(event["awslogs"]["data"])))
    print("got", json.dumps(event, sort_keys=True))

def echoes(event, context):
    print("echo")

def shouts(event, context):
    import relive
    relive.invoke("echoes")

def web(request):
    print("web", request.headers["content-type"], request.get_json()["id"])
    return "ok"
"""
TABLES = """
[resources.uploads]
type = "bucket"
settle_s = 0.05
ignore = ["*.part"]
[resources.news]
type = "bus"

[functions.talks]
source = "."
handler = "app:talks"
retries = 0
[functions.listens]
source = "."
handler = "app:listens"
[[functions.listens.triggers]]
type = "logs"
functions = ["talks"]
filter = "disk"
severity = "ERROR"
[functions.watches]
source = "."
handler = "app:handler"
[[functions.watches.triggers]]
type = "failure"
functions = ["talks"]
[[functions.watches.triggers]]
type = "alarm"
alarm = "disk"
states = ["ALARM", "OK"]
[[functions.watches.triggers]]
type = "alarm"
alarm = "too-many"

[functions.echoes]
source = "."
handler = "app:echoes"
[functions.shouts]
source = "."
handler = "app:shouts"
[[functions.shouts.triggers]]
type = "logs"
functions = ["echoes"]
filter = "echo"

[functions.stores]
source = "."
handler = "app:stores"
[functions.thumb]
source = "."
handler = "app:handler"
[[functions.thumb.triggers]]
type = "bucket"
bucket = "uploads"
events = ["s3:ObjectCreated:*", "s3:ObjectRemoved:*"]
prefix = "out/"
suffix = ".png"

[functions.hook]
source = "."
handler = "app:handler"
[[functions.hook.triggers]]
type = "webhook"
path = "/hooks/github"
scheme = "github"
secret_env = "GITHUB_SECRET"
pattern = { headers = { x-github-event = ["push"] } }
[[functions.hook.triggers]]
type = "webhook"
path = "/hooks/gitlab"
scheme = "token"
header = "X-Gitlab-Token"
secret_env = "GITLAB_TOKEN"
[[functions.hook.triggers]]
type = "webhook"
path = "/hooks/s3"
scheme = "token"
header = "Authorization"
prefix = "Basic "
secret_env = "S3_SECRET"
shape = "body"
pattern = { body = { Records = { eventSource = ["aws:s3"] } } }
[[functions.hook.triggers]]
type = "webhook"
path = "/hooks/unset"
scheme = "github"
secret_env = "NOT_SET"

[functions.slash]
source = "."
handler = "app:answering"
[[functions.slash.triggers]]
type = "webhook"
path = "/hooks/slack"
scheme = "slack"
secret_env = "SLACK_SECRET"
answer = "function"

[functions.events]
source = "."
handler = "app:handler"
[[functions.events.triggers]]
type = "cloudevents"
path = "/events"
pattern = { type = [{ prefix = "com.example." }] }

[functions.bridge]
source = "."
handler = "app:handler"
[[functions.bridge.triggers]]
type = "cloudevents"
path = "/bridge"
shape = "eventbridge"

[functions.says]
source = "."
handler = "app:says"
[functions.invoice]
source = "."
handler = "app:handler"
[[functions.invoice.triggers]]
type = "bus"
pattern = { source = ["shop"], detail = { total = [{ numeric = [">", 10] }] } }
[[functions.invoice.triggers]]
type = "bus"
pattern_json = '{"source": ["shop"], "detail": {"total": [{"numeric": [">", 50]}]}}'
[functions.audit]
source = "."
handler = "app:handler"
[[functions.audit.triggers]]
type = "bus"
shape = "cloudevents"

[alerts.too-many]
sql = "SELECT 7"
above = 5
webhook_env = "ALERT_HOOK"

[functions.web]
source = "."
handler = "app:web"
kind = "http"
[[functions.web.triggers]]
type = "cloudevents"
path = "/web"
"""
SECRET = "s3cret-of-the-test"
TRACE = "0af7651916cd43dd8448eb211c80319c"
PARENT = f"00-{TRACE}-b7ad6b7169203331-01"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def running(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Served]:
    folder = tmp_path_factory.mktemp("doors")
    names = ("GITHUB_SECRET", "GITLAB_TOKEN", "SLACK_SECRET", "S3_SECRET")
    os.environ.update(dict.fromkeys(names, SECRET))
    try:
        async with served(folder / "home", metrics="127.0.0.1:0", call_depth=4) as server:
            await server.deploy(write_app(folder / "app", SOURCE, TABLES))
            following = asyncio.create_task(LINES.follow(server))
            yield server
            following.cancel()
    finally:
        for name in names:
            os.environ.pop(name)


def signed(body: bytes, delivery: str, **more: str) -> dict[str, str]:
    digest = hmac.new(SECRET.encode(), body, "sha256").hexdigest()
    return {
        "x-hub-signature-256": f"sha256={digest}",
        "x-github-delivery": delivery,
        "x-github-event": "push",
        "content-type": "application/json",
        **more,
    }


class Lines:
    """What functions have printed, as it happens."""

    def __init__(self) -> None:
        self.all: list[tuple[str, str, str]] = []  # function, text, trace

    async def follow(self, running: Served) -> None:
        self.follower = await running.server.follow()
        while True:
            for one in await self.follower.take(100):
                self.all.append((one.function, one.line.body, one.line.trace_id))


async def settled(running: Served) -> None:
    """Nothing waits or runs any more, and all that was printed is taken."""
    counts = running.server.queue.counts
    await running.until(lambda: not ((found := counts().result(60)).ready or found.leased))
    await running.until(lambda: not LINES.follower._lines)


async def printed(running: Served, function: str, part: str) -> list[dict[str, Any]]:
    """The events with `part` that a function has printed, once nothing waits any more."""
    await settled(running)
    lines = [(text, trace) for name, text, trace in LINES.all if name == function and part in text]
    return [{**json.loads(text[4:]), "trace": trace} for text, trace in lines if text.startswith("got ")]


LINES = Lines()
pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_a_signed_request_is_an_event_once(running: Served) -> None:
    # Given a webhook that is sent three times, as senders do that have not heard the answer
    body = b'{"ref": "refs/heads/main", "n": 1}'
    answers = [
        await running.http("POST", "/hooks/github", body, signed(body, "d-1", traceparent=PARENT))
        for _ in range(3)
    ]

    # I expect one event, with the sender's trace
    assert [answer.status for answer in answers] == [202] * 3
    told = [json.loads(answer.body) for answer in answers]
    assert [one["duplicate"] for one in told] == [False, True, True]
    assert len({one["event_id"] for one in told}) == 1
    [event] = await printed(running, "hook", '"d-1"')
    assert event["trace"] == TRACE
    assert event["body"] == body.decode()
    assert event["requestContext"]["http"]["method"] == "POST"

    # ... and another body under the same id to be refused
    other = await running.http("POST", "/hooks/github", b"{}", signed(b"{}", "d-1"))
    assert (other.status, other.error["type"]) == (409, "Conflict")


async def test_nobody_else_gets_in(running: Served) -> None:
    # Given requests without a signature, with another one, and with an old one for another body
    body = b'{"n": 2}'
    wrong = (
        {},
        {"x-hub-signature-256": "sha256=" + "0" * 64},
        {"x-hub-signature-256": signed(b"{}", "")["x-hub-signature-256"]},
    )
    for headers in wrong:
        answer = await running.http("POST", "/hooks/github", body, {**headers, "x-github-delivery": "d-2"})
        assert (answer.status, answer.error["type"]) == (401, "BadSignature")

    # ... another method, one that is too large, and one whose secret is not set
    assert (await running.http("GET", "/hooks/github")).status == 405
    large = b"x" * (1_048_576 + 1)
    assert (await running.http("POST", "/hooks/github", large, signed(large, "d-3"))).status == 413
    unset = await running.http("POST", "/hooks/unset", body, signed(body, "d-4"))
    assert (unset.status, unset.error["type"]) == (503, "NoSecret")

    # I expect no event of any
    assert not await printed(running, "hook", '"d-2"')
    assert SECRET not in json.dumps([answer.body.decode() for answer in (unset,)])


async def test_what_the_pattern_leaves_out_is_answered(running: Served) -> None:
    answer = await running.http(
        "POST", "/hooks/github", b"{}", signed(b"{}", "d-5", **{"x-github-event": "ping"})
    )
    assert (answer.status, json.loads(answer.body)["ignored"]) == (200, True)


async def test_a_token_is_not_recorded(running: Served) -> None:
    # Given a sender whose signature is the secret itself
    headers = {"x-gitlab-token": SECRET, "x-gitlab-event": "Push Hook"}
    assert (await running.http("POST", "/hooks/gitlab", b'{"from": "gitlab"}', headers)).status == 202

    # I expect the function not to see it
    [event] = await printed(running, "hook", "gitlab")
    assert SECRET not in json.dumps(event)
    assert (await running.http("POST", "/hooks/gitlab", b"{}", {"x-gitlab-token": "x"})).status == 401


async def test_an_s3_servers_notification_is_the_event_that_handlers_for_s3_know(running: Served) -> None:
    # Given what an S3 server posts: whether its address works, a notification, and something else
    record = {"eventSource": "aws:s3", "eventName": "s3:ObjectCreated:Put", "s3": {"object": {"key": "a+b"}}}
    headers = {"authorization": f"Basic {SECRET}", "content-type": "application/json"}
    answers = [
        await running.http("POST", "/hooks/s3", body, headers)
        for body in (b'{"Event": "s3:TestEvent"}', json.dumps({"Records": [record]}).encode(), b"Records")
    ]

    # I expect the notification to be the event as it is, and nothing else to be one
    assert [(answer.status, b"ignored" in answer.body) for answer in answers] == [
        (200, True), (202, False), (400, False),
    ]  # fmt: skip
    [event] = await printed(running, "hook", "aws:s3")
    assert event["Records"] == [record]
    assert (await running.http("POST", "/hooks/s3", b"{}", {"authorization": "Basic x"})).status == 401


async def test_a_function_may_answer_itself(running: Served) -> None:
    # Given Slack, which wants the answer at once
    import time

    def slack(document: dict[str, Any]) -> tuple[bytes, dict[str, str]]:
        body = json.dumps(document).encode()
        text = str(int(time.time()))
        digest = hmac.new(SECRET.encode(), f"v0:{text}:".encode() + body, hashlib.sha256).hexdigest()
        return body, {"x-slack-request-timestamp": text, "x-slack-signature": f"v0={digest}"}

    async def send(body: bytes, headers: dict[str, str]) -> Answer:
        return await running.http("POST", "/hooks/slack", body, headers)

    # I expect the function's answer, once for each delivery that succeeded
    request = slack({"who": "Zoe", "event_id": "Ev1"})
    first = await send(*request)
    assert (first.status, first.body) == (200, b"hello Zoe")
    assert (await send(*request)).status == 409
    failing = slack({"who": "x", "event_id": "Ev2", "fail": True})
    assert (await send(*failing)).status == 500
    assert (await send(*failing)).status == 500

    # ... and Slack's question for a new address to be answered
    challenge = await send(*slack({"type": "url_verification", "challenge": "c-1"}))
    assert json.loads(challenge.body) == {"challenge": "c-1"}


EVENT: dict[str, Any] = {
    "specversion": "1.0", "id": "e-1", "source": "/shop", "type": "com.example.placed", "subject": "order/1",
    "traceparent": PARENT, "data": {"n": 1},
}  # fmt: skip


async def test_cloudevents_come_in_all_three_modes(running: Served) -> None:
    # Given an event structured, the same binary, a batch with it, one more and one that does not fit
    structured = {"content-type": "application/cloudevents+json"}
    binary = {f"ce-{name}": value for name, value in EVENT.items() if isinstance(value, str)}
    batch = [
        EVENT,
        {**EVENT, "id": "e-2", "traceparent": None},
        {**EVENT, "id": "e-3", "type": "org.example"},
    ]
    first = await running.http("POST", "/events", json.dumps(EVENT).encode(), structured)
    same = await running.http(
        "POST", "/events", json.dumps(EVENT).encode(), {"content-type": "application/cloudevents+json"}
    )
    other = await running.http(
        "POST", "/events", b'{"n": 1}', {**binary, "ce-id": "e-4", "content-type": "application/json"}
    )
    many = await running.http(
        "POST", "/events", json.dumps(batch).encode(), {"content-type": "application/cloudevents-batch+json"}
    )

    # I expect each once, with its own trace
    assert [answer.status for answer in (first, same, other, many)] == [202] * 4
    assert json.loads(same.body)["duplicate"]
    assert json.loads(many.body)["accepted"] == 2
    events = {event["id"]: event for event in await printed(running, "events", '"order/1"')}
    assert sorted(events) == ["e-1", "e-2", "e-4"]
    assert events["e-1"]["trace"] == events["e-4"]["trace"] == TRACE != events["e-2"]["trace"]
    assert events["e-1"]["data"] == events["e-4"]["data"] == {"n": 1}


async def test_what_is_no_cloudevent_is_refused(running: Served) -> None:
    for body, content_type, status in (
        (b"{}", "application/cloudevents+json", 400),
        (b"[{}]", "application/cloudevents-batch+json", 400),
        (b"{}", "application/json", 415),
        (b"{}", "application/cloudevents+xml", 415),
    ):
        answer = await running.http("POST", "/events", body, {"content-type": content_type})
        assert answer.status == status, answer.body


async def test_a_sender_may_ask_first(running: Served) -> None:
    answer = await running.http(
        "OPTIONS", "/events", headers={"webhook-request-origin": "eventgrid.example.com"}
    )
    assert answer.status == 200
    assert answer.headers["webhook-allowed-origin"] == "eventgrid.example.com"


async def test_an_event_may_be_wanted_in_another_shape_or_as_a_request(running: Served) -> None:
    body = json.dumps({**EVENT, "id": "e-9"}).encode()
    for path in ("/bridge", "/web"):
        answer = await running.http("POST", path, body, {"content-type": "application/cloudevents+json"})
        assert answer.status == 202
    [event] = await printed(running, "bridge", '"e-9"')
    assert (event["detail-type"], event["source"], event["detail"]) == (
        "com.example.placed",
        "/shop",
        {"n": 1},
    )
    assert ("web", "web application/json e-9") in {line[:2] for line in LINES.all}


async def test_a_flood_of_forgeries_costs_no_event(running: Served) -> None:
    # Given many requests with wrong signatures beside each other
    async def forge(number: int) -> int:
        headers = {"x-hub-signature-256": f"sha256={number:064x}", "x-github-delivery": f"f-{number}"}
        return (await running.http("POST", "/hooks/github", b"{}", headers)).status

    # I expect each to be refused, and none to be an event
    invoked = "SELECT count() FROM invocations WHERE Function = 'hook'"
    before = await running.rows(invoked)
    assert set(await asyncio.gather(*(forge(number) for number in range(200)))) == {401}
    await settled(running)
    assert await running.rows(invoked) == before


async def test_what_is_put_on_a_bus_reaches_each_function_that_it_fits_once(running: Served) -> None:
    # Given a function that says twice under one id what has happened
    outcome = await running.invoke("says", b'{"id": "o-1", "total": 99}')
    assert outcome.ok, outcome.error
    assert json.loads(outcome.body) == ["o-1", "o-1"]

    # I expect each function whose pattern fits to get it once, in its shape, in the same trace
    [invoice] = await printed(running, "invoice", '"o-1"')
    [audit] = await printed(running, "audit", '"o-1"')
    assert (invoice["detail-type"], invoice["source"], invoice["detail"]["total"]) == (
        "order placed",
        "shop",
        99,
    )
    assert (audit["type"], audit["source"], audit["data"]["total"]) == ("order placed", "shop", 99)
    assert invoice["trace"] == audit["trace"] == outcome.record.trace_id

    # ... those that it does not fit not to get it
    small = await running.invoke("says", b'{"id": "o-2", "total": 5}')
    assert small.ok
    assert len(await printed(running, "audit", '"o-2"')) == 1
    assert not await printed(running, "invoice", '"o-2"')


async def test_what_is_no_event_or_no_bus_is_refused(running: Served) -> None:
    from relive_platform.engine.invocation import InvokeRequest
    from relive_platform.triggers.bus.buses import UnknownBus
    from relive_platform.triggers.bus.entry import BadEntry

    async def put(bus: str, body: bytes) -> None:
        await running.server.publish(InvokeRequest(function=f"bus:{bus}", event=body))

    entry = {"source": "shop", "detail-type": "x", "detail": {}}
    for changed in (
        {"source": ""},
        {"detail": 7},
        {"detail-type": None},
        {"other": 1},
        {"resources": [1]},
        {"id": 7},
    ):
        with pytest.raises(BadEntry):
            await put("default", json.dumps({**entry, **changed}).encode())
    for body in (b"", b"[]", b"{", b'{"source": "s", "detail-type": "t", "detail": {"n": 1e400}}'):
        with pytest.raises(BadEntry):
            await put("default", body)
    with pytest.raises(UnknownBus, match="no bus 'defautl'"):
        await put("defautl", json.dumps(entry).encode())
    # as PutEvents of Amazon EventBridge spells it
    await put("default", b'{"Source": "s", "DetailType": "t", "Detail": "{\\"n\\": 1}"}')


async def test_a_full_queue_of_one_function_keeps_no_event_from_the_others(
    running: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    from relive_platform.engine.invocation import InvokeRequest
    from relive_platform.triggers.bus.buses import PartlyRefused
    from relive_platform.triggers.queue.holdings import Holdings
    from relive_platform.triggers.queue.model import QueueFull

    # Given a function whose queue has no room
    admit = Holdings.admit

    def full(self: Holdings, function: str, size: int) -> None:
        if function == "invoice":
            raise QueueFull("as many as it may hold")
        admit(self, function, size)

    entry = json.dumps({"id": "o-3", "source": "shop", "detail-type": "x", "detail": {"total": 60}}).encode()
    with monkeypatch.context() as patched:
        patched.setattr(Holdings, "admit", full)
        with pytest.raises(PartlyRefused, match="invoice: as many as it may hold"):
            await running.server.publish(InvokeRequest(function="bus:default", event=entry))

    # When the event is put again under its id, I expect both to have it once
    await running.server.publish(InvokeRequest(function="bus:default", event=entry))
    assert (
        len(await printed(running, "audit", '"o-3"')) == len(await printed(running, "invoice", '"o-3"')) == 1
    )


async def test_an_object_that_a_function_stores_is_an_event_of_another(running: Served) -> None:
    # Given a function that stores an object, with the trace that it belongs to
    name = "red flower@1.png"
    event = {"name": name, "traceparent": PARENT}
    outcome = await running.invoke("stores", json.dumps(event).encode())
    assert outcome.ok, outcome.error

    # I expect the function that wants such objects to get S3's event, in that trace
    async def records(count: int) -> list[dict[str, Any]]:
        provider = running.server.resources._providers["bucket"]
        await running.until(lambda: provider._watches["uploads"].counts.told >= count)  # type: ignore[attr-defined]
        return [
            {**one["Records"][0], "trace": one["trace"]} for one in await printed(running, "thumb", "red")
        ]

    [created] = await records(1)
    assert created["eventName"] == "ObjectCreated:Put"
    assert created["s3"]["object"]["key"] == "out/red+flower%401.png"
    assert created["s3"]["object"]["eTag"] == "5d41402abc4b2a76b9719d911017c592"
    assert created["trace"] == TRACE

    # ... and to hear of its end
    [state] = [one for one in await running.server.resources.listing() if one.name == "uploads"]
    assert (state.state, state.figures["objects"], state.figures["told"]) == ("ok", 1, 1)
    folder = Path(state.attributes["path"])
    (folder / "out" / name).unlink()
    assert sorted(one["eventName"] for one in await records(2)) == [
        "ObjectCreated:Put",
        "ObjectRemoved:Delete",
    ]


async def test_a_bus_is_a_resource(running: Served) -> None:
    states = {one.name: one for one in await running.server.resources.listing() if one.type == "bus"}
    assert set(states) == {"default", "news"}
    assert states["default"].figures["functions"] == "audit, invoice"


async def test_a_function_hears_of_anothers_log_lines_and_of_its_new_failures(running: Served) -> None:
    # Given a function that logs, and fails twice in the same way
    outcomes = [
        await running.invoke("talks", json.dumps({"n": number, "fail": number > 0}).encode())
        for number in range(3)
    ]
    assert [outcome.ok for outcome in outcomes] == [True, False, False]

    # I expect the one that listens to get the lines that it wants, as CloudWatch Logs sends them
    def heard() -> str:
        return "".join(text for name, text, _ in LINES.all if name in ("listens", "watches"))

    await running.until(
        lambda: all(part in heard() for part in ("full 0", "full 1", "full 2", "New failure"))
    )
    batches = await printed(running, "listens", "disk full")
    messages = [line["message"] for batch in batches for line in batch["logEvents"]]
    assert sorted(messages) == ["disk full 0", "disk full 1", "disk full 2"]
    assert {batch["logGroup"] for batch in batches} == {"/relive/talks"}
    assert len({line["id"] for batch in batches for line in batch["logEvents"]}) == 3

    # ... and the one that watches to hear of the new failure once, in its trace
    [failure] = await printed(running, "watches", "New failure group")
    assert failure["detail"]["type"] == "KeyError"
    assert failure["detail"]["invocation_id"] == outcomes[1].record.invocation_id
    assert failure["trace"] == outcomes[1].record.trace_id


async def test_functions_that_hear_of_each_other_are_refused(running: Served, tmp_path: Path) -> None:
    from relive_platform.registry.model import DeployError

    table = """
[functions.talks-back]
source = "."
handler = "app:handler"
[[functions.talks-back.triggers]]
type = "logs"
functions = ["NAME"]
"""
    for name, why in (("talks-back", "its own records"), ("listens", "")):
        folder = write_app(tmp_path / name, SOURCE, table.replace("NAME", name))
        (folder / "relive.toml").write_text((folder / "relive.toml").read_text().replace('"test"', '"other"'))
        if why:
            with pytest.raises(DeployError, match=why):
                await running.deploy(folder)
        else:
            await running.deploy(folder)
            await asyncio.to_thread(running.server.registry.undeploy, "other")


async def test_a_function_that_calls_one_whose_lines_it_hears_is_a_loop_that_ends(running: Served) -> None:
    # Given a function that hears of each line of another one, and calls it then, when that one is called
    await running.invoke("echoes")

    # I expect them to end where functions may lie no deeper, and the event that was too many to say why
    queue = running.server.queue
    await running.until(lambda: queue.list("dead", "shouts").result(60))
    [dead] = queue.list("dead", "shouts").result(60)
    assert dead.last_error.startswith(
        "RecursiveLoop: shouts lies 5 calls and events below what began this, over RELIVE_CALL_DEPTH (4)"
    )
    assert [text for name, text, _ in LINES.all if name == "echoes"] == ["echo"] * 3
    rows = await running.rows("SELECT Status, ErrorType FROM invocations WHERE Function = 'shouts'")
    assert sorted(rows) == [("ok", ""), ("ok", ""), ("rejected", "RecursiveLoop")]


async def test_a_change_of_an_alarm_is_an_event_and_the_same_state_none(running: Served) -> None:
    from relive_platform.engine.invocation import InvokeRequest
    from relive_platform.triggers.alarm.states import BadAlarm

    async def say(name: str, body: dict[str, Any]) -> dict[str, Any]:
        request = InvokeRequest(function=f"alarm:{name}", event=json.dumps(body).encode())
        accepted = await running.server.publish(request)
        found: dict[str, Any] = json.loads(accepted.result or b"")
        return found

    # Given an alarm that is raised twice and goes
    assert (await say("disk", {}))["disk"]["state"] == "INSUFFICIENT_DATA"
    told = [await say("disk", {"state": state, "reason": "97 %"}) for state in ("ALARM", "ALARM", "OK")]
    assert [one["changed"] for one in told] == [True, False, True]

    # I expect an event of each change, as CloudWatch calls functions
    events = await printed(running, "watches", '"alarmName": "disk"')
    changes = [(e["alarmData"]["previousState"]["value"], e["alarmData"]["state"]["value"]) for e in events]
    assert sorted(changes) == [("ALARM", "OK"), ("INSUFFICIENT_DATA", "ALARM")]
    assert (await say("*", {}))["disk"] == {**told[-1]["disk"]}
    for body in ({"state": "BROKEN"}, {"other": 1}):
        with pytest.raises(BadAlarm):
            await say("disk", body)
    with pytest.raises(BadAlarm):
        await say("a/b", {"state": "OK"})


async def test_an_alert_raises_its_alarm_and_calls_its_webhook(running: Served) -> None:
    # Given an alert whose webhook is a function, when it is looked at
    os.environ["ALERT_HOOK"] = f"{running.server.http_address}/fn/audit/"
    await running.server.alerts.look()
    os.environ.pop("ALERT_HOOK")

    # I expect the function that hears of its alarm to be invoked, and the webhook called
    [event] = await printed(running, "watches", "too-many")
    assert event["alarmData"]["state"]["value"] == "ALARM"
    assert event["alarmData"]["state"]["reason"] == "the query is 7, above 5"
    [call] = await printed(running, "audit", "too-many")
    told = json.loads(call["body"])
    assert (told["state"], told["value"], told["limit"]) == ("firing", 7.0, 5.0)
    assert call["headers"]["idempotency-key"].startswith("alert-too-many-1-")

    # ... and its change in the store
    assert await running.rows("SELECT Alert, Before, State, Value FROM alert_history") == [
        ("too-many", "no data", "firing", 7.0)
    ]


async def test_metrics_are_served_and_no_web_page_reads_them(running: Served) -> None:
    from prometheus_client.parser import text_string_to_metric_families

    async def get(path: str, *headers: str) -> Answer:
        host, _, port = (
            running.server.metrics.address.removeprefix("http://").partition("/")[0].rpartition(":")
        )
        reader, writer = await asyncio.open_connection(host, int(port))
        lines = (f"GET {path} HTTP/1.1", f"host: {host}:{port}", "connection: close", *headers, "", "")
        writer.write("\r\n".join(lines).encode())
        answer = parse(await reader.read())
        writer.close()
        return answer

    # Given a function that was invoked, when Prometheus asks
    await running.invoke("talks", b'{"n": 1}')
    await running.server.flush()
    answer = await get("/metrics")
    families = {one.name: one for one in text_string_to_metric_families(answer.body.decode())}
    # I expect counters of functions, and what the platform says of itself
    invoked = {s.labels["faas_name"]: s.value for s in families["faas_invocations"].samples}
    assert invoked["talks"] >= 1
    assert [s.value for s in families["relive_store_up"].samples] == [1]
    assert {s.labels["process"] for s in families["process_memory_usage_bytes"].samples} == {
        "server", "collector", "store",
    }  # fmt: skip
    assert [s.value for s in families["relive_alert_firing"].samples] == [1]
    # ... and neither another path nor a page of somebody else
    assert (await get("/")).status == 404
    assert (await get("/metrics", "origin: https://evil.example", "sec-fetch-site: cross-site")).status == 403
    assert b"# EOF" in (await get("/metrics", "accept: application/openmetrics-text")).body


async def test_how_sources_stand_is_shown(running: Served) -> None:
    from relive_platform.server.status import status_of

    status = await status_of(running.server)
    found = {(one["function"], one["kind"], one["name"]): one for one in status["sources"]}
    unset = found["hook", "webhook", "webhook github /hooks/unset"]
    assert unset["state"] == "failed"
    assert "NOT_SET is not set" in unset["error"]
    assert found["hook", "webhook", "webhook github /hooks/github"]["state"] == "running"
    assert found["thumb", "bucket", "bucket uploads ObjectCreated:*,ObjectRemoved:* out/*.png"]["behind"] == 0
    assert found["listens", "logs", "logs talks ERROR disk"]["unit"] == "bytes"
    assert status["signals"]["subscriptions"]["dropped"] == 0


async def test_what_started_an_invocation_is_recorded(running: Served) -> None:
    rows = await running.rows("SELECT DISTINCT Function, Trigger FROM invocations")
    found = set(rows)
    assert {
        ("hook", "webhook"), ("events", "cloudevents"), ("invoice", "bus"), ("thumb", "bucket"),
        ("listens", "logs"), ("watches", "failure"), ("watches", "alarm"), ("slash", "http"),
    } <= found  # fmt: skip
