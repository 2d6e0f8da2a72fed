"""The SQL of the queues of messages: one file, one connection."""

from __future__ import annotations

from typing import Final

__all__ = [
    "ADD_KEY",
    "ADD_QUEUE",
    "CHANGE_QUEUE",
    "DELETE",
    "DROP_MOVE",
    "DROP_MOVES",
    "DROP_QUEUE",
    "DUE",
    "DUE_UNTIL",
    "EXPIRED",
    "FIND",
    "FORGET_SENT",
    "FORGET_SENT_OF",
    "FORGET_TOTAL",
    "GIVE_BACK",
    "GROUP_FROM",
    "HIDDEN",
    "HIDE",
    "INSERT",
    "IN_GROUP",
    "KEEP_TOTALS",
    "KEY",
    "LAST",
    "MAKE_HEAD",
    "MOVES",
    "NEXT_DUE",
    "NEXT_IN_GROUP",
    "OLDEST",
    "PUT_MOVE",
    "QUEUES",
    "RELEASE_OURS",
    "REMEMBER",
    "ROW",
    "SCHEMA",
    "SENT_BEFORE",
    "SHIFT",
    "SOME",
    "TAKE",
    "TOTALS",
]

SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS queues (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    name TEXT NOT NULL UNIQUE,
    document BLOB NOT NULL          -- JSON: QueueInfo
);
CREATE TABLE IF NOT EXISTS messages (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    queue INTEGER NOT NULL,
    head INTEGER NOT NULL,          -- 1 if no message of its group lies before it; always of standard queues
    visible_ns INTEGER NOT NULL,    -- when it can be received; ns since the epoch
    holder INTEGER NOT NULL,        -- 0 nobody, 1 a trigger of this server, 2 somebody else
    receives INTEGER NOT NULL,
    token INTEGER NOT NULL,         -- grows with every receive
    sent_ns INTEGER NOT NULL,
    first_ns INTEGER NOT NULL,      -- of the first receive, 0
    grp TEXT,                       -- of FIFO queues
    id TEXT NOT NULL,
    detail BLOB NOT NULL,           -- JSON: Message without what has a column
    body BLOB NOT NULL
);
CREATE INDEX IF NOT EXISTS messages_due ON messages (queue, head, visible_ns, seq);
CREATE INDEX IF NOT EXISTS messages_groups ON messages (queue, grp, seq) WHERE grp IS NOT NULL;
CREATE TABLE IF NOT EXISTS sent_before (
    queue INTEGER NOT NULL,
    scope TEXT NOT NULL,            -- the group, where deduplication ids count within it
    id TEXT NOT NULL,
    until_ns INTEGER NOT NULL,
    message_id TEXT NOT NULL,
    seq INTEGER NOT NULL,
    PRIMARY KEY (queue, scope, id)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS sent_before_until ON sent_before (until_ns);
CREATE TABLE IF NOT EXISTS keys (
    name TEXT PRIMARY KEY,
    value BLOB NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS moves (
    handle TEXT PRIMARY KEY,
    source INTEGER NOT NULL,
    document BLOB NOT NULL          -- JSON: MoveTask
) WITHOUT ROWID;
"""
KEEP_TOTALS: Final = (
    """
    CREATE TABLE totals (
        queue INTEGER PRIMARY KEY,
        messages INTEGER NOT NULL,
        bytes INTEGER NOT NULL          -- of their bodies and details
    )
    """,
    "INSERT INTO totals SELECT queue, count(*), sum(length(body) + length(detail)) FROM messages"
    " GROUP BY queue",
    """
    CREATE TRIGGER totals_in AFTER INSERT ON messages BEGIN
        INSERT INTO totals VALUES (NEW.queue, 1, length(NEW.body) + length(NEW.detail))
        ON CONFLICT (queue) DO UPDATE SET messages = messages + 1, bytes = bytes + excluded.bytes;
    END
    """,
    """
    CREATE TRIGGER totals_out AFTER DELETE ON messages BEGIN
        UPDATE totals SET messages = messages - 1, bytes = bytes - length(OLD.body) - length(OLD.detail)
        WHERE queue = OLD.queue;
    END
    """,
)
KEY: Final = "SELECT value FROM keys WHERE name = ?"
ADD_KEY: Final = "INSERT INTO keys (name, value) VALUES (?, ?)"
QUEUES: Final = "SELECT id, document FROM queues"
ADD_QUEUE: Final = "INSERT INTO queues (name, document) VALUES (?, ?)"
CHANGE_QUEUE: Final = "UPDATE queues SET document = ? WHERE id = ?"
DROP_QUEUE: Final = "DELETE FROM queues WHERE id = ?"

INSERT: Final = (
    "INSERT INTO messages (queue, head, visible_ns, holder, receives, token, sent_ns, first_ns, grp, id,"
    " detail, body) VALUES (?, ?, ?, 0, 0, 0, ?, 0, ?, ?, ?, ?)"
)
IN_GROUP: Final = "SELECT 1 FROM messages WHERE queue = ? AND grp = ? LIMIT 1"
NEXT_IN_GROUP: Final = "SELECT seq FROM messages WHERE queue = ? AND grp = ? ORDER BY seq LIMIT 1"
MAKE_HEAD: Final = "UPDATE messages SET head = 1 WHERE seq = ? AND head = 0"
DUE: Final = (
    "SELECT seq, visible_ns, receives, token, sent_ns, first_ns, grp, id, detail, body FROM messages"
    " WHERE queue = ? AND head = 1 AND visible_ns <= ? ORDER BY visible_ns, seq LIMIT ?"
)
DUE_UNTIL: Final = (
    "SELECT seq, visible_ns, receives, token, sent_ns, first_ns, grp, id, detail, body FROM messages"
    " WHERE queue = ? AND head = 1 AND visible_ns <= ? AND seq <= ? ORDER BY visible_ns, seq LIMIT ?"
)
GROUP_FROM: Final = (
    "SELECT seq, visible_ns, receives, token, sent_ns, first_ns, grp, id, detail, body FROM messages"
    " WHERE queue = ? AND grp = ? AND seq >= ? ORDER BY seq LIMIT ?"
)
TAKE: Final = (
    "UPDATE messages SET visible_ns = ?, holder = ?, receives = receives + 1, token = token + 1,"
    " first_ns = CASE first_ns WHEN 0 THEN ? ELSE first_ns END WHERE seq = ?"
)
FIND: Final = (
    "SELECT token, visible_ns, holder, grp, head, receives, length(body) + length(detail) FROM messages"
    " WHERE queue = ? AND seq = ?"
)
HIDE: Final = "UPDATE messages SET visible_ns = ?, holder = ? WHERE seq = ?"
GIVE_BACK: Final = (
    "UPDATE messages SET visible_ns = ?, holder = 0, receives = max(receives - 1, 0) WHERE seq = ?"
)
DELETE: Final = "DELETE FROM messages WHERE seq = ?"
SOME: Final = (
    "SELECT seq, grp, head, length(body) + length(detail) FROM messages WHERE queue = ? AND head >= 0"
    " AND seq <= ? LIMIT ?"
)
LAST: Final = "SELECT coalesce(max(seq), 0) FROM messages"
FORGET_SENT_OF: Final = "DELETE FROM sent_before WHERE queue = ?"
RELEASE_OURS: Final = (
    "UPDATE messages SET visible_ns = ?, holder = 0"
    " WHERE queue = ? AND head IN (0, 1) AND visible_ns > ? AND holder = 1"
)
NEXT_DUE: Final = "SELECT min(visible_ns) FROM messages WHERE queue = ? AND head = 1"
HIDDEN: Final = (
    "SELECT coalesce(sum(receives > 0), 0), coalesce(sum(receives = 0), 0) FROM messages"
    " WHERE queue = ? AND head = ? AND visible_ns > ?"
)
OLDEST: Final = (
    "SELECT sent_ns, visible_ns FROM messages WHERE queue = ? AND head = 1 AND visible_ns <= ?"
    " ORDER BY visible_ns, seq LIMIT 1"
)
TOTALS: Final = "SELECT queue, messages, bytes FROM totals WHERE messages > 0"
FORGET_TOTAL: Final = "DELETE FROM totals WHERE queue = ? AND messages = 0"
EXPIRED: Final = (  # what can be received since before that time was sent before it, too
    "SELECT seq, grp, head, length(body) + length(detail) FROM messages WHERE queue = ? AND head = 1"
    " AND visible_ns < ? ORDER BY visible_ns, seq LIMIT ?"
)
ROW: Final = (
    "SELECT seq, visible_ns, receives, token, sent_ns, first_ns, grp, id, detail, body FROM messages"
    " WHERE queue = ? AND seq = ?"
)
SENT_BEFORE: Final = (
    "SELECT message_id, seq, until_ns FROM sent_before WHERE queue = ? AND scope = ? AND id = ?"
)
REMEMBER: Final = (
    "INSERT INTO sent_before (queue, scope, id, until_ns, message_id, seq) VALUES (?, ?, ?, ?, ?, ?)"
    " ON CONFLICT (queue, scope, id) DO UPDATE SET until_ns = excluded.until_ns,"
    " message_id = excluded.message_id, seq = excluded.seq"
)
FORGET_SENT: Final = (
    "DELETE FROM sent_before WHERE (queue, scope, id) IN"
    " (SELECT queue, scope, id FROM sent_before WHERE until_ns <= ? LIMIT ?)"
)
SHIFT: Final = "UPDATE messages SET visible_ns = visible_ns + ?, sent_ns = sent_ns + ?"
MOVES: Final = "SELECT handle, document FROM moves WHERE source = ?"
PUT_MOVE: Final = (
    "INSERT INTO moves (handle, source, document) VALUES (?, ?, ?) ON CONFLICT (handle) DO UPDATE SET"
    " document = excluded.document"
)
DROP_MOVE: Final = "DELETE FROM moves WHERE handle = ?"
DROP_MOVES: Final = "DELETE FROM moves WHERE source = ?"
