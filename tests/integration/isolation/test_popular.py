"""What functions do every day works in a worker of tier 1, whatever is refused to it."""

from __future__ import annotations

import sysconfig
from collections.abc import Iterator
from pathlib import Path

import pytest
from worker_harness import WorkerHandle, ZygoteHandle, zygote

CODE = """
import asyncio, multiprocessing, os, signal, socket, ssl, subprocess, sys, tarfile, tempfile, threading, time

def popen_kill(event):
    child = subprocess.Popen(["sleep", "60"])
    child.terminate()
    first = child.wait(20)
    child = subprocess.Popen(["sleep", "60"])
    child.kill()
    return [first, child.wait(20)]

def popen_timeout(event):
    try:
        subprocess.run(["sleep", "60"], timeout=0.05)
    except subprocess.TimeoutExpired:
        return "expired"

def shell(event):
    line = "echo a | tr a b; sleep 9 & kill $!; wait $!; echo $?"
    return subprocess.check_output(line, shell=True, text=True)

def double(number):
    return number * 2

def process(event):
    reader, writer = multiprocessing.Pipe(duplex=False)
    child = multiprocessing.Process(target=writer.send, args=({"from": "child"},))
    child.start()
    answer = reader.recv()
    child.join(20)
    sleeper = multiprocessing.Process(target=time.sleep, args=(60,))
    sleeper.start()
    sleeper.terminate()
    sleeper.join(20)
    return [answer, child.exitcode, sleeper.exitcode]

def threads(event):
    with __import__("concurrent.futures").futures.ThreadPoolExecutor(8) as pool:
        return sum(pool.map(double, range(100)))

async def _asyncio():
    child = await asyncio.create_subprocess_exec("sleep", "60")
    child.kill()
    killed = await child.wait()
    child = await asyncio.create_subprocess_shell("cat", stdin=-1, stdout=-1)
    out, _ = await child.communicate(b"text")
    server = await asyncio.start_server(lambda reader, writer: writer.close(), "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    rest = await reader.read()
    server.close()
    return [killed, out.decode(), rest.decode(), await asyncio.to_thread(double, 4)]

def aio(event):
    return asyncio.run(_asyncio())

def files(event):
    import shutil, sqlite3
    folder = tempfile.mkdtemp()
    with open(f"{folder}/a.txt", "w") as file:
        file.write("text")
    os.chmod(f"{folder}/a.txt", 0o640)
    shutil.copy2(f"{folder}/a.txt", f"{folder}/b.txt")
    with tarfile.open(f"{folder}/x.tar.gz", "w:gz") as archive:
        archive.add(f"{folder}/a.txt", "a.txt")
    with tarfile.open(f"{folder}/x.tar.gz") as archive:
        archive.extractall(f"{folder}/out", filter="data")
    database = sqlite3.connect(f"{folder}/x.db")
    database.execute("create table t (a)").execute("insert into t values (1)")
    database.commit()
    return [sorted(os.listdir(folder)), open(f"{folder}/out/a.txt").read()]

def system(event):
    import locale, pwd, resource, zoneinfo
    resource.setrlimit(resource.RLIMIT_NOFILE, (512, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
    os.nice(1)
    os.sched_setaffinity(0, os.sched_getaffinity(0))
    return [
        pwd.getpwuid(os.getuid()).pw_name != "",
        bool(socket.getaddrinfo("localhost", 80)),
        str(zoneinfo.ZoneInfo("Europe/Berlin")),
        ssl.create_default_context().verify_mode.name,
        os.cpu_count() > 0,
    ]

def signals(event):
    came = []
    signal.signal(signal.SIGUSR1, lambda number, frame: came.append(number))
    signal.raise_signal(signal.SIGUSR1)
    os.kill(os.getpid(), signal.SIGUSR1)
    signal.pthread_kill(threading.get_ident(), signal.SIGUSR1)
    return len(came)

def aborting_child(event):
    return subprocess.run([sys.executable, "-c", "import os; os.abort()"]).returncode

def libraries(event):
    import http.server, numpy, pandas, requests
    server = http.server.HTTPServer(("127.0.0.1", 0), http.server.BaseHTTPRequestHandler)
    thread = threading.Thread(target=server.handle_request)
    thread.start()
    status = requests.get(f"http://127.0.0.1:{server.server_port}/", timeout=60).status_code
    thread.join()
    server.server_close()
    product = numpy.ones((300, 300)) @ numpy.ones((300, 300))
    return [status, float(product[0, 0]), int(pandas.DataFrame({"a": [1, 2]}).a.sum())]

def handler(event, context):
    return globals()[event](event)
"""
ANSWERS = {
    "popen_kill": [-15, -9],
    "popen_timeout": "expired",
    "shell": "b\n143\n",
    "process": [{"from": "child"}, 0, -15],
    "threads": 9900,
    "aio": [-9, "text", "", 8],
    "files": [["a.txt", "b.txt", "out", "x.db", "x.tar.gz"], "text"],
    "system": [True, True, "Europe/Berlin", "CERT_REQUIRED", True],
    "signals": 3,
    "aborting_child": -6,
}


@pytest.fixture(scope="module")
def worker(running: ZygoteHandle) -> WorkerHandle:
    return running.worker(CODE, timeout_s=60)


@pytest.mark.parametrize("name", ANSWERS)
def test_it_works(worker: WorkerHandle, name: str) -> None:
    outcome = worker.invoke(name)
    assert outcome.result.status == "ok", outcome.scene and outcome.scene.error
    assert outcome.value == ANSWERS[name]


@pytest.fixture(scope="module")
def with_libraries(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WorkerHandle]:
    site = sysconfig.get_paths()["purelib"]
    for name in ("numpy", "pandas", "requests"):
        if not (Path(site) / name).is_dir():
            pytest.skip(f"{name} is not installed")
    with zygote(tmp_path_factory.mktemp("home"), deps_dir=site) as started:
        yield started.worker(CODE, timeout_s=120, memory_mb=1_024)


def test_libraries_work(with_libraries: WorkerHandle) -> None:
    assert with_libraries.invoke("libraries").value == [501, 300.0, 3]
