"""Opens exported profiles with the tools that they are for, and compares the times that these show.

    python scripts/foreign_profiles.py [FUNCTION]

With a function (or an invocation's id) the profiles are those of a home, else of a tree with known times.
speedscope is the real application from npm in a headless Chromium (its importers read its own format,
collapsed stacks and pprof); `go tool pprof` comes with Go; the OTLP message is read by OpenTelemetry's own
classes. What is not installed is named and left out. Ends with 1 if a tool shows other times.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

from relive_profiler.explore.export import export_bytes
from relive_profiler.explore.folding import Folded, Stack
from relive_profiler.explore.tree import FlameTree, build

SPEEDSCOPE: Final = "speedscope@1.25.0"
PUPPETEER: Final = "puppeteer-core@24"
_FILES: Final = {
    "speedscope": "profile.speedscope.json",
    "collapsed": "profile.collapsed.txt",
    "pprof": "profile.pb.gz",
    "otlp": "profile.otlp",
}
_MS: Final = 1_000_000
_OPEN: Final = """
const puppeteer = require('puppeteer-core');
const fs = require('fs');
const path = require('path');
const [, , chrome, index, ...files] = process.argv;
const gl = ['--use-gl=swiftshader', '--enable-unsafe-swiftshader', '--ignore-gpu-blocklist'];
const args = ['--no-sandbox', '--allow-file-access-from-files', ...gl];
(async () => {
  const browser = await puppeteer.launch({executablePath: chrome, headless: true, args});
  const found = {};
  try {
    for (const file of files) {
      const page = await browser.newPage();
      await page.goto(`file://${index}#localProfilePath=/none.js&view=sandwich`, {timeout: 90000});
      await page.waitForFunction(() => window.speedscope, {timeout: 30000});
      const data = fs.readFileSync(file).toString('base64');
      const load = (name, text) => window.speedscope.loadFileFromBase64(name, text);
      await page.evaluate(load, path.basename(file), data);
      await page.waitForFunction(() => document.querySelectorAll('tr').length > 1, {timeout: 60000});
      const cells = (rows) => rows.map((row) => [...row.children].map((cell) => cell.innerText));
      found[file] = await page.$$eval('tr', cells);
      await page.close();
    }
  } finally { await browser.close(); }
  console.log(JSON.stringify(found));
})().catch((error) => { console.error(error); process.exit(1); });
"""


def main(subject: str) -> int:
    """How many tools show other times."""
    folder = Path(tempfile.mkdtemp(prefix="relive-profiles-"))
    try:
        files = _of_home(subject, folder) if subject else _of(known_tree(), folder)
        truth = _self_shares(files["collapsed"].read_text())
        wrong = 0
        for name, shown in (*_speedscope(files, folder), *_pprof(files["pprof"]), *_otlp(files["otlp"])):
            off = max((abs(shown.get(key, 0.0) - share) for key, share in truth.items()), default=0.0)
            print(f"{name:34} {len(shown):5} functions  largest difference {off * 100:.2f} points")
            wrong += off > 0.011 or not shown
        return wrong
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def known_tree() -> FlameTree:
    """30 ms of a, 50 of what it calls, 20 of b."""
    paths = {"h b": 20, "h a c": 50, "h a": 30}
    stacks = [
        Stack("fn", names, tuple(f"{name}.py" for name in names), (1,) * len(names), ms, ms * _MS, ms * _MS)
        for names, ms in ((tuple(path.split()), ms) for path, ms in paths.items())
    ]
    return build(Folded(stacks, samples=100, profiles=1, invocations=1), title="checkout")


def _of(tree: FlameTree, folder: Path) -> dict[str, Path]:
    files = {form: folder / name for form, name in _FILES.items()}
    for form, file in files.items():
        file.write_bytes(export_bytes(tree, form))
    return files


def _of_home(subject: str, folder: Path) -> dict[str, Path]:
    files = {form: folder / name for form, name in _FILES.items()}
    for form, file in files.items():
        command = [sys.executable, "-m", "relive", "flame", subject, "--format", form, "--output", str(file)]
        subprocess.run(command, check=True, stderr=subprocess.DEVNULL)
    return files


def _shares(times: dict[str, float]) -> dict[str, float]:
    whole = sum(times.values()) or 1.0
    return {name: time / whole for name, time in times.items() if time}


def _self_shares(collapsed: str) -> dict[str, float]:
    """By function name alone: tools differ in what else they tell functions apart by."""
    times: dict[str, float] = {}
    for line in collapsed.splitlines():
        stack, _, weight = line.rpartition(" ")
        name = _bare(stack.rpartition(";")[2])
        times[name] = times.get(name, 0.0) + float(weight)
    return _shares(times)


def _bare(label: str) -> str:
    return re.sub(r" \(.*\)$", "", label)


def _speedscope(files: dict[str, Path], folder: Path) -> list[tuple[str, dict[str, float]]]:
    chrome = next((path for name in ("chromium", "google-chrome") if (path := shutil.which(name))), "")
    if not (chrome and shutil.which("npm")):
        print("speedscope: left out, there is no npm or no Chromium")
        return []
    flags = ["--no-audit", "--no-fund", "--ignore-scripts", "--silent", "--prefix", str(folder)]
    subprocess.run(["npm", "install", *flags, SPEEDSCOPE, PUPPETEER], check=True, timeout=600)
    (folder / "open.js").write_text(_OPEN)
    index = folder / "node_modules/speedscope/dist/release/index.html"
    read = [str(files[form]) for form in ("speedscope", "collapsed", "pprof")]
    command = ["node", str(folder / "open.js"), chrome, str(index), *read]
    done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=300)
    found = []
    for file, rows in json.loads(done.stdout).items():
        times: dict[str, float] = {}
        for row in rows[1:]:
            share = re.search(r"\(<?([\d.]+)%\)", row[1])
            if share and not row[1].startswith("0"):
                name = _bare(row[2])
                times[name] = times.get(name, 0.0) + float(share[1]) / 100
        found.append((f"speedscope: {Path(file).name}", times))
    return found


def _pprof(file: Path) -> list[tuple[str, dict[str, float]]]:
    go = shutil.which("go") or "/usr/local/go/bin/go"
    if not os.access(go, os.X_OK):
        print("go tool pprof: left out, there is no Go")
        return []
    command = [go, "tool", "pprof", "-top", "-unit=ns", "-nodecount=100000", str(file)]
    environment = {"GOCACHE": "/var/tmp/go-build", **os.environ}
    done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=600, env=environment)
    rows = re.findall(r"^\s*([\d.]+)ns\s+\S+%\s+\S+%\s+\S+\s+\S+%\s+(.+)$", done.stdout, re.MULTILINE)
    times: dict[str, float] = {}
    for ns, name in rows:
        times[name] = times.get(name, 0.0) + float(ns)
    return [("go tool pprof", _shares(times))]


def _otlp(file: Path) -> list[tuple[str, dict[str, float]]]:
    from opentelemetry.proto.profiles.v1development import profiles_pb2

    data = profiles_pb2.ProfilesData.FromString(file.read_bytes())
    tables = data.dictionary
    times: dict[str, float] = {}
    for sample in data.resource_profiles[0].scope_profiles[0].profiles[0].samples:
        location = tables.location_table[tables.stack_table[sample.stack_index].location_indices[0]]
        function = tables.function_table[location.lines[0].function_index]
        name = tables.string_table[function.name_strindex]
        times[name] = times.get(name, 0.0) + sample.values[0]
    return [("opentelemetry-proto", _shares(times))]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1] if len(sys.argv) > 1 else "") > 0)
