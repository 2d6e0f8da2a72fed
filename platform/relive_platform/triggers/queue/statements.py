"""The SQL of the event queue: one file, one connection. States: 0 ready, 1 leased, 2 dead."""

from __future__ import annotations

from typing import Final

__all__ = [
    "AGAIN",
    "BURY",
    "COUNTED_TO",
    "COUNTS",
    "COUNTS_DONE",
    "COUNT_DROPPED",
    "DEAD_BEFORE",
    "DELETE",
    "DONE_BEFORE",
    "DROPPED",
    "DUE",
    "FIND",
    "FINISH",
    "FORGET",
    "FORGET_RESULT",
    "GIVE_BACK",
    "HELD",
    "HELD_BY_ALL",
    "HOLD",
    "HOLDINGS",
    "INSERT",
    "KNOWN",
    "KNOWN_FINISHED",
    "LIST",
    "LOAD",
    "LOOK",
    "MARK",
    "MARKS",
    "NEXT_DUE",
    "OLDEST_DONE",
    "OLDEST_RESULTS",
    "READY_BEFORE",
    "RELEASE_ALL",
    "REVIVE",
    "SCHEMA",
    "SHIFT",
    "SHIFT_DEAD",
    "SHIFT_DONE",
    "STILL_HELD",
    "TAKE",
    "UNHOLD",
    "UNHOLD_ALL",
    "UNMARK",
]

SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS events (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    function TEXT NOT NULL,
    id TEXT NOT NULL,
    state INTEGER NOT NULL,
    next_at_ns INTEGER NOT NULL,    -- when it is due, or when it died; ns since the epoch
    attempts INTEGER NOT NULL,      -- deliveries that began
    token INTEGER NOT NULL,         -- fencing: grows with every lease
    enqueued_ns INTEGER NOT NULL,
    last_error TEXT NOT NULL,
    digest BLOB NOT NULL,           -- of what makes it the same event
    detail BLOB NOT NULL,           -- JSON: QueuedEvent without what has a column
    body BLOB NOT NULL,
    UNIQUE (function, id)
);
CREATE INDEX IF NOT EXISTS events_ready ON events (function, next_at_ns, seq) WHERE state = 0;
CREATE INDEX IF NOT EXISTS events_dead ON events (function, next_at_ns, seq) WHERE state = 2;
CREATE INDEX IF NOT EXISTS events_by_id ON events (id);
CREATE TABLE IF NOT EXISTS finished (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    function TEXT NOT NULL,
    id TEXT NOT NULL,
    finished_ns INTEGER NOT NULL,
    invocation_id TEXT NOT NULL,
    digest BLOB NOT NULL,
    result BLOB,
    UNIQUE (function, id)
);
CREATE INDEX IF NOT EXISTS finished_by_function ON finished (function, seq);
CREATE INDEX IF NOT EXISTS finished_results ON finished (function, seq) WHERE result IS NOT NULL;
CREATE TABLE IF NOT EXISTS dropped (
    function TEXT PRIMARY KEY,
    dead INTEGER NOT NULL           -- dead events that age or limits have removed, ever
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS marks (
    key TEXT PRIMARY KEY,
    value INTEGER NOT NULL          -- a timer's last firing, ns since the epoch
) WITHOUT ROWID;
"""

INSERT: Final = (
    "INSERT INTO events (function, id, state, next_at_ns, attempts, token, enqueued_ns, last_error, digest,"
    " detail, body) VALUES (?, ?, 0, ?, 0, 0, ?, '', ?, ?, ?) ON CONFLICT (function, id) DO NOTHING"
)
KNOWN: Final = "SELECT state, digest, detail, enqueued_ns FROM events WHERE function = ? AND id = ?"
KNOWN_FINISHED: Final = "SELECT digest, invocation_id, result FROM finished WHERE function = ? AND id = ?"
MARK: Final = (
    "INSERT INTO marks VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = max(value, excluded.value)"
)
MARKS: Final = "SELECT key, value FROM marks"
UNMARK: Final = "DELETE FROM marks WHERE key = ?"

DUE: Final = (
    "SELECT seq, id, attempts, token, enqueued_ns, next_at_ns, detail, body FROM events"
    " WHERE state = 0 AND function = ? AND next_at_ns <= ? ORDER BY next_at_ns, seq LIMIT ?"
)
TAKE: Final = "UPDATE events SET state = 1, attempts = attempts + 1, token = token + 1 WHERE seq = ?"
NEXT_DUE: Final = "SELECT min(next_at_ns) FROM events WHERE state = 0 AND function = ?"
HELD: Final = (
    "SELECT function, id, attempts, enqueued_ns, detail, digest, length(body) + length(detail) FROM events"
    " WHERE seq = ? AND token = ? AND state = 1"
)
STILL_HELD: Final = "SELECT 1 FROM events WHERE seq = ? AND token = ? AND state = 1"
AGAIN: Final = "UPDATE events SET state = 0, next_at_ns = ?, last_error = ? WHERE seq = ?"
GIVE_BACK: Final = "UPDATE events SET state = 0, attempts = attempts - 1 WHERE seq = ?"
BURY: Final = "UPDATE events SET state = 2, last_error = ?, next_at_ns = ? WHERE seq = ?"
DELETE: Final = "DELETE FROM events WHERE seq = ?"
FINISH: Final = (
    "INSERT OR REPLACE INTO finished (function, id, finished_ns, invocation_id, digest, result)"
    " VALUES (?, ?, ?, ?, ?, ?)"
)
REVIVE: Final = (
    "UPDATE events SET state = 0, attempts = 0, next_at_ns = ?, enqueued_ns = ?, token = token + 1"
    " WHERE seq = ?"
)
DEAD_BEFORE: Final = (
    "SELECT seq, next_at_ns, length(body) + length(detail) FROM events"
    " WHERE state = 2 AND function = ? AND next_at_ns <= ? ORDER BY next_at_ns, seq LIMIT ?"
)
READY_BEFORE: Final = (
    "SELECT seq, length(body) + length(detail) FROM events"
    " WHERE state = 0 AND function = ? AND enqueued_ns <= ? ORDER BY next_at_ns, seq LIMIT ?"
)
DONE_BEFORE: Final = (
    "SELECT seq, coalesce(length(result), 0) FROM finished"
    " WHERE function = ? AND finished_ns <= ? ORDER BY seq LIMIT ?"
)
OLDEST_DONE: Final = (
    "SELECT seq, coalesce(length(result), 0), finished_ns FROM finished WHERE function = ?"
    " ORDER BY seq LIMIT ?"
)
OLDEST_RESULTS: Final = (
    "SELECT seq, length(result) FROM finished WHERE function = ? AND result IS NOT NULL ORDER BY seq LIMIT ?"
)
FORGET: Final = "DELETE FROM finished WHERE seq = ?"
FORGET_RESULT: Final = "UPDATE finished SET result = NULL WHERE seq = ?"
DROPPED: Final = "SELECT function, dead FROM dropped"
COUNT_DROPPED: Final = (
    "INSERT INTO dropped VALUES (?, ?) ON CONFLICT (function) DO UPDATE SET dead = dead + excluded.dead"
)
RELEASE_ALL: Final = "UPDATE events SET state = 0, next_at_ns = min(next_at_ns, ?) WHERE state = 1"
SHIFT: Final = "UPDATE events SET next_at_ns = next_at_ns + ? WHERE state = 0 AND next_at_ns > ?"
SHIFT_DEAD: Final = "UPDATE events SET next_at_ns = next_at_ns + ? WHERE state = 2"
SHIFT_DONE: Final = "UPDATE finished SET finished_ns = finished_ns + ?"
# Counts of these rows, as of the last commit: to count those of a large file takes minutes. `counted` says
# how many rows there had ever been: an older version, which does not keep the counts, adds some.
HOLDINGS: Final = """
CREATE TABLE IF NOT EXISTS holdings (
    function TEXT PRIMARY KEY,
    ready INTEGER NOT NULL,
    leased INTEGER NOT NULL,
    dead INTEGER NOT NULL,
    ready_bytes INTEGER NOT NULL,
    leased_bytes INTEGER NOT NULL,
    dead_bytes INTEGER NOT NULL,
    done INTEGER NOT NULL,
    done_bytes INTEGER NOT NULL     -- of results
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS counted (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    events INTEGER NOT NULL,
    finished INTEGER NOT NULL
);
"""
HOLD: Final = "INSERT OR REPLACE INTO holdings VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
UNHOLD: Final = "DELETE FROM holdings WHERE function = ?"
UNHOLD_ALL: Final = "DELETE FROM holdings"
COUNTED_TO: Final = """
INSERT OR REPLACE INTO counted VALUES (1,
    coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'events'), 0),
    coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'finished'), 0))
"""
HELD_BY_ALL: Final = """
SELECT holdings.* FROM holdings, counted
WHERE counted.events = coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'events'), 0)
    AND counted.finished = coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'finished'), 0)
"""
COUNTS: Final = (
    "SELECT function, state, count(*), sum(length(body) + length(detail)) FROM events"
    " GROUP BY function, state"
)
COUNTS_DONE: Final = (
    "SELECT function, count(*), coalesce(sum(length(result)), 0) FROM finished GROUP BY function"
)
FIND: Final = (
    "SELECT seq, function, state, length(body) + length(detail) FROM events"
    " WHERE id >= ? AND id < ? AND (? = '' OR function = ?) LIMIT 2"
)
LIST: Final = (
    "SELECT id, function, state, attempts, next_at_ns, last_error, enqueued_ns, length(body) FROM events"
    " WHERE (? < 0 OR state = ?) AND (? = '' OR function = ?) ORDER BY seq DESC LIMIT ?"
)
LOOK: Final = (
    "SELECT id, function, state, attempts, next_at_ns, last_error, enqueued_ns, length(body) FROM events"
    " WHERE function = ? AND id = ?"
)
LOAD: Final = "SELECT function, id, attempts, token, enqueued_ns, detail, body FROM events WHERE seq = ?"
