"""What every Python under `relive-record` begins with: it waits for a server or a worker to be imported, and
is a script until then."""

from __future__ import annotations

from functools import partial

from relive_capture.record.recording import when_imported

from relive_outside.hosts import celery_tasks, servers
from relive_outside.hosts.script import Script
from relive_outside.recording import inside_relive, own_recorder

__all__ = ["start"]

_SCRIPT_WAIT_S = 2.0


def start() -> None:
    """Call it once, before anything of the application is imported."""
    if inside_relive():
        return
    recorder = own_recorder("script", _SCRIPT_WAIT_S)
    if not recorder.on:
        return
    script = Script(recorder)
    script.begin()
    when_imported(
        {
            "threading": script.patch_threading,
            "uvicorn.config": partial(servers.patch_uvicorn, recorder, script.is_none),
            "gunicorn.app.base": partial(servers.patch_gunicorn, recorder, script.is_none),
            "celery.signals": partial(celery_tasks.patch, recorder, script.is_none),
        }
    )
