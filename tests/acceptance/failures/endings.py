"""The process ends, or its limits do."""

import os
import signal
import sys
import time

GONE = "the process ended before"


def asks_to_exit(event, context):
    """
    event = {code = 3}
    kind = "exit"
    status = "crash"
    error = "SystemExit"
    says = "3"
    locals = {code = "3"}
    """
    code = event["code"]
    sys.exit(code)  # fails here


def ends_itself(event, context):
    """
    event = {code = 7}
    kind = "exit"
    status = "crash"
    error = "WorkerExited"
    says = "os._exit(7)"
    logs = "goodbye"
    where = ""
    missing = "gone"
    """
    print("goodbye")
    os._exit(event["code"])


def killed(event, context):
    """
    event = {order = 12}
    kind = "signal"
    status = "crash"
    error = "WorkerKilled"
    says = "SIGKILL"
    logs = "order 12"
    where = ""
    missing = "gone"
    """
    print("order", event["order"])
    os.kill(os.getpid(), signal.SIGKILL)
    time.sleep(5)


def terminated(event, context):
    """
    event = {order = 13}
    kind = "signal"
    status = "crash"
    error = "WorkerKilled"
    says = "SIGTERM"
    where = ""
    missing = "gone"
    """
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(5)


def endless_recursion(event, context, depth=0):
    """
    event = {parent = "self"}
    kind = "recursion"
    error = "RecursionError"
    locals = {event = "'self'"}
    missing = {exception = "frames in the middle were left out"}
    """
    return endless_recursion(event, context, depth + 1)  # fails here


def one_huge_allocation(event, context):
    """
    event = {gigabytes = 64}
    kind = "memory"
    status = "memory"
    error = "MemoryError"
    locals = {size = "68719476736"}
    """
    size = event["gigabytes"] << 30
    return len(bytearray(size))  # fails here


def slow_leak(event, context):
    """
    event = {step = 1048576}
    kind = "memory"
    status = "memory"
    error = ["MemoryLimitExceeded", "MemoryError"]
    memory_mb = 256
    timeout_s = 20
    locals = {step = "1048576"}
    where = "slow_leak"
    missing = "anything"
    """
    step, hoard = event["step"], []
    while True:
        hoard.append(bytearray(step))
        time.sleep(0.001)


def unserialisable_result(event, context):
    """
    event = {tags = ["a", "b"]}
    kind = "bad_result"
    error = "BadResult"
    says = "set"
    where = ""
    result = "tags"
    missing = "no frames"
    """
    return {"tags": [1, set(event["tags"])]}


def oversized_result(event, context):
    """
    event = {megabytes = 8}
    kind = "bad_result"
    error = "BadResult"
    says = "over the limit"
    where = ""
    missing = "no frames"
    """
    return "x" * (event["megabytes"] << 20)


def not_a_number(event, context):
    """
    event = {total = 0}
    kind = "bad_result"
    error = "BadResult"
    says = "NaN"
    where = ""
    missing = "no frames"
    """
    return {"mean": float("nan") if not event["total"] else 1.0}


def poisoned_event(event, context):
    """
    raw = '{"price": NaN}'
    kind = "bad_event"
    error = "BadEvent"
    says = "NaN"
    where = ""
    missing = "no frames"
    """
    return event


def deep_event(event, context):
    """
    raw = '[['
    kind = "bad_event"
    error = "BadEvent"
    says = "not JSON"
    where = ""
    missing = "no frames"
    """
    return event
