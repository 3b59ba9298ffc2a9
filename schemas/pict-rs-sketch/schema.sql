-- The tables that pict-rs' planning note sketched, before there was a version on PostgreSQL. Names and
-- types are the note's, the misspelt identifer among them. Changed is only what no server accepts or what
-- the note leaves open; each such place is marked with "Here:".
--
-- Needs PostgreSQL 13 or later for gen_random_uuid() (before: CREATE EXTENSION pgcrypto).
-- Everything lands in the first schema of the connection's search_path.

-- Here: the comma behind the last column is gone.
CREATE TABLE IF NOT EXISTS hashes (
    hash              BYTEA PRIMARY KEY,
    identifer         TEXT NOT NULL,
    motion_identifier TEXT
);

-- Here: accessed is part of the table; the note adds it with ALTER TABLE.
CREATE TABLE IF NOT EXISTS variants (
    id         UUID PRIMARY KEY DEFAULT gen_random_uuid(),
    hash       BYTEA REFERENCES hashes (hash) ON DELETE CASCADE,
    variant    TEXT NOT NULL,
    identifier TEXT NOT NULL,
    accessed   TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP
);
CREATE UNIQUE INDEX IF NOT EXISTS hash_variant_index ON variants (hash, variant);

CREATE TABLE IF NOT EXISTS aliases (
    alias        VARCHAR(30) PRIMARY KEY,
    hash         BYTEA NOT NULL REFERENCES hashes (hash) ON DELETE CASCADE,
    delete_token VARCHAR(30) NOT NULL
);

CREATE TABLE IF NOT EXISTS settings (
    key   VARCHAR(80) PRIMARY KEY,
    value VARCHAR(80) NOT NULL
);

-- Here: the comma behind the last column is gone.
CREATE TABLE IF NOT EXISTS details (
    identifier TEXT PRIMARY KEY,
    details    JSONB NOT NULL
);

DO $$
BEGIN
    CREATE TYPE job_status AS ENUM ('new', 'running');
EXCEPTION
    WHEN duplicate_object THEN NULL;
END
$$;

CREATE TABLE IF NOT EXISTS queue (
    id         UUID PRIMARY KEY DEFAULT gen_random_uuid(),
    queue      VARCHAR(30) NOT NULL,
    job        JSONB NOT NULL,
    worker_id  VARCHAR(30),
    status     job_status NOT NULL DEFAULT 'new',
    queue_time TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP
);
-- Here: the columns are in parentheses; the note has INCLUDE and no column.
CREATE INDEX IF NOT EXISTS queue_worker_id_index ON queue (worker_id);
CREATE INDEX IF NOT EXISTS queue_status_index ON queue (status);

CREATE OR REPLACE FUNCTION queue_status_notify() RETURNS trigger AS $$
BEGIN
    PERFORM pg_notify('queue_status_channel', NEW.id::text);
    RETURN NEW;
END;
$$ LANGUAGE plpgsql;
DROP TRIGGER IF EXISTS queue_status ON queue;
CREATE TRIGGER queue_status AFTER INSERT OR UPDATE OF status ON queue
    FOR EACH ROW EXECUTE PROCEDURE queue_status_notify();

-- Here: the comma behind the only column is gone.
CREATE TABLE IF NOT EXISTS migrations (
    identifier TEXT PRIMARY KEY
);

-- Here: url has a type; and of the two places that the note names for the time of access it is this one.
CREATE TABLE IF NOT EXISTS proxies (
    url      TEXT PRIMARY KEY,
    alias    VARCHAR(30) NOT NULL REFERENCES aliases (alias),
    accessed TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP
);
