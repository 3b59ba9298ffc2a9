CREATE TABLE IF NOT EXISTS notes (
    name    text        PRIMARY KEY,
    text    text        NOT NULL,
    labels  text[]      NOT NULL DEFAULT '{}',
    written timestamptz NOT NULL,
    rank    int
);
