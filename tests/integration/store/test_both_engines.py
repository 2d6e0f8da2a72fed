"""The same behaviour on the embedded engine (through its process) and on a ClickHouse server."""

from __future__ import annotations

import threading
import time

import pytest
from relive_store import QueryCancelled, QueryError, QueryLimit, QueryTimeout, SchemaError, Store
from relive_store.tables.folding import folded
from relive_store.tables.retention import apply_retention, sizes
from relive_store.tables.schema import Migration, load_migrations, migrate

NOW = time.time_ns()
SLOW = "SELECT count() FROM numbers(100000000000) WHERE sipHash64(number) % 7 = 1"
ALL_TYPES = """
CREATE TABLE everything (k UInt32, i8 Int8, i64 Int64, u64 UInt64, f Float64, s String, lc
LowCardinality(String),
 t DateTime64(9), d DateTime, m Map(LowCardinality(String), String), a Array(UInt64), al
 Array(LowCardinality(String)),
 at Array(DateTime64(9)), am Array(Map(LowCardinality(String), String)), b Bool, n Nullable(Int32), raw
 String)
ENGINE = MergeTree ORDER BY k
"""


def test_every_type_comes_back_as_it_went_in(store: Store) -> None:
    # Given a table with a column of every kind
    store.execute(ALL_TYPES)
    columns = {
        "k": [1, 2],
        "i8": [-128, 127],
        "i64": [-(2**63), 2**63 - 1],
        "u64": [0, 2**64 - 1],
        "f": [0.1, -1e300],
        "s": ["", "tab\t newline\n quote' \\ nul\0 \N{SNOWMAN}"],
        "lc": ["a", "a"],
        "t": [1_700_000_000_123_456_789, 1],
        "d": [1_700_000_000, 0],
        "m": [{}, {"k": "v", "k2": "'"}],
        "a": [[], [1, 2**64 - 1]],
        "al": [["x", "y", "x"], []],
        "at": [[1_700_000_000_123_456_789], []],
        "am": [[{}, {"x": "y"}], []],
        "b": [True, False],
        "n": [None, -5],
        "raw": [b"\x00\xff\xfe", b"plain"],
    }
    # When it is filled and read
    assert store.insert("everything", columns) == 2
    read = store.query("SELECT * FROM everything ORDER BY k", bytes_columns=["raw"])
    # I expect the same values; DateTime is read in ns
    expected = dict(columns, d=[1_700_000_000 * 10**9, 0])
    assert {name: read.column(name) for name in read.names} == expected


def test_strings_that_are_not_utf8_are_read_with_replacements(store: Store) -> None:
    store.execute("CREATE TABLE raw (s String) ENGINE = MergeTree ORDER BY s")
    store.insert("raw", {"s": [b"\xff", "lone \ud800 surrogate"]})
    assert sorted(store.query("SELECT s FROM raw").column("s")) == [
        "lone ? surrogate",
        "\N{REPLACEMENT CHARACTER}",
    ]  # type: ignore[type-var]


def test_an_empty_result_has_names_and_types(empty_store: Store) -> None:
    found = empty_store.query("SELECT TraceId, Duration FROM otel_traces")
    assert len(found) == 0
    assert found.names == ("TraceId", "Duration")
    assert found.types == ("String", "UInt64")


def test_keys_of_maps_that_are_not_text(empty_store: Store) -> None:
    # When the keys of a map are tuples
    found = empty_store.query("SELECT map((1, 'a'), 2) AS counts, map(3, 'c') AS names")
    # I expect them as JSON, and others as they are
    assert list(found.rows()) == [({'[1, "a"]': 2}, {3: "c"})]
    # And of arrays, which the driver cannot read, the column and what to do
    with pytest.raises(QueryError, match=r"column counts cannot be read: it is a Map\(Array") as refused:
        empty_store.query("SELECT map([1, 2], 3) AS counts")
    assert refused.value.hint == "select toString(counts)"
    assert empty_store.query("SELECT 1").scalar() == 1


@pytest.mark.parametrize(
    "text",
    ["'; DROP TABLE otel_traces; --", "\\'", "{x:String}", "a\nb\tc\0d", "\\N", "NULL", "😀", "%s %(x)s"],
)
def test_a_parameter_is_a_value_and_never_sql(empty_store: Store, text: str) -> None:
    found = empty_store.query(
        "SELECT {x:String} AS x, {l:Array(String)} AS l, {m:Map(String, String)} AS m",
        {"x": text, "l": [text], "m": {text: text}},
    )
    assert next(found.rows()) == (text, [text], {text: text})


def test_times_and_numbers_as_parameters(empty_store: Store) -> None:
    found = empty_store.query(
        "SELECT {t:DateTime64(9)} AS t, {i:Int64} AS i, {f:Float64} AS f, {b:Bool} AS b,"
        " {n:Nullable(String)} AS n",
        {"t": 1_700_000_000_123_456_789, "i": -5, "f": 1.5, "b": True, "n": None},
    )
    assert next(found.rows()) == (1_700_000_000_123_456_789, -5, 1.5, True, None)


@pytest.mark.parametrize(
    "sql",
    [
        "INSERT INTO otel_traces (TraceId) VALUES ('x')",
        "DROP TABLE otel_traces",
        "SELECT 1; DROP TABLE otel_traces",
        "SELECT 1 INTO OUTFILE '/tmp/relive-must-not-exist'",
        "SELECT 1 FORMAT JSON",
        "SELECT * FROM file('/etc/passwd', 'LineAsString')",
        "SELECT * FROM `file`('/etc/passwd', 'LineAsString')",
        "SELECT file('/etc/passwd')",
        "SELECT 1 AS \"'\", * FROM file('/etc/passwd', 'LineAsString')",
        "SELECT 1 AS `'`, file('/etc/passwd') --'",
        "SELECT 1 AS \u201c'\u201d, file('/etc/passwd') --'",
        "SELECT $a$'$a$, file('/etc/passwd') --'",
        "SELECT 1 /* ' */ , file('/etc/passwd') --'",
        "SELECT * APPLY file FROM (SELECT '/etc/passwd')",
        "SELECT * APPLY(file) FROM (SELECT '/etc/passwd')",
        "SELECT * FROM filesystem('/etc')",
        "SELECT * FROM eval('SELECT 1')",
        "SELECT * FROM executable('id', 'TSV', 'a String')",
        "SELECT * FROM sqlite('/etc/passwd', 'x')",
        "SELECT count() FROM (SELECT * FROM icebergLocal('/etc'))",
        "DESCRIBE TABLE file('/etc/passwd')",
        "DESC file('/etc/passwd')",
        "EXPLAIN SELECT * FROM file('/etc/passwd')",
        "WITH (SELECT file('/etc/passwd')) AS x SELECT x",
        "SELECT 1 SETTINGS readonly = 0",
        "SELECT 1 SETTINGS max_execution_time = 0",
        "SELECT * FROM url /* */ ('http://127.0.0.1:1/', 'LineAsString')",
        "SET readonly = 0",
        "SYSTEM SHUTDOWN",
        "",
        "-- nothing",
        "WITH x AS (SELECT",
    ],
)
def test_a_read_only_query_reads_only(empty_store: Store, sql: str) -> None:
    with pytest.raises(QueryError):
        empty_store.query(sql)
    assert empty_store.query("SELECT count() FROM otel_traces").scalar() == 0


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT 'file(1)' AS \"file (x)\", format('{}', 'a')",
        "SELECT number AS file FROM numbers(3)",
        "SHOW TABLES",
        "DESCRIBE TABLE otel_traces",
        "DESCRIBE (SELECT 1)",
        "EXPLAIN SELECT 1",
        "EXISTS TABLE otel_traces",
        "WITH 1 AS x SELECT x",
        "(SELECT 1)",
        "FROM numbers(2) SELECT *",
        "SELECT * FROM values('a UInt8', 1, 2)",
        "SELECT * FROM merge(currentDatabase(), 'otel_traces')",
    ],
)
def test_what_only_looks_like_reaching_outside_is_read(empty_store: Store, sql: str) -> None:
    empty_store.query(sql)


def test_semicolons_and_keywords_inside_literals_are_fine(empty_store: Store) -> None:
    assert (
        empty_store.query("SELECT 'a; DROP TABLE x' AS s -- ; format JSON\n;").scalar() == "a; DROP TABLE x"
    )


def test_too_many_rows_are_refused(empty_store: Store) -> None:
    with pytest.raises(QueryLimit, match="limit"):
        empty_store.query("SELECT number FROM numbers(100000)", max_rows=1000)
    assert len(empty_store.query("SELECT number FROM numbers(1000)", max_rows=1000)) == 1000


def test_a_slow_query_ends_at_its_timeout(empty_store: Store) -> None:
    with pytest.raises(QueryTimeout, match="too long"):
        empty_store.query(SLOW, timeout_s=0.3)  # by itself it takes longer than a test may


def test_a_running_query_can_be_cancelled(empty_store: Store) -> None:
    # Given a query that runs
    caught: list[BaseException] = []

    def run() -> None:
        try:
            empty_store.query(SLOW, query_id="slow-1", timeout_s=60)
        except BaseException as error:
            caught.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    # When it is cancelled as soon as it can be seen
    deadline = time.monotonic() + 120
    while not empty_store.cancel("slow-1") and time.monotonic() < deadline:
        time.sleep(0.02)
    thread.join(120)
    # I expect that it ended as cancelled, and that the store goes on
    assert [type(error) for error in caught] == [QueryCancelled]
    assert empty_store.query("SELECT 1").scalar() == 1
    assert empty_store.cancel("slow-1") is False


@pytest.mark.parametrize("query_id", ["' OR 1 --", "a b", "x" * 200])
def test_a_query_id_cannot_carry_sql(empty_store: Store, query_id: str) -> None:
    with pytest.raises(QueryError, match="query id"):
        empty_store.query("SELECT 1", query_id=query_id)


def test_the_same_token_inserts_once_also_in_the_views(store: Store) -> None:
    # Given 1,000 spans, more than one day of them
    spans = {
        "Timestamp": [NOW - (number % 2) * 86_400 * 10**9 + number for number in range(1000)],
        "TraceId": [f"{number % 10:032x}" for number in range(1000)],
        "SpanName": ["work"] * 1000,
        "Duration": [1] * 1000,
    }
    # When they are inserted three times under one token, and once more under another one
    for _ in range(3):
        store.insert("otel_traces", spans, token="first")
    once = _totals(store)
    store.insert("otel_traces", spans, token="second")
    # I expect one insert a token, in the table and in what is derived from it
    assert once == (1000, 1000, 10)
    assert _totals(store) == (2000, 2000, 10)


def _totals(store: Store) -> tuple[object, ...]:
    return (
        store.query("SELECT count() FROM otel_traces").scalar(),
        store.query("SELECT sum(Spans) FROM otel_traces_red_1m").scalar(),
        store.query("SELECT uniqExact(TraceId) FROM otel_traces_trace_id_ts").scalar(),
    )


def test_the_derived_columns(store: Store) -> None:
    spans = {
        "Timestamp": [NOW],
        "StatusCode": ["Error"],
        "SpanAttributes": [{"faas.invocation_id": "inv", "http.response.status_code": "503"}],
    }
    store.insert("otel_traces", spans)
    store.insert(
        "invocations", {"InvocationId": ["a", "b"], "StartedAt": [NOW, NOW], "Status": ["ok", "timeout"]}
    )
    read = store.query("SELECT InvocationId, IsError, HttpStatus FROM otel_traces")
    assert next(read.rows()) == ("inv", 1, 503)
    failed = store.query("SELECT IsFailed FROM invocations ORDER BY InvocationId")
    assert failed.column("IsFailed") == [0, 1]


@pytest.mark.parametrize(
    "columns",
    [
        {"Timestamp": [1], "NoSuchColumn": [1]},
        {"Timestamp": ["not a time"]},
        {"Timestamp": [1, 2], "TraceId": ["x"]},
        {"Timestamp": [1], "Duration": [-1]},
        {"Timestamp": [1], "TraceId": [None]},
        {"Timestamp": [1], "SpanAttributes": [5]},
        {"x` , y": [1]},
    ],
)
def test_columns_that_do_not_fit_are_refused_and_nothing_is_inserted(
    empty_store: Store, columns: dict[str, list[object]]
) -> None:
    with pytest.raises(QueryError):
        empty_store.insert("otel_traces", columns)
    assert empty_store.query("SELECT count() FROM otel_traces").scalar() == 0


def test_a_table_that_does_not_exist_is_named(empty_store: Store) -> None:
    with pytest.raises(QueryError, match="nowhere"):
        empty_store.insert("nowhere", {"a": [1]})
    with pytest.raises(QueryError, match="nowhere"):
        empty_store.query("SELECT * FROM nowhere")


def test_migrations_are_applied_once(store: Store) -> None:
    assert store.migrate() == []
    applied = store.query("SELECT Name FROM schema_migrations ORDER BY Version").column("Name")
    assert applied == [migration.name for migration in load_migrations()]


def test_a_migration_that_was_cut_off_is_repeated(store: Store) -> None:
    # Given a migration of which only the first statement works
    first = "CREATE TABLE IF NOT EXISTS later (a UInt8) ENGINE = MergeTree ORDER BY a"
    known = load_migrations()
    broken = Migration(9000, "9000_later", (first, "CREATE NONSENSE"))
    with pytest.raises(QueryError):
        migrate(store, [*known, broken])
    # When it is repaired, I expect that it is applied from its beginning
    assert migrate(store, [*known, Migration(9000, "9000_later", (first,))]) == ["9000_later"]


def test_a_new_store_that_was_cut_off_becomes_what_others_are(store: Store) -> None:
    # Given a store that was made as new ones are, and the same one again, cut off in the middle of it
    whole = _tables(store)
    for name in whole:
        store.execute(f"DROP TABLE `{name}` SYNC")
    statements = [statement for migration in load_migrations() for statement in migration.statements]
    for statement in folded(statements)[:9]:
        store.execute(statement)
    # When the migrations are applied, one after the other as to a store of old
    names = store.migrate()
    # I expect the same tables, and all of them in the book
    assert names == [migration.name for migration in load_migrations()]
    assert _tables(store) == whole
    filled = "SELECT name FROM system.tables WHERE database = currentDatabase() AND total_rows > 0"
    assert store.query(filled).column("name") == ["schema_migrations"]
    assert store.migrate() == []


def _tables(store: Store) -> dict[object, tuple[str, set[str]]]:
    """Their statements and settings, by name."""
    sql = "SELECT name, create_table_query FROM system.tables WHERE database = currentDatabase()"
    found = {}
    for name, query in store.query(sql).rows():
        made, _, settings = str(query).partition(" SETTINGS ")
        found[name] = (made, set(settings.split(", ")))
    return found


def test_a_newer_schema_is_refused(store: Store) -> None:
    store.insert("schema_migrations", {"Version": [9999], "Name": ["9999_future"], "AppliedAt": [NOW]})
    with pytest.raises(SchemaError, match="9999_future"):
        store.migrate()


def test_retention_changes_the_ttl_and_drops_what_is_old(store: Store) -> None:
    # Given a span of today and one of ten days ago
    store.insert("otel_traces", {"Timestamp": [NOW, NOW - 10 * 86_400 * 10**9]})
    # When spans are kept for three days
    apply_retention(store, {"otel_traces": 3})
    store.execute("OPTIMIZE TABLE otel_traces FINAL")
    # I expect today's one
    assert store.query("SELECT Timestamp FROM otel_traces").column("Timestamp") == [NOW]
    assert sizes(store)["otel_traces"] > 0
    with pytest.raises(QueryError, match="schema_migrations"):
        apply_retention(store, {"schema_migrations": 3})


def test_several_threads_share_a_store(store: Store) -> None:
    answers: list[object] = []

    def work(number: int) -> None:
        for turn in range(5):
            store.insert("otel_logs", {"Timestamp": [NOW], "Body": [f"{number}.{turn}"]})
            answers.append(store.query("SELECT {n:UInt32}", {"n": number}).scalar() == number)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert answers == [True] * 40
    assert store.query("SELECT uniqExact(Body) FROM otel_logs").scalar() == 40


def test_an_insert_of_several_blocks_is_repeated_without_doubles(store: Store) -> None:
    # Given rows for three blocks, of which the last one does not fit
    rows = 150_000
    spans: dict[str, list[object]] = {
        "Timestamp": [NOW] * rows,
        "SpanId": [f"{number:016x}" for number in range(rows)],
        "Duration": [1] * (rows - 1) + [-1],
    }
    with pytest.raises(QueryError):
        store.insert("otel_traces", spans, token="blocks")
    # When it is repaired and repeated, and once more
    spans["Duration"][-1] = 1
    for _ in range(2):
        assert store.insert("otel_traces", spans, token="blocks") == rows
    # I expect every row once
    found = store.query("SELECT count(), uniqExact(SpanId) FROM otel_traces")
    assert next(found.rows()) == (rows, rows)
