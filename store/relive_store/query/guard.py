"""What a read-only query may not be.

Three walls stand one behind the other. `check_query` looks at the text. `check_form` looks at the form in
which the engine's own parser writes the query again: there no comment, no quote of another script and no
second statement can hide a call. Then the engine runs it with `readonly = 1`, which refuses writes, changed
settings and every table function that reaches outside the store. What that mode lets through (the function
`file`, those that ask a language model, the structure of a file) is what `check_form` refuses.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Callable

from relive_store.errors import QueryError

__all__ = [
    "FORM_OF",
    "Checked",
    "check_form",
    "check_name",
    "check_query",
    "check_query_id",
    "quoted",
    "without_literals",
]

FORM_OF = "SELECT formatQuerySingleLine({query:String}) AS form"
"""The engine's own form of a query. It refuses more than one statement, and executes nothing."""

_LITERALS = re.compile(
    r"""'(?:[^'\\]|\\.|'')*' | "(?:[^"\\]|\\.|"")*" | `(?:[^`\\]|\\.|``)*`
    | --[^\n]* | \#[!\ ][^\n]* | /\*.*?\*/""",
    re.VERBOSE | re.DOTALL,
)
_READS = ("select", "with", "show", "describe", "desc", "explain", "exists", "values", "from")
# In the engine's form: names that need quotes have backticks, strings have single quotes.
_QUOTED = re.compile(r"'(?:[^'\\]|\\.)*'|`(?P<name>(?:[^`\\]|\\.)*)`", re.DOTALL)
_OUTSIDE = re.compile(
    r"""(?<![\w.])(?:file|files|filecluster|filesystem|url|urlcluster|s3|s3cluster|gcs|oss|cosn|azureblobstorage\w*
    |hdfs\w*|remote|remotesecure|cluster|clusterallreplicas|mysql|postgresql|mongodb|redis|sqlite|odbc|jdbc|bigquery
    |executable|python|eval|iceberg\w*|deltalake\w*|hudi\w*|paimon\w*|ytsaurus|arrowflight|arrowstream|input|loop
    |dictionary_file|prometheusquery\w*|catboostevaluate|ai[A-Z]\w*)\s?\(""",
    re.VERBOSE | re.IGNORECASE,
)
_APPLIED = re.compile(r"\bAPPLY\s?\(?\s?(?:file|catboostevaluate|ai[A-Z]\w*)\b", re.IGNORECASE)
_DESCRIBED = re.compile(r"DESC(?:RIBE)?\s+(?:TABLE\s+)?(?!(?:view|table)\b)\w+\s?\(", re.IGNORECASE)
_OUTPUT = re.compile(
    r"\binto\s+outfile\b|\bformat\s+[A-Za-z]\w*\s*(?:settings\b.*)?$", re.IGNORECASE | re.DOTALL
)
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.]{0,127}")
_QUERY_ID = re.compile(r"[A-Za-z0-9_.:-]{1,128}")


def without_literals(sql: str) -> str:
    """`sql` with string literals, quoted names and comments taken out."""
    return _LITERALS.sub(_emptied, sql)


def _emptied(match: re.Match[str]) -> str:
    first = match.group()[0]
    return first * 2 if first in "'\"`" else " "


def check_query(sql: str, *, read_only: bool) -> str:
    """The statement without its trailing semicolon. Raises QueryError."""
    statement = sql.strip().rstrip(";").rstrip()
    bare = without_literals(statement).strip().rstrip(";").rstrip()
    if not bare:
        raise QueryError("the query is empty")
    if ";" in bare:
        raise QueryError("only one statement at a time", hint="send the statements one by one")
    if _OUTPUT.search(bare):
        raise QueryError("a query must not name its output", hint="leave out FORMAT and INTO OUTFILE")
    if read_only:
        word = re.match(r"[\s(]*([A-Za-z]+)", bare)
        if word is None or word.group(1).lower() not in _READS:
            raise QueryError(
                "only queries that read are allowed here",
                hint="begin with SELECT, WITH, SHOW, DESCRIBE or EXPLAIN",
            )
    return statement


def check_form(form: str) -> None:
    """Refuse a read-only query that reaches outside the store, given the engine's own form of it. Raises
    QueryError."""
    bare = _QUOTED.sub(_unquoted, form)
    outside = _OUTSIDE.search(bare) or _APPLIED.search(bare)
    if outside:
        name = outside.group().strip("( ").split()[-1].strip("(")
        raise QueryError(f"{name}() reaches outside the store; a read-only query may not use it")
    if _DESCRIBED.match(bare):
        raise QueryError("only tables and queries can be described here, not what a function reads")
    if _OUTPUT.search(bare):
        raise QueryError("a query must not name its output", hint="leave out FORMAT and INTO OUTFILE")


def _unquoted(match: re.Match[str]) -> str:
    name = match["name"]
    if name is None:
        return "''"
    return name if name.isidentifier() else "``"


class Checked:
    """Read-only statements that have passed `check_form`: Relive's own come again and again. Bounded."""

    def __init__(self, form_of: Callable[[str], str], limit: int = 512) -> None:
        self._form_of = form_of
        self._limit = limit
        self._passed: OrderedDict[str, None] = OrderedDict()

    def check(self, statement: str) -> None:
        """Raises QueryError, even if the engine's parser refuses the statement."""
        if statement in self._passed:
            return
        check_form(self._form_of(statement))
        self._passed[statement] = None
        while len(self._passed) > self._limit:
            try:
                self._passed.popitem(last=False)
            except KeyError:  # another thread was quicker
                break


def check_name(name: str) -> str:
    """A table or column name that is safe to write into SQL. Raises QueryError."""
    if not _NAME.fullmatch(name):
        raise QueryError(f"not a table or column name: {name[:80]!r}")
    return name


def check_query_id(query_id: str) -> str:
    """A query id: up to 128 letters, digits and `_.:-`; empty is allowed. Raises QueryError."""
    if query_id and not _QUERY_ID.fullmatch(query_id):
        raise QueryError(f"not a query id: {query_id[:80]!r}", hint="use letters, digits and _.:- only")
    return query_id


def quoted(table: str) -> str:
    """A table name, with or without its database, in backticks. Raises QueryError."""
    return ".".join(f"`{part}`" for part in check_name(table).split("."))
