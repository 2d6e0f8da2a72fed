from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class DeployHeader(_message.Message):
    __slots__ = ("path", "name", "handler", "take_over", "sender", "delete_data", "parameters", "config_env", "strict", "manifest")
    class ParametersEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    PATH_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    HANDLER_FIELD_NUMBER: _ClassVar[int]
    TAKE_OVER_FIELD_NUMBER: _ClassVar[int]
    SENDER_FIELD_NUMBER: _ClassVar[int]
    DELETE_DATA_FIELD_NUMBER: _ClassVar[int]
    PARAMETERS_FIELD_NUMBER: _ClassVar[int]
    CONFIG_ENV_FIELD_NUMBER: _ClassVar[int]
    STRICT_FIELD_NUMBER: _ClassVar[int]
    MANIFEST_FIELD_NUMBER: _ClassVar[int]
    path: str
    name: str
    handler: str
    take_over: bool
    sender: str
    delete_data: bool
    parameters: _containers.ScalarMap[str, str]
    config_env: str
    strict: bool
    manifest: str
    def __init__(self, path: _Optional[str] = ..., name: _Optional[str] = ..., handler: _Optional[str] = ..., take_over: _Optional[bool] = ..., sender: _Optional[str] = ..., delete_data: _Optional[bool] = ..., parameters: _Optional[_Mapping[str, str]] = ..., config_env: _Optional[str] = ..., strict: _Optional[bool] = ..., manifest: _Optional[str] = ...) -> None: ...

class DeployRequest(_message.Message):
    __slots__ = ("header", "chunk")
    HEADER_FIELD_NUMBER: _ClassVar[int]
    CHUNK_FIELD_NUMBER: _ClassVar[int]
    header: DeployHeader
    chunk: bytes
    def __init__(self, header: _Optional[_Union[DeployHeader, _Mapping]] = ..., chunk: _Optional[bytes] = ...) -> None: ...

class Progress(_message.Message):
    __slots__ = ("phase", "detail", "fraction", "ignored")
    PHASE_FIELD_NUMBER: _ClassVar[int]
    DETAIL_FIELD_NUMBER: _ClassVar[int]
    FRACTION_FIELD_NUMBER: _ClassVar[int]
    IGNORED_FIELD_NUMBER: _ClassVar[int]
    phase: str
    detail: str
    fraction: float
    ignored: Ignored
    def __init__(self, phase: _Optional[str] = ..., detail: _Optional[str] = ..., fraction: _Optional[float] = ..., ignored: _Optional[_Union[Ignored, _Mapping]] = ...) -> None: ...

class Ignored(_message.Message):
    __slots__ = ("file", "line", "key", "message", "hint", "describes")
    FILE_FIELD_NUMBER: _ClassVar[int]
    LINE_FIELD_NUMBER: _ClassVar[int]
    KEY_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    HINT_FIELD_NUMBER: _ClassVar[int]
    DESCRIBES_FIELD_NUMBER: _ClassVar[int]
    file: str
    line: int
    key: str
    message: str
    hint: str
    describes: bool
    def __init__(self, file: _Optional[str] = ..., line: _Optional[int] = ..., key: _Optional[str] = ..., message: _Optional[str] = ..., hint: _Optional[str] = ..., describes: _Optional[bool] = ...) -> None: ...

class Deployed(_message.Message):
    __slots__ = ("function", "version", "code_hash", "seconds", "unchanged", "url")
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
    def __init__(self, function: _Optional[str] = ..., version: _Optional[int] = ..., code_hash: _Optional[str] = ..., seconds: _Optional[float] = ..., unchanged: _Optional[bool] = ..., url: _Optional[str] = ...) -> None: ...

class DeployEvent(_message.Message):
    __slots__ = ("progress", "deployed")
    PROGRESS_FIELD_NUMBER: _ClassVar[int]
    DEPLOYED_FIELD_NUMBER: _ClassVar[int]
    progress: Progress
    deployed: Deployed
    def __init__(self, progress: _Optional[_Union[Progress, _Mapping]] = ..., deployed: _Optional[_Union[Deployed, _Mapping]] = ...) -> None: ...

class RollBackRequest(_message.Message):
    __slots__ = ("function", "version")
    FUNCTION_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    function: str
    version: int
    def __init__(self, function: _Optional[str] = ..., version: _Optional[int] = ...) -> None: ...

class WhyWarmRequest(_message.Message):
    __slots__ = ("function",)
    FUNCTION_FIELD_NUMBER: _ClassVar[int]
    function: str
    def __init__(self, function: _Optional[str] = ...) -> None: ...

class WhyWarmResponse(_message.Message):
    __slots__ = ("json",)
    JSON_FIELD_NUMBER: _ClassVar[int]
    json: bytes
    def __init__(self, json: _Optional[bytes] = ...) -> None: ...

class UndeployRequest(_message.Message):
    __slots__ = ("name",)
    NAME_FIELD_NUMBER: _ClassVar[int]
    name: str
    def __init__(self, name: _Optional[str] = ...) -> None: ...

class UndeployResponse(_message.Message):
    __slots__ = ("functions",)
    FUNCTIONS_FIELD_NUMBER: _ClassVar[int]
    functions: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, functions: _Optional[_Iterable[str]] = ...) -> None: ...

class ListResourcesRequest(_message.Message):
    __slots__ = ("name",)
    NAME_FIELD_NUMBER: _ClassVar[int]
    name: str
    def __init__(self, name: _Optional[str] = ...) -> None: ...

class ListResourcesResponse(_message.Message):
    __slots__ = ("resources",)
    RESOURCES_FIELD_NUMBER: _ClassVar[int]
    resources: _containers.RepeatedScalarFieldContainer[bytes]
    def __init__(self, resources: _Optional[_Iterable[bytes]] = ...) -> None: ...

class ChangeResourceRequest(_message.Message):
    __slots__ = ("name", "action")
    NAME_FIELD_NUMBER: _ClassVar[int]
    ACTION_FIELD_NUMBER: _ClassVar[int]
    name: str
    action: str
    def __init__(self, name: _Optional[str] = ..., action: _Optional[str] = ...) -> None: ...

class ChangeResourceResponse(_message.Message):
    __slots__ = ("count",)
    COUNT_FIELD_NUMBER: _ClassVar[int]
    count: int
    def __init__(self, count: _Optional[int] = ...) -> None: ...

class Alias(_message.Message):
    __slots__ = ("function", "name", "version", "weights", "description")
    class WeightsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: int
        value: float
        def __init__(self, key: _Optional[int] = ..., value: _Optional[float] = ...) -> None: ...
    FUNCTION_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    WEIGHTS_FIELD_NUMBER: _ClassVar[int]
    DESCRIPTION_FIELD_NUMBER: _ClassVar[int]
    function: str
    name: str
    version: int
    weights: _containers.ScalarMap[int, float]
    description: str
    def __init__(self, function: _Optional[str] = ..., name: _Optional[str] = ..., version: _Optional[int] = ..., weights: _Optional[_Mapping[int, float]] = ..., description: _Optional[str] = ...) -> None: ...

class ListAliasesRequest(_message.Message):
    __slots__ = ("function",)
    FUNCTION_FIELD_NUMBER: _ClassVar[int]
    function: str
    def __init__(self, function: _Optional[str] = ...) -> None: ...

class ListAliasesResponse(_message.Message):
    __slots__ = ("aliases",)
    ALIASES_FIELD_NUMBER: _ClassVar[int]
    aliases: _containers.RepeatedCompositeFieldContainer[Alias]
    def __init__(self, aliases: _Optional[_Iterable[_Union[Alias, _Mapping]]] = ...) -> None: ...

class DeleteAliasRequest(_message.Message):
    __slots__ = ("function", "name")
    FUNCTION_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    function: str
    name: str
    def __init__(self, function: _Optional[str] = ..., name: _Optional[str] = ...) -> None: ...

class DeleteAliasResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class CancelRequest(_message.Message):
    __slots__ = ("ident",)
    IDENT_FIELD_NUMBER: _ClassVar[int]
    ident: str
    def __init__(self, ident: _Optional[str] = ...) -> None: ...

class CancelResponse(_message.Message):
    __slots__ = ("invocation_id", "function", "state")
    INVOCATION_ID_FIELD_NUMBER: _ClassVar[int]
    FUNCTION_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    invocation_id: str
    function: str
    state: str
    def __init__(self, invocation_id: _Optional[str] = ..., function: _Optional[str] = ..., state: _Optional[str] = ...) -> None: ...

class ListFunctionsRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class FunctionInfo(_message.Message):
    __slots__ = ("name", "kind", "version", "url", "app", "code_hash", "handler", "timeout_s", "memory_mb", "max_workers", "triggers", "code_dir", "next_run_ns")
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
    NEXT_RUN_NS_FIELD_NUMBER: _ClassVar[int]
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
    next_run_ns: int
    def __init__(self, name: _Optional[str] = ..., kind: _Optional[str] = ..., version: _Optional[int] = ..., url: _Optional[str] = ..., app: _Optional[str] = ..., code_hash: _Optional[str] = ..., handler: _Optional[str] = ..., timeout_s: _Optional[float] = ..., memory_mb: _Optional[int] = ..., max_workers: _Optional[int] = ..., triggers: _Optional[_Iterable[str]] = ..., code_dir: _Optional[str] = ..., next_run_ns: _Optional[int] = ...) -> None: ...

class ListFunctionsResponse(_message.Message):
    __slots__ = ("functions",)
    FUNCTIONS_FIELD_NUMBER: _ClassVar[int]
    functions: _containers.RepeatedCompositeFieldContainer[FunctionInfo]
    def __init__(self, functions: _Optional[_Iterable[_Union[FunctionInfo, _Mapping]]] = ...) -> None: ...

class InvokeRequest(_message.Message):
    __slots__ = ("function", "event", "asynchronous", "precise", "version", "qualifier", "traceparent", "event_id", "invocation_id")
    FUNCTION_FIELD_NUMBER: _ClassVar[int]
    EVENT_FIELD_NUMBER: _ClassVar[int]
    ASYNCHRONOUS_FIELD_NUMBER: _ClassVar[int]
    PRECISE_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    QUALIFIER_FIELD_NUMBER: _ClassVar[int]
    TRACEPARENT_FIELD_NUMBER: _ClassVar[int]
    EVENT_ID_FIELD_NUMBER: _ClassVar[int]
    INVOCATION_ID_FIELD_NUMBER: _ClassVar[int]
    function: str
    event: bytes
    asynchronous: bool
    precise: bool
    version: int
    qualifier: str
    traceparent: str
    event_id: str
    invocation_id: str
    def __init__(self, function: _Optional[str] = ..., event: _Optional[bytes] = ..., asynchronous: _Optional[bool] = ..., precise: _Optional[bool] = ..., version: _Optional[int] = ..., qualifier: _Optional[str] = ..., traceparent: _Optional[str] = ..., event_id: _Optional[str] = ..., invocation_id: _Optional[str] = ...) -> None: ...

class Error(_message.Message):
    __slots__ = ("type", "message", "kind", "file", "line", "function", "traceback")
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
    def __init__(self, type: _Optional[str] = ..., message: _Optional[str] = ..., kind: _Optional[str] = ..., file: _Optional[str] = ..., line: _Optional[int] = ..., function: _Optional[str] = ..., traceback: _Optional[str] = ...) -> None: ...

class InvokeResponse(_message.Message):
    __slots__ = ("invocation_id", "trace_id", "status", "result", "error", "duration_ms", "cold", "version", "event_id")
    INVOCATION_ID_FIELD_NUMBER: _ClassVar[int]
    TRACE_ID_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    RESULT_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    DURATION_MS_FIELD_NUMBER: _ClassVar[int]
    COLD_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    EVENT_ID_FIELD_NUMBER: _ClassVar[int]
    invocation_id: str
    trace_id: str
    status: str
    result: bytes
    error: Error
    duration_ms: float
    cold: bool
    version: int
    event_id: str
    def __init__(self, invocation_id: _Optional[str] = ..., trace_id: _Optional[str] = ..., status: _Optional[str] = ..., result: _Optional[bytes] = ..., error: _Optional[_Union[Error, _Mapping]] = ..., duration_ms: _Optional[float] = ..., cold: _Optional[bool] = ..., version: _Optional[int] = ..., event_id: _Optional[str] = ...) -> None: ...

class ListEventsRequest(_message.Message):
    __slots__ = ("function", "state", "limit", "event_id")
    FUNCTION_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    EVENT_ID_FIELD_NUMBER: _ClassVar[int]
    function: str
    state: str
    limit: int
    event_id: str
    def __init__(self, function: _Optional[str] = ..., state: _Optional[str] = ..., limit: _Optional[int] = ..., event_id: _Optional[str] = ...) -> None: ...

class EventInfo(_message.Message):
    __slots__ = ("event_id", "function", "state", "attempts", "next_at_ns", "last_error", "enqueued_ns", "result", "died_ns")
    EVENT_ID_FIELD_NUMBER: _ClassVar[int]
    FUNCTION_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    ATTEMPTS_FIELD_NUMBER: _ClassVar[int]
    NEXT_AT_NS_FIELD_NUMBER: _ClassVar[int]
    LAST_ERROR_FIELD_NUMBER: _ClassVar[int]
    ENQUEUED_NS_FIELD_NUMBER: _ClassVar[int]
    RESULT_FIELD_NUMBER: _ClassVar[int]
    DIED_NS_FIELD_NUMBER: _ClassVar[int]
    event_id: str
    function: str
    state: str
    attempts: int
    next_at_ns: int
    last_error: str
    enqueued_ns: int
    result: bytes
    died_ns: int
    def __init__(self, event_id: _Optional[str] = ..., function: _Optional[str] = ..., state: _Optional[str] = ..., attempts: _Optional[int] = ..., next_at_ns: _Optional[int] = ..., last_error: _Optional[str] = ..., enqueued_ns: _Optional[int] = ..., result: _Optional[bytes] = ..., died_ns: _Optional[int] = ...) -> None: ...

class ListEventsResponse(_message.Message):
    __slots__ = ("events", "dead_dropped")
    EVENTS_FIELD_NUMBER: _ClassVar[int]
    DEAD_DROPPED_FIELD_NUMBER: _ClassVar[int]
    events: _containers.RepeatedCompositeFieldContainer[EventInfo]
    dead_dropped: int
    def __init__(self, events: _Optional[_Iterable[_Union[EventInfo, _Mapping]]] = ..., dead_dropped: _Optional[int] = ...) -> None: ...

class RetryEventRequest(_message.Message):
    __slots__ = ("event_id", "function", "all")
    EVENT_ID_FIELD_NUMBER: _ClassVar[int]
    FUNCTION_FIELD_NUMBER: _ClassVar[int]
    ALL_FIELD_NUMBER: _ClassVar[int]
    event_id: str
    function: str
    all: bool
    def __init__(self, event_id: _Optional[str] = ..., function: _Optional[str] = ..., all: _Optional[bool] = ...) -> None: ...

class RetryEventResponse(_message.Message):
    __slots__ = ("event", "count")
    EVENT_FIELD_NUMBER: _ClassVar[int]
    COUNT_FIELD_NUMBER: _ClassVar[int]
    event: EventInfo
    count: int
    def __init__(self, event: _Optional[_Union[EventInfo, _Mapping]] = ..., count: _Optional[int] = ...) -> None: ...

class DiscardEventsRequest(_message.Message):
    __slots__ = ("event_id", "function", "states")
    EVENT_ID_FIELD_NUMBER: _ClassVar[int]
    FUNCTION_FIELD_NUMBER: _ClassVar[int]
    STATES_FIELD_NUMBER: _ClassVar[int]
    event_id: str
    function: str
    states: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, event_id: _Optional[str] = ..., function: _Optional[str] = ..., states: _Optional[_Iterable[str]] = ...) -> None: ...

class DiscardEventsResponse(_message.Message):
    __slots__ = ("event_id", "count")
    EVENT_ID_FIELD_NUMBER: _ClassVar[int]
    COUNT_FIELD_NUMBER: _ClassVar[int]
    event_id: str
    count: int
    def __init__(self, event_id: _Optional[str] = ..., count: _Optional[int] = ...) -> None: ...

class FollowLogsRequest(_message.Message):
    __slots__ = ("function", "invocation_id")
    FUNCTION_FIELD_NUMBER: _ClassVar[int]
    INVOCATION_ID_FIELD_NUMBER: _ClassVar[int]
    function: str
    invocation_id: str
    def __init__(self, function: _Optional[str] = ..., invocation_id: _Optional[str] = ...) -> None: ...

class LogEntry(_message.Message):
    __slots__ = ("timestamp_ns", "severity", "body", "function", "invocation_id", "trace_id", "span_id", "source", "stacktrace", "attributes")
    class AttributesEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    TIMESTAMP_NS_FIELD_NUMBER: _ClassVar[int]
    SEVERITY_FIELD_NUMBER: _ClassVar[int]
    BODY_FIELD_NUMBER: _ClassVar[int]
    FUNCTION_FIELD_NUMBER: _ClassVar[int]
    INVOCATION_ID_FIELD_NUMBER: _ClassVar[int]
    TRACE_ID_FIELD_NUMBER: _ClassVar[int]
    SPAN_ID_FIELD_NUMBER: _ClassVar[int]
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    STACKTRACE_FIELD_NUMBER: _ClassVar[int]
    ATTRIBUTES_FIELD_NUMBER: _ClassVar[int]
    timestamp_ns: int
    severity: str
    body: str
    function: str
    invocation_id: str
    trace_id: str
    span_id: str
    source: str
    stacktrace: str
    attributes: _containers.ScalarMap[str, str]
    def __init__(self, timestamp_ns: _Optional[int] = ..., severity: _Optional[str] = ..., body: _Optional[str] = ..., function: _Optional[str] = ..., invocation_id: _Optional[str] = ..., trace_id: _Optional[str] = ..., span_id: _Optional[str] = ..., source: _Optional[str] = ..., stacktrace: _Optional[str] = ..., attributes: _Optional[_Mapping[str, str]] = ...) -> None: ...

class LogBatch(_message.Message):
    __slots__ = ("lines", "dropped")
    LINES_FIELD_NUMBER: _ClassVar[int]
    DROPPED_FIELD_NUMBER: _ClassVar[int]
    lines: _containers.RepeatedCompositeFieldContainer[LogEntry]
    dropped: int
    def __init__(self, lines: _Optional[_Iterable[_Union[LogEntry, _Mapping]]] = ..., dropped: _Optional[int] = ...) -> None: ...

class ListFrozenRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class FrozenWorker(_message.Message):
    __slots__ = ("invocation_id", "function", "version", "error", "message", "pid", "age_s", "expires_s", "rss", "attached", "failed_ns")
    INVOCATION_ID_FIELD_NUMBER: _ClassVar[int]
    FUNCTION_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    PID_FIELD_NUMBER: _ClassVar[int]
    AGE_S_FIELD_NUMBER: _ClassVar[int]
    EXPIRES_S_FIELD_NUMBER: _ClassVar[int]
    RSS_FIELD_NUMBER: _ClassVar[int]
    ATTACHED_FIELD_NUMBER: _ClassVar[int]
    FAILED_NS_FIELD_NUMBER: _ClassVar[int]
    invocation_id: str
    function: str
    version: int
    error: str
    message: str
    pid: int
    age_s: float
    expires_s: float
    rss: int
    attached: bool
    failed_ns: int
    def __init__(self, invocation_id: _Optional[str] = ..., function: _Optional[str] = ..., version: _Optional[int] = ..., error: _Optional[str] = ..., message: _Optional[str] = ..., pid: _Optional[int] = ..., age_s: _Optional[float] = ..., expires_s: _Optional[float] = ..., rss: _Optional[int] = ..., attached: _Optional[bool] = ..., failed_ns: _Optional[int] = ...) -> None: ...

class ListFrozenResponse(_message.Message):
    __slots__ = ("workers",)
    WORKERS_FIELD_NUMBER: _ClassVar[int]
    workers: _containers.RepeatedCompositeFieldContainer[FrozenWorker]
    def __init__(self, workers: _Optional[_Iterable[_Union[FrozenWorker, _Mapping]]] = ...) -> None: ...

class DebugLine(_message.Message):
    __slots__ = ("text", "end")
    TEXT_FIELD_NUMBER: _ClassVar[int]
    END_FIELD_NUMBER: _ClassVar[int]
    text: str
    end: bool
    def __init__(self, text: _Optional[str] = ..., end: _Optional[bool] = ...) -> None: ...

class DebugComplete(_message.Message):
    __slots__ = ("request", "text")
    REQUEST_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    request: int
    text: str
    def __init__(self, request: _Optional[int] = ..., text: _Optional[str] = ...) -> None: ...

class DebugRequest(_message.Message):
    __slots__ = ("attach", "line", "complete", "interrupt")
    ATTACH_FIELD_NUMBER: _ClassVar[int]
    LINE_FIELD_NUMBER: _ClassVar[int]
    COMPLETE_FIELD_NUMBER: _ClassVar[int]
    INTERRUPT_FIELD_NUMBER: _ClassVar[int]
    attach: str
    line: DebugLine
    complete: DebugComplete
    interrupt: bool
    def __init__(self, attach: _Optional[str] = ..., line: _Optional[_Union[DebugLine, _Mapping]] = ..., complete: _Optional[_Union[DebugComplete, _Mapping]] = ..., interrupt: _Optional[bool] = ...) -> None: ...

class DebugText(_message.Message):
    __slots__ = ("text", "prompt")
    TEXT_FIELD_NUMBER: _ClassVar[int]
    PROMPT_FIELD_NUMBER: _ClassVar[int]
    text: str
    prompt: bool
    def __init__(self, text: _Optional[str] = ..., prompt: _Optional[bool] = ...) -> None: ...

class DebugOffer(_message.Message):
    __slots__ = ("request", "start", "items")
    REQUEST_FIELD_NUMBER: _ClassVar[int]
    START_FIELD_NUMBER: _ClassVar[int]
    ITEMS_FIELD_NUMBER: _ClassVar[int]
    request: int
    start: int
    items: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, request: _Optional[int] = ..., start: _Optional[int] = ..., items: _Optional[_Iterable[str]] = ...) -> None: ...

class DebugEnded(_message.Message):
    __slots__ = ("reason",)
    REASON_FIELD_NUMBER: _ClassVar[int]
    reason: str
    def __init__(self, reason: _Optional[str] = ...) -> None: ...

class DebugResponse(_message.Message):
    __slots__ = ("attached", "text", "offer", "ended")
    ATTACHED_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    OFFER_FIELD_NUMBER: _ClassVar[int]
    ENDED_FIELD_NUMBER: _ClassVar[int]
    attached: FrozenWorker
    text: DebugText
    offer: DebugOffer
    ended: DebugEnded
    def __init__(self, attached: _Optional[_Union[FrozenWorker, _Mapping]] = ..., text: _Optional[_Union[DebugText, _Mapping]] = ..., offer: _Optional[_Union[DebugOffer, _Mapping]] = ..., ended: _Optional[_Union[DebugEnded, _Mapping]] = ...) -> None: ...

class RequestHeapRequest(_message.Message):
    __slots__ = ("function",)
    FUNCTION_FIELD_NUMBER: _ClassVar[int]
    function: str
    def __init__(self, function: _Optional[str] = ...) -> None: ...

class RequestHeapResponse(_message.Message):
    __slots__ = ("version",)
    VERSION_FIELD_NUMBER: _ClassVar[int]
    version: int
    def __init__(self, version: _Optional[int] = ...) -> None: ...

class ArmPointRequest(_message.Message):
    __slots__ = ("function", "file", "line", "logs", "text", "condition", "count", "for_s", "answer")
    FUNCTION_FIELD_NUMBER: _ClassVar[int]
    FILE_FIELD_NUMBER: _ClassVar[int]
    LINE_FIELD_NUMBER: _ClassVar[int]
    LOGS_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    CONDITION_FIELD_NUMBER: _ClassVar[int]
    COUNT_FIELD_NUMBER: _ClassVar[int]
    FOR_S_FIELD_NUMBER: _ClassVar[int]
    ANSWER_FIELD_NUMBER: _ClassVar[int]
    function: str
    file: str
    line: int
    logs: bool
    text: str
    condition: str
    count: int
    for_s: float
    answer: str
    def __init__(self, function: _Optional[str] = ..., file: _Optional[str] = ..., line: _Optional[int] = ..., logs: _Optional[bool] = ..., text: _Optional[str] = ..., condition: _Optional[str] = ..., count: _Optional[int] = ..., for_s: _Optional[float] = ..., answer: _Optional[str] = ...) -> None: ...

class ListPointsRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class RemovePointRequest(_message.Message):
    __slots__ = ("number",)
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    number: int
    def __init__(self, number: _Optional[int] = ...) -> None: ...

class PointsResponse(_message.Message):
    __slots__ = ("json",)
    JSON_FIELD_NUMBER: _ClassVar[int]
    json: bytes
    def __init__(self, json: _Optional[bytes] = ...) -> None: ...

class RequestProfilesRequest(_message.Message):
    __slots__ = ("function", "count")
    FUNCTION_FIELD_NUMBER: _ClassVar[int]
    COUNT_FIELD_NUMBER: _ClassVar[int]
    function: str
    count: int
    def __init__(self, function: _Optional[str] = ..., count: _Optional[int] = ...) -> None: ...

class RequestProfilesResponse(_message.Message):
    __slots__ = ("count",)
    COUNT_FIELD_NUMBER: _ClassVar[int]
    count: int
    def __init__(self, count: _Optional[int] = ...) -> None: ...

class QueryRequest(_message.Message):
    __slots__ = ("sql", "timeout_s", "max_rows", "parameters_msgpack", "bytes_columns")
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
    def __init__(self, sql: _Optional[str] = ..., timeout_s: _Optional[float] = ..., max_rows: _Optional[int] = ..., parameters_msgpack: _Optional[bytes] = ..., bytes_columns: _Optional[_Iterable[str]] = ...) -> None: ...

class QueryBatch(_message.Message):
    __slots__ = ("names", "types", "columns_msgpack")
    NAMES_FIELD_NUMBER: _ClassVar[int]
    TYPES_FIELD_NUMBER: _ClassVar[int]
    COLUMNS_MSGPACK_FIELD_NUMBER: _ClassVar[int]
    names: _containers.RepeatedScalarFieldContainer[str]
    types: _containers.RepeatedScalarFieldContainer[str]
    columns_msgpack: bytes
    def __init__(self, names: _Optional[_Iterable[str]] = ..., types: _Optional[_Iterable[str]] = ..., columns_msgpack: _Optional[bytes] = ...) -> None: ...

class CopyDatabasesRequest(_message.Message):
    __slots__ = ("folder", "limit_s")
    FOLDER_FIELD_NUMBER: _ClassVar[int]
    LIMIT_S_FIELD_NUMBER: _ClassVar[int]
    folder: str
    limit_s: float
    def __init__(self, folder: _Optional[str] = ..., limit_s: _Optional[float] = ...) -> None: ...

class CopyDatabasesResponse(_message.Message):
    __slots__ = ("files",)
    FILES_FIELD_NUMBER: _ClassVar[int]
    files: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, files: _Optional[_Iterable[str]] = ...) -> None: ...

class StatusRequest(_message.Message):
    __slots__ = ("flush_s",)
    FLUSH_S_FIELD_NUMBER: _ClassVar[int]
    flush_s: float
    def __init__(self, flush_s: _Optional[float] = ...) -> None: ...

class StatusResponse(_message.Message):
    __slots__ = ("json",)
    JSON_FIELD_NUMBER: _ClassVar[int]
    json: bytes
    def __init__(self, json: _Optional[bytes] = ...) -> None: ...

class StopRequest(_message.Message):
    __slots__ = ("drain_s",)
    DRAIN_S_FIELD_NUMBER: _ClassVar[int]
    drain_s: float
    def __init__(self, drain_s: _Optional[float] = ...) -> None: ...

class StopResponse(_message.Message):
    __slots__ = ("pid",)
    PID_FIELD_NUMBER: _ClassVar[int]
    pid: int
    def __init__(self, pid: _Optional[int] = ...) -> None: ...
