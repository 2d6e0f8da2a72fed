"""A failure is read in the browser, and what a function says never runs there."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import memlab
import pytest
from chrome_devtools import chrome
from relive_cli import Relive, relive_home, toml
from relive_web.guard import COOKIE

SOURCE = """
EVIL = "<script>document.title='stolen'</script><img src=x onerror=alert(1)>\\u202e\\x1b[31m"

def checkout(event, context):
    basket = {"note": event["note"], "evil": EVIL}
    print("log: " + EVIL)
    raise ValueError("no price: " + EVIL + "' onmouseover='x")
"""
_SCRIPT = """
const puppeteer = require('puppeteer-core');
const [, , chrome, address, name, value] = process.argv;
(async () => {
  const browser = await puppeteer.launch({executablePath: chrome, headless: true, args: ['--no-sandbox']});
  try {
    const page = await browser.newPage();
    let dialogs = 0;
    page.on('dialog', async (dialog) => { dialogs += 1; await dialog.dismiss(); });
    await page.setCookie({name, value, url: address});
    await page.goto(address, {waitUntil: 'load', timeout: 90000});
    const title = await page.title();
    const failing = await page.$eval('.failing', (node) => node.textContent);
    const scripts = await page.$$eval('script', (nodes) => nodes.length);
    console.log(JSON.stringify({title, failing, scripts, dialogs}));
  } finally { await browser.close(); }
})().catch((error) => { console.error(error); process.exit(1); });
"""
NOTE = '<b>bold</b> & "quoted"'


@dataclass
class Pages:
    """What `relive web` serves, and a browser that was let in."""

    browser: httpx.Client
    address: str
    code: str
    ident: str


@pytest.fixture(scope="module")
def pages() -> Iterator[Pages]:
    with relive_home() as home, home.serving():
        functions = {"checkout": 'handler = "app:checkout"'}
        home.run("deploy", str(home.application({"app.py": SOURCE, "relive.toml": toml(functions)})))
        ident = home.invoke("checkout", {"note": NOTE})["invocation_id"]
        home.eventually(lambda: home.json("failures", "checkout", check=False))
        yield from _served(home, ident)


def _served(home: Relive, ident: str) -> Iterator[Pages]:
    command = [sys.executable, "-m", "relive", "--home", str(home.home), "web", "--http", "127.0.0.1:0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            line = process.stdout.readline().strip()
            found = re.fullmatch(r"(http://127\.0\.0\.1:\d+)/login\?code=(\S+)", line)
            assert found, line
            with httpx.Client(base_url=found[1], timeout=60, follow_redirects=True) as browser:
                yield Pages(browser, found[1], found[2], ident)
        finally:
            process.terminate()


def test_the_printed_address_opens_the_failures_once(pages: Pages) -> None:
    # Given a browser that nobody has let in
    refused = pages.browser.get("/")
    assert "Sign in" in refused.text
    assert "checkout" not in refused.text

    # When it opens the address that was printed
    opened = pages.browser.get("/login", params={"code": pages.code, "next": f"/failures/{pages.ident}"})

    # I expect the page that was asked for; and the address does not open it for another browser
    assert opened.url.path == f"/failures/{pages.ident}"
    assert "no price" in opened.text
    with httpx.Client(base_url=pages.address, timeout=60) as other:
        assert other.get("/login", params={"code": pages.code}).status_code == 403


@pytest.mark.parametrize("path", ["/", "/failures/{}", "/traces/{}", "/invocations", "/metrics"])
def test_what_a_function_says_is_text(pages: Pages, path: str) -> None:
    answer = pages.browser.get(path.format(pages.ident))

    # I expect what it says as text, wherever it stands, and a policy that lets nothing run
    assert answer.status_code == 200
    assert "checkout" in answer.text
    for dangerous in ("<script", "<img", "<b>bold", "onmouseover='", "\u202e", "\x1b"):
        assert dangerous not in answer.text
    assert "default-src 'none'" in answer.headers["content-security-policy"]


def test_a_failure_has_its_line_its_locals_its_event_and_its_log(pages: Pages) -> None:
    page = pages.browser.get(f"/failures/{pages.ident}").text

    assert 'class="failing"' in page
    assert "basket" in page
    assert "&lt;b&gt;bold&lt;/b&gt;" in page
    assert "log: &lt;script&gt;" in page
    assert f"relive debug {pages.ident}" in page


def test_what_is_not_there_says_so(pages: Pages) -> None:
    for path in (
        "/failures/nothing-like-it",
        "/flames/" + "0" * 32,
        "/traces/" + "f" * 32,
        "/nothing/like/it",
    ):
        answer = pages.browser.get(path)
        assert answer.status_code == 404, path
        assert "<h1>" in answer.text


@pytest.mark.parametrize(
    ("path", "status", "said"),
    [
        ("/?range=99x", 400, "one of 1h, 24h, 7d, 30d"),
        ("/invocations?status=broken", 400, "&#39;broken&#39; is not a status"),
        ("/metrics?rnge=1h", 400, "?function=, ?range="),
        ("/failures/{}?attempt=x", 400, "attempts are counted from 1"),
        ("/traces/last?zoom=2", 400, "none"),
        ("/invocations?function=chekout", 404, "did you mean checkout?"),
        ("/flames/chekout", 404, "did you mean checkout?"),
        ("/invocations?function=checkout&range=1h&status=error", 200, "status=error"),
        ("/failures/{}?attempt=1", 200, "no price"),
        ("/traces/LAST", 404, "LAST"),
        ("/traces/last", 200, "checkout"),
    ],
)
def test_what_an_address_asks_is_understood_or_said_to_be_not(
    pages: Pages, path: str, status: int, said: str
) -> None:
    answer = pages.browser.get(path.format(pages.ident))

    assert (answer.status_code, said in answer.text) == (status, True), answer.text


@pytest.mark.skipif(not chrome(), reason="no Chromium on this machine")
def test_a_browser_runs_nothing_of_what_a_function_says(pages: Pages, tmp_path: Path) -> None:
    # Given a real browser that is let in, on the failure's page
    session = pages.browser.cookies[COOKIE]
    page = f"{pages.address}/failures/{pages.ident}"
    script = tmp_path / "page.js"
    script.write_text(_SCRIPT)

    # When the page is there
    command = ["node", str(script), chrome(), page, COOKIE, session]
    folder = memlab.install() / "node_modules"
    told = subprocess.run(
        command, capture_output=True, text=True, timeout=110, env={**os.environ, "NODE_PATH": str(folder)}
    )

    # I expect its own title, the failing line marked, and no dialog
    assert told.returncode == 0, told.stderr[-2000:]
    found = json.loads(told.stdout)
    assert found["title"].startswith("checkout: ValueError")
    assert "raise ValueError" in found["failing"]
    assert found["dialogs"] == 0
    assert found["scripts"] == 0
