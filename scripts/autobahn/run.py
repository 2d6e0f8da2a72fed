"""Autobahn's websocket cases against an echo service on a real server: `run.py [CASES]`.

CASES are patterns such as `6.*`; default: all but 12.* and 13.*, which take an hour (compression). Needs the
package index, and Python 3.11 or 3.12. Ends with 1 if a case fails.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tarfile
import tempfile
import time
import venv
from pathlib import Path
from typing import Final

_SUITE: Final = "autobahntestsuite==25.10.1"
_DEFAULT: Final = ("[1-9].*", "10.*")
_READY_S: Final = 60.0
_TOML: Final = '[functions.echo]\nkind = "service"\napp = "echo:app"\nmax_workers = 1\nmemory_mb = 1024\n'
_APP: Final = """
async def app(scope, receive, send):
    if scope["type"] != "websocket":
        return
    await receive()
    await send({"type": "websocket.accept"})
    while (event := await receive())["type"] == "websocket.receive":
        answer = {name: event[name] for name in ("text", "bytes") if event.get(name) is not None}
        await send({"type": "websocket.send", **answer})
"""


def _prepare(work: Path) -> tuple[Path, Path]:
    """A Python with Autobahn's client, and the suite's sources; kept in `work`."""
    python = work / "venv" / "bin" / "python"
    if not python.is_file():
        venv.create(work / "venv", with_pip=True)
        subprocess.run([python, "-m", "pip", "-q", "install", "autobahn"], check=True)
    if not any(work.glob("autobahntestsuite-*/setup.py")):
        subprocess.run([python, "-m", "pip", "-q", "download", "--no-deps", _SUITE], cwd=work, check=True)
        with tarfile.open(next(work.glob("*.tar.gz"))) as archive:
            archive.extractall(work, filter="data")
    return python, next(work.glob("autobahntestsuite-*/setup.py")).parent


def _serve(folder: Path) -> tuple[subprocess.Popen[bytes], str]:
    """A server with the echo service, and the service's address."""
    app = folder / "app"
    app.mkdir()
    (app / "relive.toml").write_text(_TOML)
    (app / "echo.py").write_text(_APP)
    home = folder / "home"
    relive = [sys.executable, "-m", "relive", "--home", str(home)]
    # The suite takes a ping of the server, which comes every 20 s, for an answer to what it has sent.
    limits = {"RELIVE_WEBSOCKET_MESSAGE_BYTES": "20000000", "RELIVE_WEBSOCKET_PING_S": "0"}
    environment = os.environ | limits
    server = subprocess.Popen(
        [*relive, "serve", "--http", "127.0.0.1:0"], env=environment, stdout=subprocess.DEVNULL
    )
    until = time.monotonic() + _READY_S
    while subprocess.run([*relive, "deploy", str(app)], capture_output=True).returncode:
        if time.monotonic() > until or server.poll() is not None:
            server.terminate()
            raise SystemExit("the server did not start")
        time.sleep(0.5)
    told = subprocess.run([*relive, "status", "--json"], capture_output=True, check=True).stdout
    address = json.loads(told)["http"]
    return server, address.replace("http:", "ws:") + "/fn/echo/"


def main() -> int:
    """All of it."""
    work = Path(tempfile.gettempdir()) / "relive-autobahn"
    work.mkdir(exist_ok=True)
    python, suite = _prepare(work)
    with tempfile.TemporaryDirectory() as name:
        server, url = _serve(Path(name))
        try:
            client = [str(python), "-W", "ignore", str(Path(__file__).with_name("client.py"))]
            return subprocess.run([*client, str(suite), url, *(sys.argv[1:] or _DEFAULT)]).returncode
        finally:
            server.terminate()
            server.wait(60)


if __name__ == "__main__":
    sys.exit(main())
