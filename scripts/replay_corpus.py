"""Fails some two dozen functions that read files, Redis and gRPC, stops the servers, deletes the files,
replays all of them, and prints which repeat.

    python scripts/replay_corpus.py

Redis is that of Debian (scripts/install_servers.sh). Ends with 1 if fewer than 95 % repeat.
"""

from __future__ import annotations

import re
import shutil
import sys
import sysconfig
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "support"))

from outside_corpus import FILES, GRPC, LEFT, PROTO, REDIS, make_files
from pull_servers import Redis
from relive_cli import Relive, toml

_LEAST = 0.95
_EVENTS = ({"key": "a", "price": 5}, {"key": "b"})


def main() -> int:
    """How it ended."""
    with tempfile.TemporaryDirectory(dir="/var/tmp") as name:
        folder = Path(name)
        relive = Relive(folder / "home", {"RELIVE_ISOLATION_TIER": "0"})
        names = _failed(relive, folder)
        shutil.rmtree(folder / "data")
        outcomes = {name: _outcome(relive, name) for name in names}
    repeated = sum(outcome == "same" for outcome in outcomes.values())
    print(f"{repeated} of {len(outcomes)} repeat")
    return int(repeated < _LEAST * len(outcomes))


def _failed(relive: Relive, folder: Path) -> list[str]:
    make_files(folder / "data")
    (folder / "redis").mkdir()
    redis = Redis(folder / "redis")
    redis.start()
    try:
        with _grpc(folder) as place:
            values = {"DATA": str(folder / "data"), "REDIS": redis.url, "GRPC": place, "COUNTRY": "us"}
            return _invoked(relive, folder, values)
    finally:
        redis.kill()


def _invoked(relive: Relive, folder: Path, values: dict[str, str]) -> list[str]:
    app = folder / "app"
    modules = {"files": FILES + LEFT, "redis_calls": REDIS, "grpc_calls": GRPC}
    environment = ", ".join(f'{name} = "{value}"' for name, value in values.items())
    functions = {}
    for module, source in modules.items():
        (app / f"{module}.py").write_text(source)
        for name in re.findall(r"^def (\w+)\(event", source, re.MULTILINE):
            functions[name] = f'handler = "{module}:{name}"\nenvironment = {{ {environment} }}'
    (app / "relive.toml").write_text(toml(functions))
    (app / "requirements.txt").write_text(_requirements())
    with relive.serving():
        relive.run("deploy", str(app))
        names = [name for name in functions if name != "stale"]
        for name in names:
            row = relive.invoke(name)
            assert row["status"] == "error", row
            relive.scene(row["invocation_id"])
        for event in _EVENTS:
            row = relive.invoke("stale", event)
        relive.scene(row["invocation_id"])
        print(relive.run("failure", "stale").stdout.partition("Left by")[2].partition("\n\n")[0])
    return names


def _requirements() -> str:
    from importlib.metadata import version

    return "".join(f"{name}=={version(name)}\n" for name in ("redis", "grpcio", "protobuf"))


@contextmanager
def _grpc(folder: Path) -> Iterator[str]:
    """A server, its place; and the modules of its messages in the application."""
    import grpc
    from grpc_tools import protoc

    app = folder / "app"
    app.mkdir()
    (app / "shop.proto").write_text(PROTO)
    well_known = Path(sysconfig.get_paths()["purelib"]) / "grpc_tools" / "_proto"
    outputs = [f"--python_out={app}", f"--grpc_python_out={app}", str(app / "shop.proto")]
    assert not protoc.main(["", f"-I{app}", f"-I{well_known}", *outputs])
    sys.path.insert(0, str(app))
    import shop_pb2 as pb
    import shop_pb2_grpc as rpc

    class Shop(rpc.ShopServicer):  # type: ignore[misc]
        def One(self, ask: Any, context: Any) -> Any:
            if ask.name == "missing":
                context.abort(grpc.StatusCode.NOT_FOUND, "no such thing")
            return pb.Told(text=f"one {ask.name}")

        def Many(self, ask: Any, context: Any) -> Any:
            for number in range(ask.count):
                yield pb.Told(text=f"{ask.name} {number}", price=number)

    server = grpc.server(ThreadPoolExecutor(4))
    rpc.add_ShopServicer_to_server(Shop(), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    yield f"127.0.0.1:{port}"
    server.stop(0).wait()


def _outcome(relive: Relive, name: str) -> str:
    row = relive.json("replay", name, check=False)[-1]
    outcome = str(row.get("outcome"))
    print(f"{outcome:12} {name}", "" if outcome == "same" else row.get("runs"))
    return outcome


if __name__ == "__main__":
    sys.exit(main())
