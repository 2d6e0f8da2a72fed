"""What people read of a reason: one sentence for each code, the same for every face."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from relive_base.parts.codes import Code, Why

__all__ = ["SENTENCES", "sentence"]

_NO_FAILED: Final = "there is no failed process to look into"
_LOST: Final = "its process {}; what could be saved is in the scene"
_NO_DEBUG: Final = "there is nothing to debug"

SENTENCES: Final[dict[Code, str]] = {
    Why.TOLD: "{0}",
    Why.EVENT_EMPTY: "the event was empty",
    Why.NO_RESULT: "the handler gave no result",
    Why.NO_LOGS: "no line was written",
    Why.NO_SPANS: "the function made no spans of its own",
    Why.NO_PROFILE: "no profile was taken",
    Why.NO_TASKS: "no asyncio task was there",
    Why.NO_BACKGROUND: "no thread or task failed unseen",
    Why.NO_CALLS: "the function made no calls",
    Why.NOT_BLOCKED: "no other request kept it waiting",
    Why.RAN_BESIDE_OTHERS: "requests of a service run beside each other: their calls are not recorded",
    Why.SERVES_ON: f"{_NO_DEBUG}: the service goes on with its other requests",
    Why.NO_HEAP_SERVES_ON: f"{_NO_FAILED}: the service goes on with its other requests",
    Why.NO_OWN_FRAME: "no frame of the function's own code",
    Why.NO_FRAMES: "no frames to take source files from",
    Why.NO_BODY: "a request without a body: see context",
    Why.NO_HEALTHY: "no event of this version, of at most 64 KiB, has succeeded yet",
    Why.SUCCEEDED: "the invocation itself succeeded",
    Why.SPOKE_FOR_ITSELF: "not needed: the process could speak for itself",
    Why.VALUES_OFF: 'capture = "off" in relive.toml: no values are kept',
    Why.EVENT_OFF: 'capture = "off" in relive.toml: no event is kept',
    Why.RECORDING_OFF: "recording = false in relive.toml",
    Why.HEAP_OFF: 'capture = "{0}" in relive.toml: no heap is kept',
    Why.SIZE_LIMIT: "the size limit of {0} bytes was reached",
    Why.CPU_LIMIT: "the CPU limit of {0} ms was reached",
    Why.SHARE_LIMIT: "the share of one value of the CPU limit was reached",
    Why.VALUES_CUT: "{0} values are not shown in full",
    Why.LIBRARIES_CUT: "{0} frames of libraries have no locals",
    Why.LOCALS_LEFT_OUT: "{0} locals are left out",
    Why.FRAMES_LEFT_OUT: "{0} frames in the middle were left out, over {1}",
    Why.EXCEPTIONS_LEFT_OUT: "only {0} exceptions of the chain and its groups are kept",
    Why.FILES_LEFT_OUT: "{0} files could not be read or are over {1} bytes together",
    Why.LEFT_OUT: "{0} {1} left out",
    Why.REDACTED: "{0} values were redacted",
    Why.NOT_SEARCHED: "its Content-Encoding cannot be searched for secrets",
    Why.TOO_LARGE: "{0} bytes are over the limit of {1}",
    Why.CALLS_LEFT_OUT: "{0} calls are over the limit of their number",
    Why.BODIES_CUT: "{0} bodies were cut",
    Why.OTHER_CONNECTIONS: "connections that are not HTTP: {0}",
    Why.RANDOM_UNREADABLE: "the state of `random` cannot be read in this interpreter",
    Why.URANDOM_LEFT_OUT: "os.urandom was called {0} times more than is kept",
    Why.CAPTURE_FAILED: "the capture itself failed: {0}",
    Why.WITHOUT_VALUES: "tried again without values",
    Why.ENDED_OVER_TEXT: "the process ended while an exception was asked for its text",
    Why.HOW_IT_ENDED: "{0}",
    Why.NOT_TOLD: "it could not be told: {0}",
    Why.ENDED_BEFORE_SAVING: "the process ended before it could be saved",
    Why.ENDED_BEFORE_RECORDING: "the process ended before it could save its seeds and calls",
    Why.ENDED_BEFORE_WALK: "the process ended before its heap could be walked",
    Why.ENDED: "the process has ended",
    Why.SAMPLES_LOST: "its samples went with the process",
    Why.SERVER_ENDED: "the server ended before it could be saved",
    Why.READ_WITH: "read from outside with {0}",
    Why.READ_FROM_CORE: "read from a core file with pystack",
    Why.CORE_UNREADABLE: "the core file could not be read: {0}",
    Why.NO_LOCALS: "from the fault handler: frames without locals",
    Why.PYTHON_FRAMES_ALONE: "Python's frames alone: {0}",
    Why.NO_STOP: "the process did not stop to be read",
    Why.CANNOT_STOP: "a process cannot stop to be read: Relive's C extensions were not built",
    Why.NOT_READ_IN_TIME: "it was not read within {0:g} s",
    Why.DUMP_FAILED: "the dump failed: {0}",
    Why.OTHERS_WERE_READ: "{0} other processes that crashed were being read",
    Why.TOOL_MISSING: "{0} is not installed",
    Why.TOOL_SILENT: "{0} gave no answer within {1} s",
    Why.TOOL_NOT_STARTED: "{0} cannot be started: {1}",
    Why.TOOL_TOO_LONG: "{0} wrote more than {1} bytes",
    Why.TOOL_UNREADABLE: "{0}'s answer cannot be read: {1}",
    Why.TOOL_STATUS: "{0} ended with status {1}: {2}",
    Why.NO_THREAD: "the process has no Python thread",
    Why.NO_PTRACE: "ptrace of the worker is not permitted",
    Why.GONE_BEFORE_READ: "the process was gone before it could be read",
    Why.WALK_PENDING: "the snapshot is being taken",
    Why.NO_FAILED_PROCESS_ANSWERED: f"{_NO_FAILED}: the function answered, and goes on",
    Why.NO_FAILED_PROCESS_UNRUN: f"{_NO_FAILED}: none of its code has run",
    Why.HEAP_OF_SAME_FAILURE: "the same failure's heap was taken {0:.0f} s ago, in {1}"
    " (once in {2:g} s, RELIVE_HEAP_INTERVAL_S)",
    Why.WALKS_AT_ONCE: "{0} other snapshots were being taken, the limit",
    Why.SHORT_OF_MEMORY: "memory: {0} MB were available on the machine, under {1} MB, {2} x the {3} MB that"
    " the worker held",
    Why.WALK_LATE: "the walk was not done in time",
    Why.WALK_TOO_LARGE: "the walk took the process over {0} MB",
    Why.WALK_ENDED: "the process ended while its heap was walked",
    Why.WALK_SERVER_STOPPED: "the server stopped while the heap was walked",
    Why.WALK_NO_MEMORY: "there was no memory for the walk",
    Why.WALK_NOT_WRITTEN: "it could not be written: {0}",
    Why.WALK_FAILED: "the walk failed: {0}",
    Why.WALK_OBJECTS: "the limit of {0} objects was reached",
    Why.WALK_BYTES: "the limit of {0} bytes was reached",
    Why.WALK_CPU: "the limit of {0:g} s of CPU time was reached",
    Why.WALK_MEMORY: "there was no more memory for the walk",
    Why.HEAP_FILES_GONE: "the worker's files are not there: {0}",
    Why.HEAP_REJECTED: "{0}",
    Why.NO_MEMORY_TO_READ: "there was no memory to read it",
    Why.NO_REACTION: "the process did not react",
    Why.NO_REACTION_IN: "the process did not react in {0:.1f} s ({1:.1f} s of CPU)",
    Why.GREW: "the process grew to {0} MB before it reacted",
    Why.CANCELLED: "it was cancelled",
    Why.KEPT: "its process is kept, stopped, for {0:g} s at most",
    Why.KEPT_TIME_OVER: "its process was kept, stopped, for {0:g} s at most; that is over",
    Why.WENT_ON: "the invocation went well, and its process went on",
    Why.NOTHING_TO_DEBUG_ANSWERED: f"{_NO_DEBUG}: the function answered, and goes on",
    Why.NOTHING_TO_DEBUG_UNRUN: f"{_NO_DEBUG}: the handler never began",
    Why.NONE_ARE_KEPT: "failed workers are not kept (RELIVE_FROZEN_WORKERS is 0)",
    Why.HAD_CHILDREN: "it had started processes that were still running, and must end with them",
    Why.SAME_IS_DEBUGGED: "somebody debugs the same failure in {0}",
    Why.KEPT_ARE_DEBUGGED: "all {0} workers that may be kept are being debugged",
    Why.LOST_BY_ITSELF: _LOST.format("ended by itself"),
    Why.LOST_STOPPED: _LOST.format("had to be stopped from outside, as it did not react"),
    Why.LOST_CANCELLED: _LOST.format("was ended by relive cancel"),
    Why.LOST_TO_SERVER: _LOST.format("was ended by the server"),
    Why.LOST_TO_KERNEL: _LOST.format("was ended by the kernel, for the memory of its cgroup"),
    Why.LOST_CRASHED: _LOST.format("crashed"),
    Why.STORE_ALONE: "no file could be written ({0}): this scene is in the store alone",
    Why.NO_FILE: "no file could be written ({0})",
}


def sentence(code: Code, arguments: Sequence[object]) -> str:
    """The sentence of a reason. A file may give arguments that do not fit: then it is the code's name."""
    try:
        return SENTENCES[code].format(*arguments)
    except (LookupError, TypeError, ValueError):
        return str(code)
