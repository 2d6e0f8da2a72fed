"""What a read-only query may not be, checked on its text before the engine's own read-only mode sees it.

The engine's mode stops writes to tables. It does not stop `INTO OUTFILE`, settings that outlive the query,
and
table functions that read files or open connections.
"""

from __future__ import annotations

import re

from relive_store.errors import QueryError

__all__ = ["check_name", "check_query", "check_query_id", "quoted", "without_literals"]

_LITERALS = re.compile(
    r"""'(?:[^'\\]|\\.|'')*' | --[^\n]* | \#[!\ ][^\n]* | /\*.*?\*/""", re.VERBOSE | re.DOTALL
)
_READS = ("select", "with", "show", "describe", "desc", "explain", "exists", "values")
_OUTSIDE = re.compile(
    r"""\b(?:file|files|filecluster|url|urlcluster|s3|s3cluster|gcs|oss|cosn|azureblobstorage\w*|hdfs\w*|remote|remotesecure
    |cluster|clusterallreplicas|mysql|postgresql|mongodb|redis|sqlite|odbc|jdbc|executable|python|iceberg\w*|deltalake\w*
    |hudi\w*|paimon\w*|ytsaurus|arrowflight|input|loop|dictionary_file)[`"]?\s*\(""",
    re.VERBOSE | re.IGNORECASE,
)
_OUTPUT = re.compile(
    r"\binto\s+outfile\b|\bformat\s+[A-Za-z]\w*\s*(?:settings\b.*)?$", re.IGNORECASE | re.DOTALL
)
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.]{0,127}")
_QUERY_ID = re.compile(r"[A-Za-z0-9_.:-]{1,128}")


def without_literals(sql: str) -> str:
    """`sql` with string literals and comments taken out."""
    return _LITERALS.sub(lambda match: "''" if match.group().startswith("'") else " ", sql)


def check_query(sql: str, *, read_only: bool) -> str:
    """The statement without its trailing semicolon. Raises QueryError."""
    statement = sql.strip().rstrip(";").rstrip()
    bare = without_literals(statement).strip().rstrip(";").rstrip()
    if not bare:
        raise QueryError("the query is empty")
    if ";" in bare:
        raise QueryError("only one statement at a time", remedy="send the statements one by one")
    if _OUTPUT.search(bare):
        raise QueryError("a query must not name its output", remedy="leave out FORMAT and INTO OUTFILE")
    if read_only:
        _check_reads(bare)
    return statement


def _check_reads(bare: str) -> None:
    word = re.match(r"[\s(]*([A-Za-z]+)", bare)
    if word is None or word.group(1).lower() not in _READS:
        raise QueryError(
            "only queries that read are allowed here",
            remedy="begin with SELECT, WITH, SHOW, DESCRIBE or EXPLAIN",
        )
    outside = _OUTSIDE.search(bare)
    if outside:
        name = outside.group().rstrip('( \n\t`"')
        raise QueryError(f"{name}() reaches outside the store; a read-only query may not use it")


def check_name(name: str) -> str:
    """A table or column name that is safe to write into SQL. Raises QueryError."""
    if not _NAME.fullmatch(name):
        raise QueryError(f"not a table or column name: {name[:80]!r}")
    return name


def check_query_id(query_id: str) -> str:
    """A query id: up to 128 letters, digits and `_.:-`; empty is allowed. Raises QueryError."""
    if query_id and not _QUERY_ID.fullmatch(query_id):
        raise QueryError(f"not a query id: {query_id[:80]!r}", remedy="use letters, digits and _.:- only")
    return query_id


def quoted(table: str) -> str:
    """A table name, with or without its database, in backticks. Raises QueryError."""
    return ".".join(f"`{part}`" for part in check_name(table).split("."))
