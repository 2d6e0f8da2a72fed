"""Running the programs that look into a process, within a time and a size."""

from __future__ import annotations

import os
import selectors
import shutil
import subprocess
import sys
import sysconfig
import time
from typing import Final

__all__ = ["MAX_OUTPUT_BYTES", "find_program", "run_program"]

MAX_OUTPUT_BYTES: Final = 8 * 1024 * 1024


def find_program(name: str) -> str | None:
    """A program: beside this interpreter (where its wheel puts it), else on PATH."""
    for folder in (sysconfig.get_path("scripts"), os.path.dirname(sys.executable)):
        candidate = os.path.join(folder, name)
        if os.access(candidate, os.X_OK):
            return candidate
    return shutil.which(name)


def run_program(command: list[str], timeout_s: float) -> tuple[bytes, bytes, int]:
    """(stdout, stderr, status), each at most a little over MAX_OUTPUT_BYTES. Raises TimeoutError, OSError."""
    deadline = time.monotonic() + timeout_s
    with subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        try:
            output, errors = _collect(process, deadline)
            status = process.wait(max(deadline - time.monotonic(), 0.01))
        except subprocess.TimeoutExpired as error:
            raise TimeoutError from error
        finally:
            if process.poll() is None:
                process.kill()
    return output, errors, status


def _collect(process: subprocess.Popen[bytes], deadline: float) -> tuple[bytes, bytes]:
    assert process.stdout is not None
    assert process.stderr is not None
    buffers = {process.stdout.fileno(): bytearray(), process.stderr.fileno(): bytearray()}
    with selectors.DefaultSelector() as selector:
        for descriptor in buffers:
            selector.register(descriptor, selectors.EVENT_READ)
        while selector.get_map():
            left = deadline - time.monotonic()
            ready = selector.select(max(left, 0))
            if left <= 0 and not ready:
                raise TimeoutError
            for key, _ in ready:
                chunk = os.read(key.fd, 65536)
                buffers[key.fd] += chunk
                if not chunk or len(buffers[key.fd]) > MAX_OUTPUT_BYTES:
                    selector.unregister(key.fd)
                    if chunk:
                        process.kill()  # it writes more than anybody will read
    output, errors = buffers.values()
    return bytes(output), bytes(errors)
