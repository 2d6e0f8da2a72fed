"""What became of an invocation whose worker cannot tell any more."""

from __future__ import annotations

import hashlib
import os
import signal
from typing import Final

from relive_base.parts import Why, missing
from relive_base.wire.messages import ErrorInfo
from relive_capture.explore.outside import locate
from relive_runtime.worker.faults import FAULTS

from relive_platform.engine.attempt import Attempt
from relive_platform.engine.workers.worker import Worker

__all__ = [
    "beside_crash",
    "condemned_verdict",
    "init_verdict",
    "memory_verdict",
    "timeout_verdict",
    "worker_verdict",
]

_MB: Final = 1_048_576
_OOM_SHARE: Final = 0.8  # a SIGKILL of a worker that held this much of its limit counts as out of memory


def timeout_verdict(worker: Worker, attempt: Attempt) -> ErrorInfo:
    """The handler was still running after its deadline."""
    text = f"{attempt.record.function} ran longer than its {attempt.timeout_s:g} s"
    return _error(worker, "Timeout", text, "timeout")


def memory_verdict(worker: Worker, attempt: Attempt) -> ErrorInfo:
    """The worker came too close to its memory limit. How much it held is the invocation's peak, and nothing
    that tells two failures apart."""
    text = f"the worker was stopped at 85 % of its {worker.spec.memory_mb} MB of memory"
    return _error(worker, "MemoryLimitExceeded", text, "memory")


def condemned_verdict(worker: Worker, attempt: Attempt, why: str) -> tuple[str, ErrorInfo]:
    """Status and error for a worker that the supervisor stops because of `why`."""
    if why == "timeout":
        return why, timeout_verdict(worker, attempt)
    if why == "memory":
        return why, memory_verdict(worker, attempt)
    if why == "cancelled":
        return why, _error(worker, "Cancelled", "somebody ended it with relive cancel", "cancelled")
    return ("crash", _death(worker)) if worker.ready is not None else ("init_error", init_verdict(worker))


def worker_verdict(worker: Worker, attempt: Attempt) -> tuple[str, ErrorInfo]:
    """Status and error for a worker that died while it was busy."""
    if worker.condemned_for not in ("", attempt.record.invocation_id):
        return "crash", _beside(worker)
    if worker.crashed_in not in ("", attempt.record.invocation_id):
        attempt.evidence.mark("exception", missing(Why.CRASHED_IN_ANOTHER, worker.crashed_in))
        return "crash", beside_crash(worker)
    if worker.condemned in ("timeout", "memory", "crash", "cancelled"):
        return condemned_verdict(worker, attempt, worker.condemned)
    if worker.is_ended_by_kernel():
        return "memory", _kernel_verdict(worker)
    # The system's own figure has the pages of mapped files in it: only if nobody has looked.
    held = attempt.evidence.rss_peak or (worker.exited.peak_rss_bytes if worker.exited else 0)
    if _is_killed(worker) and not worker.ended_for and held > worker.spec.memory_mb * _MB * _OOM_SHARE:
        attempt.evidence.hold(held)
        text = f"the worker was killed (SIGKILL) with over 80 % of its {worker.spec.memory_mb} MB of memory"
        return "memory", _error(worker, "MemoryLimitExceeded", text, "memory")
    return "crash", _death(worker)


def init_verdict(worker: Worker) -> ErrorInfo:
    """Why a worker never got ready."""
    if worker.init_failed is not None:
        return worker.init_failed.error
    if worker.start_error:
        return _error(worker, "WorkerStartError", worker.start_error, "init")
    if worker.condemned and worker.crashed is None:
        return _error(worker, "InitTimeout", "the module was not loaded in time", "timeout")
    death = _kernel_verdict(worker) if worker.is_ended_by_kernel() else _death(worker)
    death.message = f"while its module was loading, {death.message}"
    return death


def beside_crash(worker: Worker) -> ErrorInfo:
    """It ran in a worker that another request has crashed."""
    error = _error(worker, "WorkerEnded", "its worker crashed in the code of another request", "signal")
    error.message = f"its worker crashed in the code of another request, {worker.crashed_in}"
    return error


def _beside(worker: Worker) -> ErrorInfo:
    """It ran well, in a worker that had to be stopped for another invocation."""
    why = {"timeout": "ran longer than it may", "cancelled": "was cancelled"}.get(worker.condemned, "hung")
    error = _error(worker, "WorkerEnded", f"its worker was ended with another one, which {why}", "signal")
    error.message = f"its worker was ended with {worker.condemned_for}, which {why}"  # one group for all ids
    return error


def _death(worker: Worker) -> ErrorInfo:
    status = worker.exited.status if worker.exited is not None else -1
    if worker.crashed is not None:
        status = worker.crashed.signal  # it stood still; what ended it then says nothing
    elif worker.ended_for and _is_killed(worker):
        return _error(worker, "WorkerEnded", f"the server ended the worker: {worker.ended_for}", "signal")
    if status < 0:
        return _error(worker, "WorkerLost", "the worker was lost together with its zygote", "exit")
    if os.WIFSIGNALED(status):
        number = os.WTERMSIG(status)
        text = f"the worker was killed by signal {number} ({_name(number)})"
        error = _error(worker, "WorkerKilled", text, "signal")
        if number in FAULTS:
            locate(error, worker.handle.fault_text(), worker.spec.source, worker.spec.in_app)
        return error
    code = os.waitstatus_to_exitcode(status)
    text = f"the process ended itself: os._exit({code}), or exit({code}) in C code"
    return _error(worker, "WorkerExited", text, "exit")


def _kernel_verdict(worker: Worker) -> ErrorInfo:
    limit_mb = worker.handle.kernel_limit_mb()
    text = (
        f"the kernel ended the worker (SIGKILL) at the {limit_mb} MB that it and all it has started may hold"
    )
    return _error(worker, "MemoryLimitExceeded", text, "memory")


def _is_killed(worker: Worker) -> bool:
    return worker.exited is not None and worker.exited.status == signal.SIGKILL


def _name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"SIG{number}"


def _error(worker: Worker, name: str, message: str, kind: str) -> ErrorInfo:
    # Digits vary from one failure to the next; the group must not.
    stable = "".join(char for char in message if not char.isdigit())
    text = "\0".join((worker.spec.name, kind, name, stable))
    fingerprint = hashlib.blake2s(text.encode(), digest_size=8).hexdigest()
    return ErrorInfo(type=name, message=message, kind=kind, fingerprint=fingerprint)
