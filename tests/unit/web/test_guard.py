"""Only browsers that were let in read the pages, and only by this server's own names."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx
import pytest
from relive_web.guard import COOKIE, Doorkeeper, Guard
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

HOST = "127.0.0.1:8790"


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


async def secret(request: Request) -> Response:
    return PlainTextResponse("the page")


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def doorkeeper(clock: Clock) -> Doorkeeper:
    return Doorkeeper("the home's token", clock)


@pytest.fixture
async def browser(doorkeeper: Doorkeeper) -> AsyncIterator[httpx.AsyncClient]:
    guard = Middleware(Guard, doorkeeper=doorkeeper, hosts=frozenset({HOST}))
    app = Starlette(routes=[Route("/page", secret), Route("/login", secret)], middleware=[guard])
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url=f"http://{HOST}") as client:
        yield client


async def test_a_browser_that_was_not_let_in_is_sent_to_the_door(browser: httpx.AsyncClient) -> None:
    answer = await browser.get("/page?x=1&y=%20")

    assert answer.status_code == 303
    assert answer.headers["location"] == "/login?next=/page%3Fx%3D1%26y%3D%2520"
    assert "the page" not in answer.text


async def test_a_session_reads_until_it_is_twelve_hours_old(
    browser: httpx.AsyncClient, doorkeeper: Doorkeeper, clock: Clock
) -> None:
    session = doorkeeper.let_in("", "the home's token")
    assert session is not None
    browser.cookies.set(COOKIE, session)

    clock.now = 12 * 3600 - 1
    assert (await browser.get("/page")).text == "the page"
    clock.now = 12 * 3600 + 1
    assert (await browser.get("/page")).status_code == 303


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:8790", "127.0.0.1", "127.0.0.1:8790.evil.example", ""]
)
async def test_a_name_that_is_not_this_servers_is_refused(browser: httpx.AsyncClient, host: str) -> None:
    # A page elsewhere may have its name point here (DNS rebinding)
    answer = await browser.get("/login", headers={"host": host})

    assert answer.status_code == 421


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "http://127.0.0.1:1"])
async def test_a_request_of_another_site_is_refused(browser: httpx.AsyncClient, origin: str) -> None:
    answer = await browser.post("/login", headers={"origin": origin})

    assert answer.status_code == 403


async def test_nothing_is_written(browser: httpx.AsyncClient) -> None:
    for method in ("POST", "PUT", "DELETE", "PATCH"):
        assert (await browser.request(method, "/page")).status_code == 405


async def test_every_answer_forbids_scripts_and_frames(browser: httpx.AsyncClient) -> None:
    for path in ("/login", "/page", "/nowhere"):
        policy = (await browser.get(path)).headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "script-src" not in policy


def test_a_code_counts_once_and_for_five_minutes(doorkeeper: Doorkeeper, clock: Clock) -> None:
    first, second = doorkeeper.code(), doorkeeper.code()

    assert doorkeeper.let_in(first, "") is not None
    assert doorkeeper.let_in(first, "") is None
    clock.now = 301
    assert doorkeeper.let_in(second, "") is None
    assert doorkeeper.let_in("", "another token") is None
    assert doorkeeper.let_in("", "") is None


def test_sessions_and_codes_are_bounded(doorkeeper: Doorkeeper) -> None:
    code, session = doorkeeper.code(), doorkeeper.let_in("", "the home's token")
    assert session is not None
    for _ in range(64):
        doorkeeper.code()
        doorkeeper.let_in("", "the home's token")

    assert doorkeeper.let_in(code, "") is None
    assert not doorkeeper.knows(session)


async def test_cookies_of_other_programs_do_no_harm(
    browser: httpx.AsyncClient, doorkeeper: Doorkeeper
) -> None:
    session = doorkeeper.let_in("", "the home's token")

    answer = await browser.get("/page", headers={"cookie": f'a={{"x":1}}; {COOKIE}={session}; b="'})

    assert answer.text == "the page"


async def test_a_form_of_these_pages_is_sent_with_their_origin(browser: httpx.AsyncClient) -> None:
    # Browsers send "Origin: null" from pages without a referrer, which would be refused
    answer = await browser.get("/login")

    assert answer.headers["referrer-policy"] == "same-origin"
