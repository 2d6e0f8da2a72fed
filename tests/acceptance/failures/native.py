"""Deaths in native code, and errors that C extensions raise."""

import ctypes
import mmap
import platform
import sys
import tempfile
import threading
import zlib

ILLEGAL = b"\x0f\x0b" if platform.machine() == "x86_64" else b"\x00\x00\x00\x00"


def segmentation_fault(event, context):
    """
    event = {address = 0}
    kind = "signal"
    status = "crash"
    error = "WorkerKilled"
    says = "SIGSEGV"
    locals = {address = "0"}
    missing = "crash"
    """
    address = event["address"]
    return ctypes.string_at(address)  # fails here


def abort(event, context):
    """
    event = {why = "assertion"}
    kind = "signal"
    status = "crash"
    error = "WorkerKilled"
    says = "SIGABRT"
    locals = {why = "assertion"}
    missing = "crash"
    """
    why = event["why"]
    ctypes.CDLL(None).abort()  # fails here
    return why


def interpreter_gives_up(event, context):
    """
    event = {why = "a broken extension"}
    kind = "signal"
    status = "crash"
    error = "WorkerKilled"
    says = "a broken extension"
    locals = {event = "a broken extension"}
    missing = "crash"
    """
    why = event["why"].encode()
    ctypes.pythonapi.Py_FatalError(why)  # fails here


def illegal_instruction(event, context):
    """
    event = {size = 4096}
    kind = "signal"
    status = "crash"
    error = "WorkerKilled"
    says = "SIGILL"
    locals = {event = "4096"}
    missing = "crash"
    """
    page = mmap.mmap(-1, event["size"], prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
    page.write(ILLEGAL)
    entry = ctypes.CFUNCTYPE(None)(ctypes.addressof(ctypes.c_char.from_buffer(page)))
    entry()  # fails here


def crash_in_a_thread(event, context):
    """
    event = {address = 0}
    kind = "signal"
    status = "crash"
    error = "WorkerKilled"
    says = "SIGSEGV"
    locals = {address = "0"}
    missing = "crash"
    """
    reader = threading.Thread(target=_read_in_a_thread, args=(event["address"],), name="reader")
    reader.start()
    reader.join()


def _read_in_a_thread(address):
    return ctypes.string_at(address)  # fails here: crash_in_a_thread


def end_of_a_mapped_file(event, context):
    """
    event = {size = 4096}
    kind = "signal"
    status = "crash"
    error = "WorkerKilled"
    says = "SIGBUS"
    locals = {size = "4096"}
    missing = "crash"
    """
    size = event["size"]
    with tempfile.TemporaryFile() as file:
        file.truncate(size)
        view = mmap.mmap(file.fileno(), size)
        file.truncate(0)
        return view[0]  # fails here


def stack_overflow(event, context):
    """
    event = {depth = 1000000}
    kind = ["signal", "recursion"]
    status = ["crash", "error"]
    error = ["WorkerKilled", "RecursionError"]
    where = "descend"
    missing = "anything"
    """
    sys.setrecursionlimit(event["depth"])

    def descend(value):
        return sorted([value], key=descend)

    return descend(1)


def corrupt_data(event, context):
    """
    event = {hex = "789c4bcc00"}
    error = "zlib.error"
    says = "incomplete or truncated stream"
    locals = {packed = "b'x\\\\x9cK\\\\xcc\\\\x00'"}
    """
    packed = bytes.fromhex(event["hex"])
    return zlib.decompress(packed).decode()  # fails here
