-- What the queue, uploads and claims need at the very least. Nothing notifies by itself.
CREATE TABLE jobs (
    id         uuid        PRIMARY KEY DEFAULT gen_random_uuid(),
    queue      text        NOT NULL,
    job        jsonb       NOT NULL,
    unique_key text        UNIQUE,
    worker     uuid,
    heartbeat  timestamptz,
    retry      int         NOT NULL,
    queue_time timestamptz NOT NULL
);
CREATE TABLE uploads (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), result json);
CREATE TABLE variants (hash bytea, variant text, identifier text NOT NULL, PRIMARY KEY (hash, variant));
CREATE TABLE claims (key text PRIMARY KEY, heartbeat timestamptz NOT NULL);
