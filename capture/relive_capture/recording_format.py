"""What a replay needs of an invocation: `cassette.json` and `replay.json` of a scene, and how the worker
tells it.

The worker keeps what it sees as it sees it (`Recording`). The collector takes it apart and redacts it
(explore/recordings.py) before anything is written. A replay's worker is handed a `ReplayInput`.
"""

from __future__ import annotations

import errno
from typing import Final

import msgspec
from relive_base.parts import Reason

__all__ = [
    "REFUSALS",
    "SCHEMA",
    "Body",
    "Failure",
    "GivenAnswer",
    "PlaybackReport",
    "RawCall",
    "RecordedCall",
    "RecordedFile",
    "Recording",
    "ReplayInput",
    "ReplayNotes",
    "Seeds",
    "Watched",
    "WatchedPlace",
]

SCHEMA: Final = 1


class Failure(msgspec.Struct, omit_defaults=True):
    """An exception that a call ended in: its type as `module.Name` and those of its arguments that are plain.

    `where`: "connect", "tls", "send", "response" or "body". `inner`: an exception among the arguments.
    """

    type: str
    arguments: list[str | int | None] = []
    where: str = ""
    inner: Failure | None = None


class Seeds(msgspec.Struct, omit_defaults=True, kw_only=True):
    """Where chance stood. States are the Mersenne Twister's 624 words and its position, 2,500 bytes."""

    wall_ns: int = 0
    monotonic_ns: int = 0
    python: bytes = b""
    gauss_next: float | None = None
    numpy: bytes = b""
    urandom: list[bytes] = []  # what os.urandom gave, in order: uuid4, secrets, SystemRandom, default_rng()
    urandom_left_out: int = 0  # calls over the limit
    object_ids: list[tuple[bytes, int]] = []  # of bson: the first one of each run, and how many there were


class RawCall(msgspec.Struct, array_like=True, gc=False):
    """One call as the worker saw it. `form`: "wire" (`request` and `response` are HTTP/1.1 as on the wire,
    without TLS), "parts" (heads apart from bodies), "invoke" (relive.invoke), "connect" (a connection
    that failed) or "values" (`request` and `response` are typed values, one on a line: typed_values.py)."""

    form: str
    library: str
    phase: str  # "init" while the module was loaded, else "invoke"
    started_ns: int
    origin: str = ""  # "https://example.org:443"
    method: str = ""
    url: str = ""
    request: bytes = b""
    request_headers: tuple[tuple[str, str], ...] = ()
    request_cut: int = 0  # bytes that a limit left out
    response: bytes = b""
    response_headers: tuple[tuple[str, str], ...] = ()
    response_cut: int = 0
    status: int = 0
    ended: bool = False  # the end of the response was seen
    failure: Failure | None = None
    took_ns: int = 0  # until its response began, or it failed; 0: not known
    statement: str = ""  # of a call whose form is "values": SQL, or what it is about


class Body(msgspec.Struct, omit_defaults=True):
    """A body: as `text` if it is UTF-8, else in `base64`. Chunks are put together, compression stays.

    `complete` False: the function did not read on, or a limit cut `cut` bytes.
    """

    text: str = ""
    base64: str = ""
    complete: bool = True
    cut: int = 0


class RecordedCall(msgspec.Struct, omit_defaults=True, kw_only=True):
    """One call, redacted: an entry of cassette.json. `kind`: "http", "invoke", "connect" (it failed) or
    "values".

    For "invoke" `url` is the function's name, `status` is 200 if it answered. For "values" `url` is whom it
    went to ("postgresql://host:port/database"), `method` what was done, and the bodies are typed values,
    one on a line (typed_values.py).
    """

    kind: str
    library: str = ""
    phase: str = "invoke"
    started_ns: int = 0
    took_ns: int = 0  # until its response began, or it failed; 0: not known
    method: str = ""
    url: str = ""
    request_headers: list[tuple[str, str]] = []
    request_body: Body = msgspec.field(default_factory=Body)
    status: int = 0
    reason: str = ""
    response_headers: list[tuple[str, str]] = []
    response_body: Body = msgspec.field(default_factory=Body)
    failure: Failure | None = None
    redacted: list[str] = []  # places: "response.body.token"
    statement: str = ""  # of "values": SQL, or what it is about
    unknown: list[str] = []  # of "values": types in its answer that no replay can make again


REFUSALS: Final = frozenset((errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOSPC, errno.EDQUOT))
"""With which a system refuses to change a file that would be changed elsewhere."""


class RecordedFile(msgspec.Struct, omit_defaults=True, kw_only=True):
    """What an invocation found at a path when it looked there first. `kind`: "file", "folder" or "absent".

    `why` says why the content of a file, or the names in a folder, are not there: "looked" (it was not
    opened), "large", "changed" (it was another one by the time of the failure), "denied", "secret".
    `came_after`: it was found by the look after so many that found nothing; `went_after`: it was found by so
    many looks, and not by the next. 0: all found what the first did.
    `refused`: the errno with which the system refused to change, make or remove it, one of REFUSALS; 0: it
    did not.
    """

    path: str
    kind: str
    mode: int = 0
    size: int = 0
    mtime_ns: int = 0
    content: bytes = b""
    why: str = ""
    listed: bool = False
    names: list[str] = []  # in a folder, in the order in which the system had them
    folders: list[str] = []  # those of them that are folders
    came_after: int = 0
    went_after: int = 0
    refused: int = 0


class ReplayNotes(msgspec.Struct, omit_defaults=True, kw_only=True):
    """replay.json: what to run, and where chance and the clock stood. States and urandom values are in
    base64."""

    schema: int = SCHEMA
    function: str = ""
    version: int = 0
    handler: str = ""
    kind: str = "event"
    code_hash: str = ""
    dependencies: str = ""  # hash of the dependency lock; "" for none
    python: str = ""
    timeout_s: float = 0.0
    memory_mb: int = 0
    isolation_tier: int = 0
    invocation_id: str = ""
    trace_id: str = ""
    attempt: int = 1
    trigger: str = "api"
    depth: int = 0
    seeds: Seeds = msgspec.field(default_factory=Seeds)
    init_seeds: Seeds | None = None
    environment: list[str] = []  # names of the variables
    variables: dict[str, str | None] = {}  # that were read: as the invocation began, without secrets
    hidden: list[str] = []  # of these, which are not there because they are secret
    limits: list[Reason] = []  # that were hit
    hash_seed: int = 0  # of str and bytes; 0: not known
    served: int = 0  # invocations that the process had served before
    globals: dict[str, str] = {}  # of the application's modules, at the failure: "module.name" -> short text
    init_files: list[RecordedFile] = []  # read outside of the code while it was loaded
    files: list[RecordedFile] = []  # and by the invocation
    programs: list[str] = []  # that were started: what they gave is not recorded
    left: list[str] = []  # globals that earlier invocations had changed when this one began


class Recording(msgspec.Struct, kw_only=True):
    """What a worker tells of a failed invocation, inside its Scene frame."""

    notes: ReplayNotes
    recorded_calls: list[RawCall] = []
    left_out: int = 0  # calls over the limit
    connections: list[str] = []  # "host:port" of connections that were opened
    http: bool = True  # False: the recording is off for this function


class GivenAnswer(msgspec.Struct, omit_defaults=True):
    """What somebody says that a call is answered which the recording has no answer to. `name`: the function
    that is called, the URL, or method and URL."""

    name: str
    body: bytes = b""  # JSON


class WatchedPlace(msgspec.Struct, omit_defaults=True, kw_only=True):
    """A frame of the recorded failure, in the code that a replay runs: the lines `first` to `last` are the
    statement in which it stood, or what stands in its place (none if `last` is before `first`).

    `entry`, `hit`: it was in the function's n-th frame, and there the n-th time at these lines. `once`: they
    are in no loop. `after`: the last line of what branches around them; behind it they were skipped."""

    file: str
    function: str
    first: int
    last: int
    entry: int = 1
    hit: int = 1
    once: bool = False
    after: int = 0


class Watched(msgspec.Struct, omit_defaults=True):
    """What became of it: how many frames its function had, whether the one that is meant left the lines
    without an exception, and which frame went up with one from there last, and at which time."""

    entries: int = 0
    left: bool = False
    raised_entry: int = 0
    raised_hit: int = 0


class ReplayInput(msgspec.Struct, kw_only=True):
    """What a replay's worker plays back."""

    recorded_calls: list[RecordedCall] = []
    seeds: Seeds = msgspec.field(default_factory=Seeds)
    init_seeds: Seeds | None = None
    live: bool = False  # let calls reach the network
    clock: bool = True  # move the clock
    paced: bool = False  # calls take as long as they took
    travel: bool = False  # on a virtual clock, so that each run goes the same way
    timeout_s: float = 0.0  # of such a run, on its clock
    room_mb: int = 0  # what its checkpoints may hold
    out_of_time: bool = False  # the recorded failure is about time
    answers: list[GivenAnswer] = []  # for calls that the recording has no answer to
    watched: list[WatchedPlace] = []
    init_files: list[RecordedFile] = []
    files: list[RecordedFile] = []
    variables: dict[str, str | None] = {}  # of the environment; None: it is not to be there
    hidden: list[str] = []  # that were secret


class PlaybackReport(msgspec.Struct, omit_defaults=True, kw_only=True):
    """What a replay's worker says of its calls."""

    answered: int = 0
    missing: list[str] = []  # calls that are not in the recording
    unused: list[str] = []  # recorded calls that were not made
    differing: list[str] = []  # answered, but the body sent was another one
    redacted: list[str] = []  # redacted values that were handed to the function
    drawn: int = 0  # bytes of os.urandom beyond the recorded ones
    clock: str = ""  # why the clock could not be moved
    globals: dict[str, str] = {}  # as ReplayNotes.globals, before the invocation
    files: dict[str, str] = {}  # path -> how it was read: "gone", "changed" (today), "today", "large" ...
    variables: list[str] = []  # of the environment that are not there: they were redacted
    given: list[str] = []  # calls that got an answer which somebody has given
    unasked: list[str] = []  # names of given answers that no call was for
    watched: list[Watched] = []  # of each place that was watched
