from collections.abc import Iterable as _Iterable
from collections.abc import Mapping as _Mapping
from typing import ClassVar as _ClassVar

from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from google.protobuf.internal import containers as _containers

DESCRIPTOR: _descriptor.FileDescriptor

class DeployHeader(_message.Message):
    __slots__ = ("handler", "name", "path")
    PATH_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    HANDLER_FIELD_NUMBER: _ClassVar[int]
    path: str
    name: str
    handler: str
    def __init__(
        self, path: str | None = ..., name: str | None = ..., handler: str | None = ...
    ) -> None: ...

class DeployRequest(_message.Message):
    __slots__ = ("chunk", "header")
    HEADER_FIELD_NUMBER: _ClassVar[int]
    CHUNK_FIELD_NUMBER: _ClassVar[int]
    header: DeployHeader
    chunk: bytes
    def __init__(
        self, header: DeployHeader | _Mapping | None = ..., chunk: bytes | None = ...
    ) -> None: ...

class Progress(_message.Message):
    __slots__ = ("detail", "fraction", "phase")
    PHASE_FIELD_NUMBER: _ClassVar[int]
    DETAIL_FIELD_NUMBER: _ClassVar[int]
    FRACTION_FIELD_NUMBER: _ClassVar[int]
    phase: str
    detail: str
    fraction: float
    def __init__(
        self, phase: str | None = ..., detail: str | None = ..., fraction: float | None = ...
    ) -> None: ...

class Deployed(_message.Message):
    __slots__ = ("code_hash", "function", "seconds", "unchanged", "url", "version")
    FUNCTION_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    CODE_HASH_FIELD_NUMBER: _ClassVar[int]
    SECONDS_FIELD_NUMBER: _ClassVar[int]
    UNCHANGED_FIELD_NUMBER: _ClassVar[int]
    URL_FIELD_NUMBER: _ClassVar[int]
    function: str
    version: int
    code_hash: str
    seconds: float
    unchanged: bool
    url: str
    def __init__(
        self,
        function: str | None = ...,
        version: int | None = ...,
        code_hash: str | None = ...,
        seconds: float | None = ...,
        unchanged: bool | None = ...,
        url: str | None = ...,
    ) -> None: ...

class DeployEvent(_message.Message):
    __slots__ = ("deployed", "progress")
    PROGRESS_FIELD_NUMBER: _ClassVar[int]
    DEPLOYED_FIELD_NUMBER: _ClassVar[int]
    progress: Progress
    deployed: Deployed
    def __init__(
        self,
        progress: Progress | _Mapping | None = ...,
        deployed: Deployed | _Mapping | None = ...,
    ) -> None: ...

class ListFunctionsRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class FunctionInfo(_message.Message):
    __slots__ = (
        "app",
        "code_dir",
        "code_hash",
        "handler",
        "kind",
        "max_workers",
        "memory_mb",
        "name",
        "timeout_s",
        "triggers",
        "url",
        "version",
    )
    NAME_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    URL_FIELD_NUMBER: _ClassVar[int]
    APP_FIELD_NUMBER: _ClassVar[int]
    CODE_HASH_FIELD_NUMBER: _ClassVar[int]
    HANDLER_FIELD_NUMBER: _ClassVar[int]
    TIMEOUT_S_FIELD_NUMBER: _ClassVar[int]
    MEMORY_MB_FIELD_NUMBER: _ClassVar[int]
    MAX_WORKERS_FIELD_NUMBER: _ClassVar[int]
    TRIGGERS_FIELD_NUMBER: _ClassVar[int]
    CODE_DIR_FIELD_NUMBER: _ClassVar[int]
    name: str
    kind: str
    version: int
    url: str
    app: str
    code_hash: str
    handler: str
    timeout_s: float
    memory_mb: int
    max_workers: int
    triggers: _containers.RepeatedScalarFieldContainer[str]
    code_dir: str
    def __init__(
        self,
        name: str | None = ...,
        kind: str | None = ...,
        version: int | None = ...,
        url: str | None = ...,
        app: str | None = ...,
        code_hash: str | None = ...,
        handler: str | None = ...,
        timeout_s: float | None = ...,
        memory_mb: int | None = ...,
        max_workers: int | None = ...,
        triggers: _Iterable[str] | None = ...,
        code_dir: str | None = ...,
    ) -> None: ...

class ListFunctionsResponse(_message.Message):
    __slots__ = ("functions",)
    FUNCTIONS_FIELD_NUMBER: _ClassVar[int]
    functions: _containers.RepeatedCompositeFieldContainer[FunctionInfo]
    def __init__(self, functions: _Iterable[FunctionInfo | _Mapping] | None = ...) -> None: ...

class InvokeRequest(_message.Message):
    __slots__ = ("asynchronous", "event", "event_id", "function", "precise", "traceparent", "version")
    FUNCTION_FIELD_NUMBER: _ClassVar[int]
    EVENT_FIELD_NUMBER: _ClassVar[int]
    ASYNCHRONOUS_FIELD_NUMBER: _ClassVar[int]
    PRECISE_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    TRACEPARENT_FIELD_NUMBER: _ClassVar[int]
    EVENT_ID_FIELD_NUMBER: _ClassVar[int]
    function: str
    event: bytes
    asynchronous: bool
    precise: bool
    version: int
    traceparent: str
    event_id: str
    def __init__(
        self,
        function: str | None = ...,
        event: bytes | None = ...,
        asynchronous: bool | None = ...,
        precise: bool | None = ...,
        version: int | None = ...,
        traceparent: str | None = ...,
        event_id: str | None = ...,
    ) -> None: ...

class Error(_message.Message):
    __slots__ = ("file", "function", "kind", "line", "message", "traceback", "type")
    TYPE_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    FILE_FIELD_NUMBER: _ClassVar[int]
    LINE_FIELD_NUMBER: _ClassVar[int]
    FUNCTION_FIELD_NUMBER: _ClassVar[int]
    TRACEBACK_FIELD_NUMBER: _ClassVar[int]
    type: str
    message: str
    kind: str
    file: str
    line: int
    function: str
    traceback: str
    def __init__(
        self,
        type: str | None = ...,
        message: str | None = ...,
        kind: str | None = ...,
        file: str | None = ...,
        line: int | None = ...,
        function: str | None = ...,
        traceback: str | None = ...,
    ) -> None: ...

class InvokeResponse(_message.Message):
    __slots__ = ("cold", "duration_ms", "error", "invocation_id", "result", "status", "trace_id", "version")
    INVOCATION_ID_FIELD_NUMBER: _ClassVar[int]
    TRACE_ID_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    RESULT_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    DURATION_MS_FIELD_NUMBER: _ClassVar[int]
    COLD_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    invocation_id: str
    trace_id: str
    status: str
    result: bytes
    error: Error
    duration_ms: float
    cold: bool
    version: int
    def __init__(
        self,
        invocation_id: str | None = ...,
        trace_id: str | None = ...,
        status: str | None = ...,
        result: bytes | None = ...,
        error: Error | _Mapping | None = ...,
        duration_ms: float | None = ...,
        cold: bool | None = ...,
        version: int | None = ...,
    ) -> None: ...

class ListEventsRequest(_message.Message):
    __slots__ = ("function", "limit", "state")
    FUNCTION_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    function: str
    state: str
    limit: int
    def __init__(
        self, function: str | None = ..., state: str | None = ..., limit: int | None = ...
    ) -> None: ...

class EventInfo(_message.Message):
    __slots__ = ("attempts", "enqueued_ns", "event_id", "function", "last_error", "next_at_ns", "state")
    EVENT_ID_FIELD_NUMBER: _ClassVar[int]
    FUNCTION_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    ATTEMPTS_FIELD_NUMBER: _ClassVar[int]
    NEXT_AT_NS_FIELD_NUMBER: _ClassVar[int]
    LAST_ERROR_FIELD_NUMBER: _ClassVar[int]
    ENQUEUED_NS_FIELD_NUMBER: _ClassVar[int]
    event_id: str
    function: str
    state: str
    attempts: int
    next_at_ns: int
    last_error: str
    enqueued_ns: int
    def __init__(
        self,
        event_id: str | None = ...,
        function: str | None = ...,
        state: str | None = ...,
        attempts: int | None = ...,
        next_at_ns: int | None = ...,
        last_error: str | None = ...,
        enqueued_ns: int | None = ...,
    ) -> None: ...

class ListEventsResponse(_message.Message):
    __slots__ = ("events",)
    EVENTS_FIELD_NUMBER: _ClassVar[int]
    events: _containers.RepeatedCompositeFieldContainer[EventInfo]
    def __init__(self, events: _Iterable[EventInfo | _Mapping] | None = ...) -> None: ...

class RetryEventRequest(_message.Message):
    __slots__ = ("event_id",)
    EVENT_ID_FIELD_NUMBER: _ClassVar[int]
    event_id: str
    def __init__(self, event_id: str | None = ...) -> None: ...

class RetryEventResponse(_message.Message):
    __slots__ = ("event",)
    EVENT_FIELD_NUMBER: _ClassVar[int]
    event: EventInfo
    def __init__(self, event: EventInfo | _Mapping | None = ...) -> None: ...

class FollowLogsRequest(_message.Message):
    __slots__ = ("function", "invocation_id")
    FUNCTION_FIELD_NUMBER: _ClassVar[int]
    INVOCATION_ID_FIELD_NUMBER: _ClassVar[int]
    function: str
    invocation_id: str
    def __init__(self, function: str | None = ..., invocation_id: str | None = ...) -> None: ...

class LogEntry(_message.Message):
    __slots__ = (
        "body",
        "function",
        "invocation_id",
        "severity",
        "source",
        "span_id",
        "timestamp_ns",
        "trace_id",
    )
    TIMESTAMP_NS_FIELD_NUMBER: _ClassVar[int]
    SEVERITY_FIELD_NUMBER: _ClassVar[int]
    BODY_FIELD_NUMBER: _ClassVar[int]
    FUNCTION_FIELD_NUMBER: _ClassVar[int]
    INVOCATION_ID_FIELD_NUMBER: _ClassVar[int]
    TRACE_ID_FIELD_NUMBER: _ClassVar[int]
    SPAN_ID_FIELD_NUMBER: _ClassVar[int]
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    timestamp_ns: int
    severity: str
    body: str
    function: str
    invocation_id: str
    trace_id: str
    span_id: str
    source: str
    def __init__(
        self,
        timestamp_ns: int | None = ...,
        severity: str | None = ...,
        body: str | None = ...,
        function: str | None = ...,
        invocation_id: str | None = ...,
        trace_id: str | None = ...,
        span_id: str | None = ...,
        source: str | None = ...,
    ) -> None: ...

class LogBatch(_message.Message):
    __slots__ = ("dropped", "lines")
    LINES_FIELD_NUMBER: _ClassVar[int]
    DROPPED_FIELD_NUMBER: _ClassVar[int]
    lines: _containers.RepeatedCompositeFieldContainer[LogEntry]
    dropped: int
    def __init__(
        self, lines: _Iterable[LogEntry | _Mapping] | None = ..., dropped: int | None = ...
    ) -> None: ...

class RequestProfilesRequest(_message.Message):
    __slots__ = ("count", "function")
    FUNCTION_FIELD_NUMBER: _ClassVar[int]
    COUNT_FIELD_NUMBER: _ClassVar[int]
    function: str
    count: int
    def __init__(self, function: str | None = ..., count: int | None = ...) -> None: ...

class RequestProfilesResponse(_message.Message):
    __slots__ = ("count",)
    COUNT_FIELD_NUMBER: _ClassVar[int]
    count: int
    def __init__(self, count: int | None = ...) -> None: ...

class QueryRequest(_message.Message):
    __slots__ = ("bytes_columns", "max_rows", "parameters_msgpack", "sql", "timeout_s")
    SQL_FIELD_NUMBER: _ClassVar[int]
    TIMEOUT_S_FIELD_NUMBER: _ClassVar[int]
    MAX_ROWS_FIELD_NUMBER: _ClassVar[int]
    PARAMETERS_MSGPACK_FIELD_NUMBER: _ClassVar[int]
    BYTES_COLUMNS_FIELD_NUMBER: _ClassVar[int]
    sql: str
    timeout_s: float
    max_rows: int
    parameters_msgpack: bytes
    bytes_columns: _containers.RepeatedScalarFieldContainer[str]
    def __init__(
        self,
        sql: str | None = ...,
        timeout_s: float | None = ...,
        max_rows: int | None = ...,
        parameters_msgpack: bytes | None = ...,
        bytes_columns: _Iterable[str] | None = ...,
    ) -> None: ...

class QueryBatch(_message.Message):
    __slots__ = ("columns_msgpack", "names", "types")
    NAMES_FIELD_NUMBER: _ClassVar[int]
    TYPES_FIELD_NUMBER: _ClassVar[int]
    COLUMNS_MSGPACK_FIELD_NUMBER: _ClassVar[int]
    names: _containers.RepeatedScalarFieldContainer[str]
    types: _containers.RepeatedScalarFieldContainer[str]
    columns_msgpack: bytes
    def __init__(
        self,
        names: _Iterable[str] | None = ...,
        types: _Iterable[str] | None = ...,
        columns_msgpack: bytes | None = ...,
    ) -> None: ...

class StatusRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class StatusResponse(_message.Message):
    __slots__ = ("json",)
    JSON_FIELD_NUMBER: _ClassVar[int]
    json: bytes
    def __init__(self, json: bytes | None = ...) -> None: ...

class StopRequest(_message.Message):
    __slots__ = ("drain_s",)
    DRAIN_S_FIELD_NUMBER: _ClassVar[int]
    drain_s: float
    def __init__(self, drain_s: float | None = ...) -> None: ...

class StopResponse(_message.Message):
    __slots__ = ("pid",)
    PID_FIELD_NUMBER: _ClassVar[int]
    pid: int
    def __init__(self, pid: int | None = ...) -> None: ...
