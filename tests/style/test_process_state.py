"""What belongs to the whole process is changed only where nothing else runs in it.

A umask, a working directory, a variable or a limit that one thread sets for a moment is what every other
thread works with meanwhile, and what every process gets that is started meanwhile.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
ROOMS = (
    "base",
    "store",
    "tracer",
    "capture",
    "profiler",
    "outside",
    "platform",
    "tui",
    "web",
    "agents",
    "cli",
)
OF_MODULES = {
    "os": "umask chdir fchdir chroot putenv unsetenv setpgid setsid setuid setgid setgroups",
    "os.environ": "update pop setdefault clear",
    "sys": "setrecursionlimit setswitchinterval",
    "sys.path": "insert",
    "socket": "setdefaulttimeout",
    "locale": "setlocale",
    "resource": "setrlimit",
    "time": "tzset",
    "warnings": "simplefilter",
}
CALLS = {f"{module}.{name}" for module, names in OF_MODULES.items() for name in names.split()}
ALLOWED = {
    # a process of our own, before it starts a thread
    "platform/relive_platform/signals/handover/process.py": {"os.environ.update"},
    "platform/relive_platform/signals/receivers/otlp/process.py": {"os.environ.update"},
    "platform/relive_platform/server/gateways/process.py": {"os.environ.update"},
    "platform/relive_platform/server/process_limits.py": {"resource.setrlimit"},
    "platform/relive_platform/inbox/process.py": {"resource.setrlimit"},
    "runtime/relive_runtime/isolation/confined.py": {"resource.setrlimit"},
    "runtime/relive_runtime/isolation/limits.py": {"resource.setrlimit"},
    "runtime/relive_runtime/isolation/users.py": {"os.setgroups"},
    "runtime/relive_runtime/worker/start/process.py": {
        *("os.setsid", "resource.setrlimit", "os.environ.clear", "os.environ.update", "time.tzset"),
        *("os.chdir", "sys.path.insert"),
    },
    # the trace of the invocation, as AWS Lambda's runtime does it
    "runtime/relive_runtime/worker/start/lambda_variables.py": {"os.environ[]"},
    # a replay: the environment that the failed invocation had
    "capture/relive_capture/record/playback/player.py": {"os.environ[]", "os.environ.pop", "time.tzset"},
    # what the function finds there is its own, as without Relive
    "outside/relive_outside/hosts/wrapped.py": {"os.environ[]", "os.environ.pop"},
    # a worker that has failed and gets no event any more
    "capture/relive_capture/record/heap/snapshot.py": {"resource.setrlimit"},
    # the user's own tests: a process of their own, or theirs for the length of a call, as they asked for it
    "cli/relive/testing/apart.py": {"resource.setrlimit"},
    "cli/relive/testing/invocation.py": {
        "os.environ.update",
        "os.environ.clear",
        "os.chdir",
        "sys.path.insert",
    },
}


def _changes(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and ast.unparse(node.func) in CALLS:
            yield ast.unparse(node.func)
        targets = node.targets if isinstance(node, (ast.Assign, ast.Delete)) else []
        for target in targets:
            if isinstance(target, ast.Subscript) and ast.unparse(target.value) == "os.environ":
                yield "os.environ[]"


def test_nothing_changes_the_process_for_others() -> None:
    wrong = []
    for room in ROOMS:
        for path in sorted((ROOT / room).rglob("*.py")):
            name = path.relative_to(ROOT).as_posix()
            found = set(_changes(ast.parse(path.read_text(encoding="utf-8"))))
            wrong += [f"{name}: {call}" for call in sorted(found - ALLOWED.get(name, set()))]
    assert not wrong
