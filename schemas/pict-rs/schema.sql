-- The tables of pict-rs 0.5 as they are after its migrations, for trying the query set and for tests. On
-- a server that pict-rs has set up they are there already, and this file is not needed.
--
-- Needs PostgreSQL 13 or later for gen_random_uuid() (before: CREATE EXTENSION pgcrypto).
-- Everything lands in the first schema of the connection's search_path.
--
-- Hashes are text: standard base64 of the bytes. Times have no zone and hold UTC.

CREATE TABLE IF NOT EXISTS hashes (
    hash              text      PRIMARY KEY,
    identifier        text      NOT NULL UNIQUE,
    motion_identifier text      UNIQUE,
    created_at        timestamp NOT NULL DEFAULT current_timestamp,
    blurhash          text
);
CREATE INDEX IF NOT EXISTS ordered_hash_index ON hashes (created_at, hash);

CREATE TABLE IF NOT EXISTS variants (
    id         uuid      PRIMARY KEY DEFAULT gen_random_uuid(),
    hash       text      NOT NULL REFERENCES hashes (hash),
    variant    text      NOT NULL,
    identifier text      NOT NULL,
    accessed   timestamp NOT NULL DEFAULT current_timestamp
);
CREATE UNIQUE INDEX IF NOT EXISTS hash_variant_index ON variants (hash, variant);

CREATE TABLE IF NOT EXISTS aliases (
    alias text PRIMARY KEY,
    hash  text NOT NULL REFERENCES hashes (hash),
    token text NOT NULL
);
CREATE INDEX IF NOT EXISTS aliases_hash_index ON aliases (hash);

-- Values are bytes in hexadecimal.
CREATE TABLE IF NOT EXISTS settings (
    key   text PRIMARY KEY,
    value text NOT NULL
);

CREATE TABLE IF NOT EXISTS details (
    identifier text  PRIMARY KEY,
    json       jsonb NOT NULL
);

DO $$
BEGIN
    CREATE TYPE job_status AS ENUM ('new', 'running');
EXCEPTION
    WHEN duplicate_object THEN NULL;
END
$$;

CREATE TABLE IF NOT EXISTS job_queue (
    id         uuid       PRIMARY KEY DEFAULT gen_random_uuid(),
    queue      text       NOT NULL,
    job        jsonb      NOT NULL,
    worker     uuid,
    status     job_status NOT NULL DEFAULT 'new',
    queue_time timestamp  NOT NULL DEFAULT current_timestamp,
    heartbeat  timestamp,
    unique_key text       UNIQUE,
    retry      integer    NOT NULL DEFAULT 5
);
CREATE INDEX IF NOT EXISTS heartbeat_index ON job_queue (heartbeat);
CREATE INDEX IF NOT EXISTS queue_time_index ON job_queue (queue_time);

CREATE TABLE IF NOT EXISTS store_migrations (
    old_identifier text PRIMARY KEY,
    new_identifier text NOT NULL UNIQUE
);

CREATE TABLE IF NOT EXISTS proxies (
    url      text      PRIMARY KEY,
    alias    text      NOT NULL REFERENCES aliases (alias),
    accessed timestamp NOT NULL DEFAULT current_timestamp
);

CREATE TABLE IF NOT EXISTS uploads (
    id         uuid      PRIMARY KEY DEFAULT gen_random_uuid(),
    result     jsonb,
    created_at timestamp NOT NULL DEFAULT current_timestamp
);

CREATE TABLE IF NOT EXISTS keyed_notifications (
    key       text      PRIMARY KEY,
    heartbeat timestamp NOT NULL DEFAULT current_timestamp
);
CREATE INDEX IF NOT EXISTS keyed_notifications_heartbeat_index ON keyed_notifications (heartbeat);

-- A job is announced when it is stored, claimed and made new again.
CREATE OR REPLACE FUNCTION queue_status_notify() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('queue_status_channel', NEW.id::text || ' ' || NEW.queue);
    RETURN NEW;
END
$$;
DROP TRIGGER IF EXISTS queue_status ON job_queue;
CREATE TRIGGER queue_status AFTER INSERT OR UPDATE OF status ON job_queue
    FOR EACH ROW EXECUTE FUNCTION queue_status_notify();

CREATE OR REPLACE FUNCTION upload_completion_notify() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('upload_completion_channel', NEW.id::text);
    RETURN NEW;
END
$$;
DROP TRIGGER IF EXISTS upload_result ON uploads;
CREATE TRIGGER upload_result AFTER INSERT OR UPDATE OF result ON uploads
    FOR EACH ROW EXECUTE FUNCTION upload_completion_notify();

-- The end of a claim is what those wait for who want the variant.
CREATE OR REPLACE FUNCTION keyed_notify() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('keyed_notification_channel', OLD.key);
    RETURN NULL;
END
$$;
DROP TRIGGER IF EXISTS keyed_notification_removed ON keyed_notifications;
CREATE TRIGGER keyed_notification_removed AFTER DELETE ON keyed_notifications
    FOR EACH ROW EXECUTE FUNCTION keyed_notify();
