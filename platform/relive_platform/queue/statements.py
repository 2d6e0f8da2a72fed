"""The SQL of the event queue: one file, one connection. States: 0 ready, 1 leased, 2 dead."""

from __future__ import annotations

from typing import Final

__all__ = [
    "AGAIN",
    "BURY",
    "COUNTS",
    "DELETE",
    "DUE",
    "FIND",
    "FINISH",
    "FINISHED_RANGE",
    "FORGET",
    "GIVE_BACK",
    "HELD",
    "INSERT",
    "KNOWN",
    "KNOWN_FINISHED",
    "LIST",
    "LOAD",
    "MARK",
    "MARKS",
    "NEXT_DUE",
    "RELEASE_ALL",
    "REVIVE",
    "SCHEMA",
    "SHIFT",
    "STILL_HELD",
    "TAKE",
    "UNMARK",
]

SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS events (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    function TEXT NOT NULL,
    id TEXT NOT NULL,
    state INTEGER NOT NULL,
    next_at_ns INTEGER NOT NULL,    -- when it is due, ns since the epoch
    attempts INTEGER NOT NULL,      -- deliveries that began
    token INTEGER NOT NULL,         -- fencing: grows with every lease
    enqueued_ns INTEGER NOT NULL,
    last_error TEXT NOT NULL,
    digest BLOB NOT NULL,           -- of the body
    detail BLOB NOT NULL,           -- JSON: QueuedEvent without what has a column
    body BLOB NOT NULL,
    UNIQUE (function, id)
);
CREATE INDEX IF NOT EXISTS events_ready ON events (function, next_at_ns, seq) WHERE state = 0;
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
CREATE TABLE IF NOT EXISTS marks (
    key TEXT PRIMARY KEY,
    value INTEGER NOT NULL          -- a timer's last firing, ns since the epoch
) WITHOUT ROWID;
"""

INSERT: Final = (
    "INSERT INTO events (function, id, state, next_at_ns, attempts, token, enqueued_ns, last_error, digest,"
    " detail, body) VALUES (?, ?, 0, ?, 0, 0, ?, '', ?, ?, ?) ON CONFLICT (function, id) DO NOTHING"
)
KNOWN: Final = "SELECT state, digest FROM events WHERE function = ? AND id = ?"
KNOWN_FINISHED: Final = "SELECT digest, invocation_id, result FROM finished WHERE function = ? AND id = ?"
MARK: Final = (
    "INSERT INTO marks VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = max(value, excluded.value)"
)
MARKS: Final = "SELECT key, value FROM marks"
UNMARK: Final = "DELETE FROM marks WHERE key = ?"

DUE: Final = (
    "SELECT seq, id, attempts, token, enqueued_ns, detail, body FROM events"
    " WHERE state = 0 AND function = ? AND next_at_ns <= ? ORDER BY next_at_ns, seq LIMIT ?"
)
TAKE: Final = "UPDATE events SET state = 1, attempts = attempts + 1, token = token + 1 WHERE seq = ?"
NEXT_DUE: Final = "SELECT min(next_at_ns) FROM events WHERE state = 0 AND function = ?"
HELD: Final = (
    "SELECT function, id, attempts, enqueued_ns, detail, digest FROM events"
    " WHERE seq = ? AND token = ? AND state = 1"
)
STILL_HELD: Final = "SELECT 1 FROM events WHERE seq = ? AND token = ? AND state = 1"
AGAIN: Final = "UPDATE events SET state = 0, next_at_ns = ?, last_error = ? WHERE seq = ?"
GIVE_BACK: Final = "UPDATE events SET state = 0, attempts = attempts - 1 WHERE seq = ?"
BURY: Final = "UPDATE events SET state = 2, last_error = ? WHERE seq = ?"
DELETE: Final = "DELETE FROM events WHERE seq = ?"
FINISH: Final = (
    "INSERT INTO finished (function, id, finished_ns, invocation_id, digest, result)"
    " VALUES (?, ?, ?, ?, ?, ?)"
)
REVIVE: Final = (
    "UPDATE events SET state = 0, attempts = 0, next_at_ns = ?, enqueued_ns = ?, token = token + 1"
    " WHERE seq = ?"
)
FORGET: Final = (
    "DELETE FROM finished WHERE seq IN (SELECT seq FROM finished WHERE finished_ns < ? OR seq <= ?"
    " ORDER BY seq LIMIT 1000)"
)
RELEASE_ALL: Final = "UPDATE events SET state = 0, next_at_ns = min(next_at_ns, ?) WHERE state = 1"
SHIFT: Final = "UPDATE events SET next_at_ns = next_at_ns + ? WHERE state = 0 AND next_at_ns > ?"
COUNTS: Final = "SELECT function, state, count(*) FROM events GROUP BY function, state"
FINISHED_RANGE: Final = "SELECT coalesce(min(seq), 0), coalesce(max(seq), 0) FROM finished"
FIND: Final = (
    "SELECT seq, function, state FROM events WHERE id >= ? AND id < ? AND (? = '' OR function = ?) LIMIT 2"
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
