"""The tables: made and changed by migrations, and how long they keep their rows."""
