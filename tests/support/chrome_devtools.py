"""Chrome's own DevTools, as the browser serves it: what its heap profiler says of a .heapsnapshot."""

from __future__ import annotations

import json
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import memlab
import pytest

__all__ = ["DevToolsClass", "chrome", "classes"]

_SCRIPT = """
const puppeteer = require('puppeteer-core');
const fs = require('fs');
const [, , chrome, file, answer] = process.argv;
(async () => {
  const args = ['--no-sandbox', '--remote-debugging-port=0', '--remote-allow-origins=*'];
  const browser = await puppeteer.launch({executablePath: chrome, headless: true, args});
  try {
    const page = await browser.newPage();
    const port = new URL(browser.wsEndpoint()).port;
    await page.goto(`http://127.0.0.1:${port}/devtools/inspector.html`);
    const text = fs.readFileSync(file, 'utf8');
    await page.evaluate(() => { window.parts = []; });
    for (let at = 0; at < text.length; at += 1 << 22)
      await page.evaluate((part) => { window.parts.push(part); }, text.slice(at, at + (1 << 22)));
    const rows = await page.evaluate(async () => {
      const {HeapSnapshotProxy, HeapSnapshotModel} =
        await import('./models/heap_snapshot/heap_snapshot.js');
      const worker = new HeapSnapshotProxy.HeapSnapshotWorkerProxy(() => {});
      return await new Promise(async (done, failed) => {
        const loader = worker.createLoader(1, async (snapshot) => {
          try {
            const found = await snapshot.aggregatesWithFilter(new HeapSnapshotModel.NodeFilter());
            done(Object.values(found).map((row) => [row.name, row.count, row.self, row.maxRet]));
          } catch (error) { failed(error); }
        });
        for (const part of window.parts) await loader.write(part);
        await loader.close();
      });
    });
    fs.writeFileSync(answer, JSON.stringify(rows));
  } finally { await browser.close(); }
})().catch((error) => { console.error(error); process.exit(1); });
"""


@dataclass(frozen=True)
class DevToolsClass:
    """A row of the Memory panel's summary."""

    count: int
    shallow: int
    retained: int


def chrome() -> str:
    """The browser's path; "" where there is none."""
    names = ("chromium", "chromium-browser", "google-chrome", "chrome")
    return next((found for name in names if (found := shutil.which(name))), "")


def classes(file: Path, folder: Path) -> dict[str, DevToolsClass]:
    """The summary of the Memory panel by class."""
    script = memlab.install() / "devtools.js"
    script.write_text(_SCRIPT)
    answer = folder / "devtools.json"
    command = ["node", str(script), chrome(), str(file), str(answer)]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=110)
    if ran.returncode:
        pytest.fail(f"Chrome: {ran.stdout[-1000:]}{ran.stderr[-2000:]}")
    return {row[0]: DevToolsClass(*row[1:]) for row in json.loads(answer.read_text())}
