"""The page of a trace of 10,000 spans in real headless Chromium: until its first rows are on the screen,
until all of it is there, and the CPU time of server, store and browser for it.

Times are the browser's own (performance.now); the machine's other work is in them. CPU times are not.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from http.cookiejar import CookieJar
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "support")]

__all__ = ["run", "try_out"]

SPANS: Final = 10_000
ROUNDS: Final = 5
USABLE_MS: Final = 1_000.0
_WAIT_S: Final = 120.0
_TICK: Final = os.sysconf("SC_CLK_TCK")
_SCRIPT: Final = """
const puppeteer = require('puppeteer-core');
const fs = require('fs');
const [, , chrome, login, page, rounds] = process.argv;
const cpu = () => {  // of all processes of the browser, in ms
  let ticks = 0;
  for (const pid of family) {
    try {
      const fields = fs.readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1].split(' ');
      ticks += Number(fields[11]) + Number(fields[12]);
    } catch (error) { /* it has ended */ }
  }
  return ticks * 10;
};
let family = [];
const grown = (root) => {
  const found = [root];
  for (let at = 0; at < found.length; at += 1) {
    try {
      const tasks = fs.readdirSync(`/proc/${found[at]}/task`);
      for (const task of tasks)
        found.push(...fs.readFileSync(`/proc/${found[at]}/task/${task}/children`, 'utf8')
          .split(' ').filter(Boolean));
    } catch (error) { /* it has ended */ }
  }
  return found;
};
(async () => {
  const browser = await puppeteer.launch({executablePath: chrome, headless: true, args: ['--no-sandbox']});
  try {
    const first = await browser.newPage();
    await first.goto(login, {waitUntil: 'load', timeout: 90000});
    for (let round = 0; round < Number(rounds); round += 1) {
      const tab = await browser.newPage();
      await tab.setViewport({width: 1280, height: 900});
      await tab.evaluateOnNewDocument(() => {
        const look = () => {
          if (document.querySelector('table.trace tbody tr'))
            requestAnimationFrame(() => { window.firstRows = performance.now(); });
          else requestAnimationFrame(look);
        };
        requestAnimationFrame(look);
      });
      family = grown(browser.process().pid);
      const before = cpu();
      await tab.goto(page, {waitUntil: 'load', timeout: 90000});
      const told = await tab.evaluate(async () => {
        const frame = () => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
        await frame();
        const complete = performance.now();
        window.scrollTo(0, document.body.scrollHeight);
        await frame();
        const scrolled = performance.now() - complete;
        const [entry] = performance.getEntriesByType('navigation');
        return {first: window.firstRows, complete, scrolled, response: entry.responseStart,
                bytes: entry.decodedBodySize,
                rows: document.querySelectorAll('table.trace tbody tr').length,
                nodes: document.getElementsByTagName('*').length};
      });
      family = grown(browser.process().pid);
      console.log(JSON.stringify({...told, cpu: cpu() - before}));
      await tab.close();
    }
  } finally { await browser.close(); }
})().catch((error) => { console.error(error); process.exit(1); });
"""
Row = dict[str, Any]


@dataclass(frozen=True)
class _Pages:
    """`relive web` on a home, and its processes: of the pages, and the store's."""

    address: str
    login: str
    pids: tuple[int, ...]


def run(quick: bool = False) -> list[Row]:
    """Figures as name, value, unit, target, ok; medians of some rounds in one browser."""
    try:
        rounds, server_ms = _measured(SPANS, 2 if quick else ROUNDS)
    except _NoBrowser as why:
        return [_figure(f"web trace page, {SPANS:,} spans", None, None, str(why))]
    told = {name: statistics.median(float(one[name]) for one in rounds) for name in rounds[0]}
    label = f"web trace page, {SPANS:,} spans"
    return [
        _figure(f"{label}: until its first rows are visible", told["first"], USABLE_MS, "ms"),
        _figure("the same until it begins to come", told["response"], None, "ms"),
        _figure("the same until it is complete", told["complete"], None, "ms"),
        _figure("the same, from its top to its end and painted there", told["scrolled"], None, "ms"),
        _figure("CPU time of the browser for it", told["cpu"], None, "ms"),
        _figure("CPU time of the server for it, the store's process too", server_ms, None, "ms"),
        _figure("its size", told["bytes"] / 1e6, None, "MB"),
        _figure("its elements", told["nodes"], None, ""),
    ]


def _figure(name: str, value: float | None, target: float | None, unit: str) -> Row:
    ok = value <= target if target is not None and value is not None else None
    return {
        "name": name,
        "value": None if value is None else round(value, 2),
        "unit": unit,
        "target": target,
        "ok": ok,
    }


class _NoBrowser(Exception):
    """Why the page cannot be looked at here."""


def _measured(spans: int, rounds: int) -> tuple[list[Row], float]:
    """What the browser says of each round, and the server's CPU time of one, in ms."""
    from chrome_devtools import chrome
    from memlab import has_memlab, install

    if not chrome() or not has_memlab():
        raise _NoBrowser("Chromium and npm are needed")
    modules = install() / "node_modules"
    with tempfile.TemporaryDirectory(prefix="rl-", dir="/tmp") as name, _pages(Path(name), spans) as pages:
        script = Path(name) / "page.js"
        script.write_text(_SCRIPT)
        page = f"{pages.address}/traces/{_traces().TRACE}"
        before = _cpu_s(pages.pids)
        command = ["node", str(script), chrome(), pages.login, page, str(rounds)]
        environment = {**os.environ, "NODE_PATH": str(modules)}
        ran = subprocess.run(
            command, capture_output=True, text=True, timeout=_WAIT_S * rounds, env=environment, check=False
        )
        if ran.returncode:
            raise RuntimeError(ran.stderr[-2000:])
        told = [json.loads(line) for line in ran.stdout.splitlines()]
        assert all(one["rows"] == spans for one in told)
        return told, (_cpu_s(pages.pids) - before) * 1e3 / rounds


@contextlib.contextmanager
def _pages(folder: Path, spans: int) -> Iterator[_Pages]:
    """A home with one trace, and `relive web` on it."""
    from relive_store import StoreProcess, open_store

    home = folder / "home"
    (home / "run").mkdir(parents=True)
    home.chmod(0o700)
    process = StoreProcess(home / "store", folder / "s.sock")
    process.start(_WAIT_S)
    try:
        store = open_store(process.url)
        store.migrate()
        _traces()._record(store, spans)
        store.close()
    finally:
        process.stop()
    command = [sys.executable, "-m", "relive", "--home", str(home), "web", "--http", "127.0.0.1:0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as served:
        try:
            assert served.stdout is not None
            line = served.stdout.readline().strip()
            found = re.fullmatch(r"(http://127\.0\.0\.1:\d+)/login\?code=\S+", line)
            assert found, line
            yield _Pages(found[1], found[0], (served.pid, *_stores_of(home)))
        finally:
            served.terminate()


def _traces() -> Any:
    """The benchmark of the terminal's screen, whose trace it is."""
    from bench.__main__ import load

    return load(ROOT / "bench" / "tui" / "trace.py")


def _stores_of(home: Path) -> Iterator[int]:
    """The process that reads the home: it is nobody's child."""
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            line = (entry / "cmdline").read_text() if entry.name.isdecimal() else ""
            if "relive_store" in line and str(home) in line:
                yield int(entry.name)


def _cpu_s(pids: tuple[int, ...]) -> float:
    total = 0.0
    for pid in pids:
        with contextlib.suppress(OSError):
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
            total += (int(fields[11]) + int(fields[12])) / _TICK
    return total


def try_out() -> None:
    """The smallest run of everything that is set up here but the browser; nothing is measured."""
    opener = urllib.request.build_opener(
        urllib.request.ProxyHandler({}), urllib.request.HTTPCookieProcessor(CookieJar())
    )
    with tempfile.TemporaryDirectory(prefix="rl-", dir="/tmp") as name, _pages(Path(name), 20) as pages:
        opener.open(pages.login, timeout=_WAIT_S).close()
        with opener.open(f"{pages.address}/traces/{_traces().TRACE}", timeout=_WAIT_S) as answer:
            assert b"20 spans" in answer.read()


if __name__ == "__main__":
    for figure in run(quick="--quick" in sys.argv):
        print(figure)
