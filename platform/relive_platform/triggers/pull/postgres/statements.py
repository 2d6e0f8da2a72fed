"""The SQL that Relive runs in databases of others. Their names go in by psycopg's `sql`."""

from __future__ import annotations

from typing import Final

__all__ = [
    "ADVANCE",
    "CHECKPOINT_TIMEOUT",
    "CREATE_SLOT",
    "DROP_SLOT",
    "FLUSHED",
    "LEFT_BEHIND",
    "LOCK",
    "PEEK",
    "PEEK_WITH_NOTES",
    "PRIMARY_KEY",
    "PUBLISHED",
    "PUBLISHES",
    "SLOT",
    "TABLE",
    "TYPES",
    "WAL_LEVEL",
]

WAL_LEVEL: Final = "SELECT current_setting('wal_level')"
CHECKPOINT_TIMEOUT: Final = "SELECT setting::int FROM pg_settings WHERE name = 'checkpoint_timeout'"
FLUSHED: Final = "SELECT (pg_current_wal_flush_lsn() - '0/0'::pg_lsn)::bigint"
SLOT: Final = """
SELECT s.plugin, s.database = current_database(), coalesce(s.wal_status, ''),
       (s.confirmed_flush_lsn - '0/0'::pg_lsn)::bigint,
       (pg_current_wal_flush_lsn() - s.confirmed_flush_lsn)::bigint,
       (pg_current_wal_lsn() - s.restart_lsn)::bigint,
       s.active_pid
FROM pg_replication_slots AS s WHERE s.slot_name = %s
"""
LEFT_BEHIND: Final = (
    "SELECT (pg_current_wal_lsn() - restart_lsn)::bigint FROM pg_replication_slots WHERE slot_name = %s"
)
CREATE_SLOT: Final = "SELECT pg_create_logical_replication_slot(%s, 'pgoutput')"
DROP_SLOT: Final = "SELECT pg_drop_replication_slot(%s)"
ADVANCE: Final = "SELECT pg_replication_slot_advance(%s, %s::pg_lsn)"
PEEK: Final = (
    "SELECT data FROM pg_logical_slot_peek_binary_changes(%s, NULL, %s,"
    " 'proto_version', '1', 'publication_names', %s)"
)
PEEK_WITH_NOTES: Final = (
    "SELECT data FROM pg_logical_slot_peek_binary_changes(%s, NULL, %s,"
    " 'proto_version', '1', 'publication_names', %s, 'messages', 'true')"
)
TABLE: Final = """
SELECT n.nspname, c.relname, c.relkind::text,
       c.relreplident::text IN ('f', 'i') OR (c.relreplident::text = 'd'
           AND EXISTS (SELECT FROM pg_index AS i WHERE i.indrelid = c.oid AND i.indisprimary))
FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace WHERE c.oid = to_regclass(%s)
"""
PUBLISHED: Final = (
    "SELECT n.nspname, c.relname FROM pg_publication_rel AS r JOIN pg_class AS c ON c.oid = r.prrelid"
    " JOIN pg_namespace AS n ON n.oid = c.relnamespace"
    " JOIN pg_publication AS p ON p.oid = r.prpubid WHERE p.pubname = %s"
)
PUBLISHES: Final = (
    "SELECT pubinsert, pubupdate, pubdelete, pubtruncate FROM pg_publication WHERE pubname = %s"
)
PRIMARY_KEY: Final = """
SELECT a.attname FROM pg_index AS i
JOIN pg_attribute AS a ON a.attrelid = i.indrelid AND a.attnum = ANY (i.indkey)
WHERE i.indisprimary AND i.indrelid = to_regclass(%s)
ORDER BY array_position(i.indkey, a.attnum)
"""
LOCK: Final = "SELECT pg_try_advisory_lock(1919249509, to_regclass(%s)::oid::int)"
TYPES: Final = """
SELECT t.oid::bigint, t.typtype::text, t.typbasetype::bigint, t.typelem::bigint, t.typcategory::text,
       coalesce(e.typdelim, ',')::text
FROM pg_type AS t LEFT JOIN pg_type AS e ON e.oid = t.typelem
WHERE t.oid = ANY (%s)
"""
