"""Who may invoke over HTTP, with real servers."""

from __future__ import annotations

import asyncio
import json
import stat
from pathlib import Path

import pytest
from relive_platform.triggers.http.connections.listener import AddressTaken
from server_harness import Served, parse, served, write_app

pytestmark = pytest.mark.asyncio(loop_scope="module")

TOKEN = "a-long-and-random-token"
SOURCE = """
def shows(request):
    return {"headers": sorted(name.lower() for name in request.headers.keys()), "url": request.url}

def fails(request):
    raise ValueError("the password of the database is sesame")
"""
FUNCTIONS = "".join(
    f'[functions.{name}]\nsource = "."\nhandler = "app:{handler}"\nkind = "http"\n{more}'
    for name, handler, more in (
        ("private", "shows", '[[functions.private.triggers]]\ntype = "http"\npath = "/private"\n'),
        ("open", "shows", 'public = true\n[[functions.open.triggers]]\ntype = "http"\npath = "/open"\n'),
        ("bare", "shows", ""),
        (
            "broken",
            "fails",
            'public = true\n[[functions.broken.triggers]]\ntype = "http"\npath = "/broken"\n',
        ),
        (
            "frank",
            "fails",
            "public = true\nerror_details = true\n"
            '[[functions.frank.triggers]]\ntype = "http"\npath = "/frank"\n',
        ),
        (
            "shared",
            "shows",
            '[functions.shared.cors]\norigins = ["https://shop.example"]\n'
            '[[functions.shared.triggers]]\ntype = "http"\npath = "/shared"\nmethods = ["POST"]\n',
        ),
    )
)


async def test_off_loopback_a_request_has_the_token_or_a_public_route(tmp_path: Path) -> None:
    # Given a server that other machines can reach
    app = write_app(tmp_path / "app", SOURCE, FUNCTIONS)
    async with served(tmp_path / "home", http="0.0.0.0:0", token=TOKEN) as server:
        await server.deploy(app)
        right = {"authorization": f"Bearer {TOKEN}"}
        wrong = {"authorization": f"Bearer {TOKEN}x"}

        # I expect nothing to run without the token but routes that say so
        for path in ("/private", "/fn/private/", "/fn/bare/", "/fn/open/", "/fn/nothing/", "/nowhere", "/"):
            for headers in ({}, wrong, {"x-relive-token": "x"}):
                answer = await server.http("GET", path, headers=headers)
                assert answer.status == 401, (path, headers)
                assert answer.headers["www-authenticate"].startswith("Bearer ")
        assert (await server.http("DELETE", "/shared")).status == 401
        assert server.server.engine.dispatcher.running == 0
        assert not await server.rows("SELECT 1 FROM invocations")
        assert (await server.http("GET", "/open", headers={"host": "evil.example"})).status == 400  # two

        # ... and with it everything, which does not show it to the function
        for path in ("/private", "/fn/private/", "/fn/bare/", "/open", "/fn/open/"):
            answer = await server.http("GET", path, headers=right)
            assert answer.status == 200, path
            assert "authorization" not in json.loads(answer.body)["headers"]
        assert (await server.http("GET", "/nowhere", headers=right)).status == 404
        assert (await server.http("GET", "/open")).status == 200

        # ... and strangers not to be told why a function failed, unless it wants that
        hidden = await server.http("GET", "/broken")
        assert hidden.status == 500
        assert b"sesame" not in hidden.body
        assert b"ValueError" not in hidden.body
        assert hidden.error["invocation_id"] == hidden.headers["x-relive-invocation-id"]
        for path, headers in (("/fn/broken/", right), ("/frank", {})):
            told = await server.http("GET", path, headers=headers)
            assert told.error["message"].endswith("sesame"), path


async def test_on_loopback_no_web_page_of_others_invokes(tmp_path: Path) -> None:
    # Given a server on loopback, which programs call without a token
    app = write_app(tmp_path / "app", SOURCE, FUNCTIONS)
    async with served(tmp_path / "home", token=TOKEN) as server:
        await server.deploy(app)
        assert (await server.http("GET", "/fn/bare/")).status == 200

        # When pages try: by a name that was made to point here, a form, an image, a script
        raw = b"GET /fn/bare/ HTTP/1.1\r\nhost: evil.example\r\nconnection: close\r\n\r\n"
        rebound = parse(await server.raw(raw))
        pages = [
            await server.http("POST", "/fn/bare/", b"x", {"origin": "https://evil.example"}),
            await server.http("GET", "/fn/bare/", headers={"sec-fetch-site": "cross-site"}),
            await server.http("GET", "/open", headers={"sec-fetch-site": "same-site"}),
            await server.http(
                "OPTIONS",
                "/fn/bare/",
                headers={"origin": "null", "access-control-request-method": "PUT"},
            ),
            await server.http(
                "POST", "/fn/bare/", b"x", {"origin": "https://evil.example", "prefer": "respond-async"}
            ),
        ]

        # I expect none of them to reach a function
        assert (rebound.status, rebound.error["type"]) == (403, "UnexpectedHost")
        assert {(page.status, page.error["type"]) for page in pages} == {(403, "ForeignPage")}
        assert len(await server.rows("SELECT 1 FROM invocations")) == 1

        # ... but for a link or a redirect, in a window of its own, to what is public
        link = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate", "sec-fetch-dest": "document"}
        shop = {"origin": "https://shop.example", "sec-fetch-site": "cross-site"}
        followed = [
            await server.http("GET", "/open?code=1", headers=link),
            await server.http("HEAD", "/open", headers=link | {"referer": "https://mail.example/"}),
        ]
        refused = [
            await server.http("GET", "/fn/open/", headers=link),
            await server.http("GET", "/private", headers=link),
            await server.http("POST", "/open", b"x", link | {"origin": "https://evil.example"}),
            await server.http("GET", "/open", headers=link | {"sec-fetch-dest": "iframe"}),
            await server.http("GET", "/open", headers=link | {"sec-fetch-mode": "no-cors"}),
        ]
        assert [page.status for page in followed] == [200, 200]
        assert {(page.status, page.error["type"]) for page in refused} == {(403, "ForeignPage")}
        assert ["public = true" in page.error["message"] for page in refused[:3]] == [True, True, False]
        assert len(await server.rows("SELECT 1 FROM invocations")) == 3

        # ... and for pages that the function names, which are told so by the preflight and the answer
        asked = await server.http(
            "OPTIONS", "/shared", headers=shop | {"access-control-request-method": "POST"}
        )
        done = await server.http("POST", "/shared", b"x", shop)
        other = await server.http("POST", "/shared", b"x", {"origin": "https://evil.example"})
        assert (asked.status, asked.headers["access-control-allow-methods"][:4]) == (204, "GET,")
        assert (done.status, done.headers["access-control-allow-origin"]) == (200, "https://shop.example")
        assert done.headers["vary"] == "Origin"
        assert other.status == 403
        assert (await server.http("POST", "/shared", b"x")).headers["vary"] == "Origin"


async def test_a_unix_socket_is_this_users_alone(tmp_path: Path) -> None:
    path = Path("/tmp") / f"relive-{tmp_path.name[-20:]}.sock"
    app = write_app(tmp_path / "app", SOURCE, FUNCTIONS)
    async with served(tmp_path / "home", http=f"unix://{path}") as server:
        await server.deploy(app)
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert server.server.http_address == f"unix://{path}"

        reader, writer = await asyncio.open_unix_connection(path)
        writer.write(
            b"GET /fn/bare/ HTTP/1.1\r\nhost: localhost\r\nx-forwarded-proto: https\r\n"
            b"connection: close\r\n\r\n"
        )
        answer = parse(await reader.read())
        writer.close()

        assert json.loads(answer.body)["url"] == "https://localhost/fn/bare/"
    assert not path.exists()


async def test_a_name_of_loopback_that_is_none_is_refused(gateway: Served) -> None:
    with pytest.raises(AddressTaken, match="other machines can reach"):
        await gateway.server.listener.start("0.0.0.0", 0, loopback=True)
