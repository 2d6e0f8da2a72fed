"""`relive doctor`: the prerequisites of Relive on this machine, and how to fix what is missing."""

from __future__ import annotations

import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass

import click
from relive_base.errors import ExitCode, ReliveError
from relive_base.scratch import scratch_folder

from relive.output import echo, emit_object, json_option
from relive.session import Session

__all__ = ["Finding", "doctor"]

_MIN_FREE_BYTES = 1 << 30
_GATEWAY_PORT = 8700
_DUMP_TIMEOUT_S = 10.0


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at."""

    name: str
    ok: bool
    detail: str
    hint: str = ""


@click.command()
@json_option
@click.pass_obj
def doctor(session: Session, as_json: bool) -> int:
    """Check prerequisites and how to fix what is missing: engine, isolation, py-spy, ports, disk.

    Exit status 1 if something that Relive needs is missing.
    """
    findings = list(examine(session))
    for finding in findings:
        if as_json:
            emit_object({**asdict(finding), "remedy": finding.hint})  # the name of `hint` in 0.1, deprecated
            continue
        echo(f"{'ok  ' if finding.ok else 'FAIL'}  {finding.name:<12} {finding.detail}")
        if not finding.ok and finding.hint:
            echo(f"      {'':<12} hint: {finding.hint}")
    return ExitCode.DONE if all(finding.ok for finding in findings) else ExitCode.FAILED


def examine(session: Session) -> Iterator[Finding]:
    """Every check in turn; one that breaks is a finding too."""
    checks: list[Callable[[Session], Finding | Iterator[Finding]]] = [
        _python, _home, _server, _engine, _isolation, _cgroups, _py_spy, _heap_walker, _pystack, _core_files,
        _installer, _port,
    ]  # fmt: skip
    for check in checks:
        try:
            found = check(session)
            yield from [found] if isinstance(found, Finding) else found
        except (ReliveError, OSError, subprocess.SubprocessError) as error:
            yield Finding(check.__name__.strip("_"), False, str(error), getattr(error, "hint", ""))


def _python(session: Session) -> Finding:
    version = sys.version.split()[0]
    return Finding("python", sys.version_info >= (3, 11), version, "Relive needs Python 3.11 or newer")


def _home(session: Session) -> Finding:
    folder = session.home
    while not folder.exists():
        folder = folder.parent
    free = shutil.disk_usage(folder).free
    with tempfile.TemporaryFile(dir=folder):
        pass
    detail = f"{session.home}, {free / (1 << 30):.1f} GB free"
    if session.home.absolute().is_relative_to("/tmp"):
        detail += "; it is below /tmp, so functions see the folders that lead to it in their own /tmp"
    return Finding("home", free > _MIN_FREE_BYTES, detail, "free some disk, or choose another --home")


def _server(session: Session) -> Finding:
    info = session.info()
    detail = f"runs, pid {info.pid}, functions at {info.http}" if info else "none runs on this home"
    return Finding("server", True, detail)


def _engine(session: Session) -> Finding:
    """The running server's store, or a new embedded one in a folder that is removed again."""
    info = session.info()
    if info is not None:
        version = session.store().query("SELECT version()").scalar()
        return Finding("engine", True, f"{session.store().engine} {version}")
    from relive_store import StoreProcess, open_store

    with scratch_folder("doctor") as folder:
        process = StoreProcess(folder / "store", folder / "s.sock", log_path=folder / "log")
        process.start()
        try:
            store = open_store(f"unix://{folder / 's.sock'}")
            version = store.query("SELECT version()").scalar()
            store.close()
        finally:
            process.stop()
    return Finding("engine", True, f"embedded ClickHouse {version}")


def _isolation(session: Session) -> Iterator[Finding]:
    from relive_runtime.isolation.probing import probe_apart

    for found in probe_apart(session.environment.get("RELIVE_UNIX_SOCKETS") == "open"):
        yield Finding(found.name, found.ok, found.detail, found.hint)


def _cgroups(session: Session) -> Finding:
    """Optional: of the running server, or what one that is started here would find."""
    info = session.info()
    if info is not None:
        return Finding("cgroups", True, str(session.control().status().get("cgroups", "not told")))
    from relive_platform.engine.workers.cgroups.groups import describe
    from relive_platform.engine.workers.cgroups.places import find_places
    from relive_platform.server.parts import cgroup_limits
    from relive_platform.settings import Settings

    settings = Settings.from_environment(session.environment, {"home": session.home})
    if settings.cgroups == "off":
        return Finding("cgroups", True, "off (RELIVE_CGROUPS=off)")
    places = find_places()
    versions = {name: place.version for name, place in places.found.items()}
    return Finding("cgroups", True, describe(cgroup_limits(settings), versions, places.reasons))


def _child() -> subprocess.Popen[bytes]:
    """A Python process that waits, to be looked into."""
    code = "import sys; print(flush=True); sys.stdin.read()"
    child = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert child.stdout is not None
    child.stdout.readline()
    return child


def _py_spy(session: Session) -> Finding:
    """Dump a child: what a supervisor does to a worker that cannot speak for itself."""
    from relive_capture.explore import outside

    child = _child()
    try:
        dump = outside.dump(child.pid, _DUMP_TIMEOUT_S)
    finally:
        child.kill()
        child.communicate()
    return Finding("py-spy", dump.ok, "can read a running worker" if dump.ok else dump.reason, dump.hint)


def _pystack(session: Session) -> Finding:
    """Optional: native stacks beside Python's."""
    from relive_capture.explore import outside

    child = _child()
    try:
        outside.pystack_remote(child.pid, _DUMP_TIMEOUT_S, native=True)
        detail = "can read native stacks of a worker"
    except outside.PystackError as error:
        detail = f"{error}; scenes of what hangs in native code are without native stacks (optional)"
    finally:
        child.kill()
        child.communicate()
    return Finding("pystack", True, detail)


def _core_files(session: Session) -> Finding:
    """Optional: the fault handler tells the stacks of a crash, a core file its locals, too."""
    from relive_runtime.isolation.core_files import core_pattern, explain

    wanted = session.environment.get("RELIVE_CORE_MB", "0") not in ("", "0")
    return Finding("core files", True, explain(core_pattern(), wanted))


def _heap_walker(session: Session) -> Finding:
    """Both do the work; the one in Python takes longer, and three times the memory."""
    from relive_capture.record.heap import PURE_VARIABLE, native_walk
    from relive_platform.engine.workers.extensions import Extensions

    problem = Extensions().problem
    if problem:
        return Finding(
            "heap walker", False, f"C extensions are not used, {problem}", "make setup builds them"
        )
    if native_walk() is not None:
        return Finding("heap walker", True, "the C extension")
    detail = "in Python: 20 to 30 times as slow. The extension needs a C compiler and Python's headers when"
    return Finding("heap walker", True, f"{detail} Relive is installed, and no {PURE_VARIABLE}=1")


def _installer(session: Session) -> Finding:
    import uv

    output = subprocess.run(
        [uv.find_uv_bin(), "--version"], capture_output=True, text=True, check=True, timeout=10
    )
    return Finding("installer", True, output.stdout.strip())


def _port(session: Session) -> Finding:
    if session.info() is not None:
        return Finding("port", True, "the server has its own")
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", _GATEWAY_PORT))
        except OSError as error:
            hint = "relive serve --http 127.0.0.1:0 picks a free one"
            return Finding("port", False, f"127.0.0.1:{_GATEWAY_PORT}: {error.strerror}", hint)
    return Finding("port", True, f"127.0.0.1:{_GATEWAY_PORT} is free")
