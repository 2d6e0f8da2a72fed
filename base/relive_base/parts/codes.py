"""The states of parts, and the codes of the reasons for them."""

from __future__ import annotations

from enum import StrEnum
from typing import Final, NewType

__all__ = ["Code", "State", "Why"]

Code = NewType("Code", str)


class State(StrEnum):
    """`NOT_APPLICABLE`: such a failure never has the part."""

    OK = "ok"
    PARTIAL = "partial"
    MISSING = "missing"
    NOT_APPLICABLE = "not_applicable"


class Why:
    """Why a part is as it is. `sentences.SENTENCES` has what is said, and the order of the arguments.

    No `Enum`: one of a hundred members takes the user's process longer to make than all else here."""

    TOLD: Final = Code("told")  # (text) of a program that is not ours, or of a scene that has no codes

    # what the function did not do
    EVENT_EMPTY: Final = Code("event_empty")
    NO_RESULT: Final = Code("no_result")
    NO_LOGS: Final = Code("no_logs")
    NO_SPANS: Final = Code("no_spans")
    NO_PROFILE: Final = Code("no_profile")
    NO_TASKS: Final = Code("no_tasks")
    NO_BACKGROUND: Final = Code("no_background")
    NO_CALLS: Final = Code("no_calls")
    NO_OWN_FRAME: Final = Code("no_own_frame")
    NO_FRAMES: Final = Code("no_frames")
    NO_BODY: Final = Code("no_body")
    NO_HEALTHY: Final = Code("no_healthy")
    NONE_LIKE_IT: Final = Code("none_like_it")
    SUCCEEDED: Final = Code("succeeded")
    SPOKE_FOR_ITSELF: Final = Code("spoke_for_itself")

    NOT_BLOCKED: Final = Code("not_blocked")
    RANDOM_SHARED: Final = Code("random_shared")  # (requests)
    CALLS_OF_NOBODY: Final = Code("calls_of_nobody")  # (calls)
    CLIENT_UNRECORDED: Final = Code("client_unrecorded")
    CRASHED_IN_ANOTHER: Final = Code("crashed_in_another")  # (invocation)
    SERVES_ON: Final = Code("serves_on")
    NO_HEAP_SERVES_ON: Final = Code("no_heap_serves_on")
    NO_HEAP_HELD: Final = Code("no_heap_held")

    # what relive.toml says
    VALUES_OFF: Final = Code("values_off")
    EVENT_OFF: Final = Code("event_off")
    RECORDING_OFF: Final = Code("recording_off")
    HEAP_OFF: Final = Code("heap_off")  # (the value of `capture`)

    # limits of a capture
    SIZE_LIMIT: Final = Code("size_limit")  # (bytes)
    CPU_LIMIT: Final = Code("cpu_limit")  # (ms)
    SHARE_LIMIT: Final = Code("share_limit")
    VALUES_CUT: Final = Code("values_cut")  # (values)
    LIBRARIES_CUT: Final = Code("libraries_cut")  # (frames)
    LOCALS_LEFT_OUT: Final = Code("locals_left_out")
    FRAMES_LEFT_OUT: Final = Code("frames_left_out")  # (frames, limit)
    EXCEPTIONS_LEFT_OUT: Final = Code("exceptions_left_out")  # (limit)
    FILES_LEFT_OUT: Final = Code("files_left_out")  # (files, bytes)
    LEFT_OUT: Final = Code("left_out")  # (number, what)
    REDACTED: Final = Code("redacted")  # (values)
    NOT_SEARCHED: Final = Code("not_searched")
    TOO_LARGE: Final = Code("too_large")  # (bytes, limit)
    CALLS_LEFT_OUT: Final = Code("calls_left_out")
    FILES_UNRECORDED: Final = Code("files_unrecorded")  # (files)
    FILES_NOT_KEPT: Final = Code("files_not_kept")  # (files, what they are)
    PROGRAMS: Final = Code("programs")  # (names)
    BODIES_CUT: Final = Code("bodies_cut")
    OTHER_CONNECTIONS: Final = Code("other_connections")  # (places)
    VALUES_UNKNOWN: Final = Code("values_unknown")  # (calls, types)
    RANDOM_UNREADABLE: Final = Code("random_unreadable")
    URANDOM_LEFT_OUT: Final = Code("urandom_left_out")
    OBJECT_IDS_LEFT_OUT: Final = Code("object_ids_left_out")  # (values)

    # a capture that failed
    CAPTURE_FAILED: Final = Code("capture_failed")  # (type of the error)
    WITHOUT_VALUES: Final = Code("without_values")
    ENDED_OVER_TEXT: Final = Code("ended_over_text")
    HOW_IT_ENDED: Final = Code("how_it_ended")  # (message)
    NOT_TOLD: Final = Code("not_told")  # (type of the error)

    # a process that ended
    ENDED_BEFORE_SAVING: Final = Code("ended_before_saving")
    ENDED_BEFORE_RECORDING: Final = Code("ended_before_recording")
    ENDED_BEFORE_WALK: Final = Code("ended_before_walk")
    ENDED: Final = Code("ended")
    SAMPLES_LOST: Final = Code("samples_lost")
    SERVER_ENDED: Final = Code("server_ended")

    # a process that was read from outside
    READ_WITH: Final = Code("read_with")  # (tool)
    READ_FROM_CORE: Final = Code("read_from_core")
    CORE_UNREADABLE: Final = Code("core_unreadable")  # (what the reader says)
    NO_LOCALS: Final = Code("no_locals")
    PYTHON_FRAMES_ALONE: Final = Code("python_frames_alone")  # (what the reader says)
    NO_STOP: Final = Code("no_stop")
    CANNOT_STOP: Final = Code("cannot_stop")
    NOT_READ_IN_TIME: Final = Code("not_read_in_time")  # (s)
    DUMP_FAILED: Final = Code("dump_failed")  # (error)
    OTHERS_WERE_READ: Final = Code("others_were_read")  # (processes)
    TOOL_MISSING: Final = Code("tool_missing")  # (tool)
    TOOL_SILENT: Final = Code("tool_silent")  # (tool, s)
    TOOL_NOT_STARTED: Final = Code("tool_not_started")  # (tool, error)
    TOOL_TOO_LONG: Final = Code("tool_too_long")  # (tool, bytes)
    TOOL_UNREADABLE: Final = Code("tool_unreadable")  # (tool, type of the error)
    TOOL_STATUS: Final = Code("tool_status")  # (tool, status, text)
    NO_THREAD: Final = Code("no_thread")
    NO_PTRACE: Final = Code("no_ptrace")
    GONE_BEFORE_READ: Final = Code("gone_before_read")

    # the heap
    WALK_PENDING: Final = Code("walk_pending")
    NO_FAILED_PROCESS_ANSWERED: Final = Code("no_failed_process_answered")
    NO_FAILED_PROCESS_UNRUN: Final = Code("no_failed_process_unrun")
    HEAP_OF_SAME_FAILURE: Final = Code("heap_of_same_failure")  # (s ago, invocation, interval in s)
    HEAP_BESIDE_LATELY: Final = Code("heap_beside_lately")  # (s ago, interval in s)
    WALKS_AT_ONCE: Final = Code("walks_at_once")  # (walks)
    WALK_OF_ANOTHER: Final = Code("walk_of_another")
    WALK_FRAMES_GONE: Final = Code("walk_frames_gone")
    WALK_OVER_SHARE: Final = Code("walk_over_share")  # (MB held, times, MB of its share)
    SHORT_OF_MEMORY: Final = Code("short_of_memory")  # (MB available, MB needed, times, MB held)
    WALK_LATE: Final = Code("walk_late")
    WALK_TOO_LARGE: Final = Code("walk_too_large")  # (MB)
    WALK_ENDED: Final = Code("walk_ended")
    WALK_SERVER_STOPPED: Final = Code("walk_server_stopped")
    WALK_NO_MEMORY: Final = Code("walk_no_memory")
    WALK_NOT_WRITTEN: Final = Code("walk_not_written")  # (error)
    WALK_FAILED: Final = Code("walk_failed")  # (type of the error)
    WALK_OBJECTS: Final = Code("walk_objects")  # (limit)
    WALK_BYTES: Final = Code("walk_bytes")  # (limit)
    WALK_CPU: Final = Code("walk_cpu")  # (limit in s)
    WALK_MEMORY: Final = Code("walk_memory")
    HEAP_FILES_GONE: Final = Code("heap_files_gone")  # (error)
    HEAP_REJECTED: Final = Code("heap_rejected")  # (what was wrong)
    NO_MEMORY_TO_READ: Final = Code("no_memory_to_read")
    NO_REACTION: Final = Code("no_reaction")
    NO_REACTION_IN: Final = Code("no_reaction_in")  # (s, s of CPU)
    GREW: Final = Code("grew")  # (MB)
    CANCELLED: Final = Code("cancelled")

    # the live process
    KEPT: Final = Code("kept")  # (s)
    KEPT_TIME_OVER: Final = Code("kept_time_over")  # (s)
    WENT_ON: Final = Code("went_on")
    NOTHING_TO_DEBUG_ANSWERED: Final = Code("nothing_to_debug_answered")
    NOTHING_TO_DEBUG_UNRUN: Final = Code("nothing_to_debug_unrun")
    NONE_ARE_KEPT: Final = Code("none_are_kept")
    HAD_CHILDREN: Final = Code("had_children")
    SAME_IS_DEBUGGED: Final = Code("same_is_debugged")  # (invocation)
    KEPT_ARE_DEBUGGED: Final = Code("kept_are_debugged")  # (workers)
    LOST_BY_ITSELF: Final = Code("lost_by_itself")
    LOST_STOPPED: Final = Code("lost_stopped")
    LOST_CANCELLED: Final = Code("lost_cancelled")
    LOST_TO_SERVER: Final = Code("lost_to_server")
    LOST_TO_KERNEL: Final = Code("lost_to_kernel")
    LOST_CRASHED: Final = Code("lost_crashed")

    # a process that is no Python: kind = "custom"
    NO_PYTHON: Final = Code("no_python")
    TOLD_BY_PROGRAM: Final = Code("told_by_program")
    CALLS_UNSEEN: Final = Code("calls_unseen")
    NOT_KEPT: Final = Code("not_kept")
    OPTIMIZED: Final = Code("optimized")  # (what has done it)
    RUN_ANEW: Final = Code("run_anew")

    # a process that Relive did not run
    RAN_IN_RELIVE: Final = Code("ran_in_relive")
    RAN_OUTSIDE: Final = Code("ran_outside")
    CHANGED_SINCE: Final = Code("changed_since")  # (files)
    KILLED_WITH_EVENT: Final = Code("killed_with_event")
    NOT_JSON: Final = Code("not_json")  # (type)
    BODY_CUT: Final = Code("body_cut")  # (bytes)

    # the archive
    STORE_ALONE: Final = Code("store_alone")  # (error)
    NO_FILE: Final = Code("no_file")  # (error)
