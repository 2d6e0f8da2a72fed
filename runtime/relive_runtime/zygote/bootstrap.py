"""First file of a zygote: `python -I -S bootstrap.py RUNTIME_DIR CONTROL_FD OPTIONS`.

OPTIONS is a JSON object: `deps_dir` (str, may be empty), `preload` (list of top-level module names), `tier`
(of isolation, the highest that its workers may want), `users` (for its workers: the first, and how many; see
isolation/users.py), `cgroups` (the files of the groups that it is to enter), `code_root` and `scratch_root`
(where its workers' folders are), `without` (modules of Relive that are not to be imported: what was compiled
of another source), `confined` (whether it takes rights from itself), and what `confining` takes then.
Nothing of the server's environment is on sys.path: dependencies, the standard library, Relive's runtime.
"""

from __future__ import annotations

import json
import os
import sys

__all__ = ["main"]


def main(arguments: list[str]) -> None:
    """Run the zygote; in each forked child, run the worker instead. Does not return."""
    runtime_dir, control_fd, options_text = arguments
    options_map = json.loads(options_text)
    for file in options_map.get("cgroups") or []:
        _enter_group(file)
    for name in options_map.get("without") or []:
        sys.modules[name] = None  # type: ignore[assignment]  # to import it raises ImportError
    sys.path.append(runtime_dir)
    from relive_runtime.isolation.confining import confine
    from relive_runtime.isolation.family import spaces_for
    from relive_runtime.isolation.ways import users_for

    family, no_family = spaces_for(int(options_map.get("tier") or 1))
    users, no_users = users_for(runtime_dir, options_map, family)
    from relive_runtime.zygote.lean import begin
    from relive_runtime.zygote.paths import add_dependencies, prefer_runtime

    confined = confine(runtime_dir, options_map, family, users) if options_map.get("confined") else None
    # From here on others' code runs: .pth files are the first. Before anything else is imported: if the
    # function brings its own msgspec or OpenTelemetry, it is used.
    folders = add_dependencies(str(options_map.get("deps_dir") or ""), runtime_dir)
    try:
        begin()
        from relive_runtime.zygote.serving import serve

        misfit = ""
    except Exception as error:  # the function's own version of a package that Relive is built on does not fit
        misfit = f"{type(error).__name__}: {error}"
        prefer_runtime(str(options_map.get("deps_dir") or ""), runtime_dir)
        from relive_runtime.zygote.serving import serve
    from relive_runtime.zygote.options import ZygoteOptions

    options = ZygoteOptions(runtime_dir, options_map, misfit, folders, confined, family, no_family, no_users)
    # The child's stack starts here too, so that the user's tracebacks hold nothing of the zygote's loop.
    start = serve(int(control_fd), options)
    if start is not None:
        from relive_runtime.worker.main import run

        run(start)


def _enter_group(file: str) -> None:
    """Move this process, which has one thread and no children yet, into the group of a `cgroup.procs`."""
    try:
        descriptor = os.open(file, os.O_WRONLY | os.O_CLOEXEC)
        try:
            os.write(descriptor, b"0")
        finally:
            os.close(descriptor)
    except OSError as error:  # it goes on where it is; its workers are moved all the same
        print(f"no group of its own: {error}", file=sys.stderr)


if __name__ == "__main__":
    main(sys.argv[1:])
