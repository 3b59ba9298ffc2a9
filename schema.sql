-- Tables for the default query set, queries.example.yaml.
--
-- `mortise init` sends this file as one script. It can be applied again at any time: what exists is
-- left as it is, so a later version of this file never alters a table that is already there.
--
-- Conventions
--   * Names carry their domain as a prefix and no schema. They land in the first schema of the
--     connection's search_path; set that path if Mortise should live in a schema of its own.
--   * Only what PostgreSQL 12 and later understand. CockroachDB is meant to accept the file too
--     (storage parameters are ignored there); its own conformance run has to confirm that.
--   * The queries may be rewritten freely, and so may these tables: nothing in Mortise knows a table
--     or column name.


-- ==================================================================================================
-- Domain: tracker
-- ==================================================================================================

-- Peers of all swarms: one row for each (info hash, peer id, address, port).
--
-- This table is updated all the time: every announce of every client writes one row, nearly always
-- one that exists. Two decisions keep that cheap.
--
--   * The primary key is the only index. An announce changes created and rarely is_seeder; as no
--     index contains them, PostgreSQL makes the new row version in the same page without touching
--     any index (a heap-only update, HOT). An index on created would rule that out for every
--     refresh, and serves one query that runs every few minutes: garbage collection reads the whole
--     table instead.
--   * The key's order is chosen for reading. info_hash first, so that a swarm is one range of the
--     index. Then address: an inet sorts IPv4 before IPv6, so each address family of a swarm is one
--     range as well, and a random address is a fair place to begin when a few peers have to be
--     picked out of many. Peer ids would serve badly for that, as nearly all begin with one of a
--     few client names. The order has no bearing on what is unique.
CREATE TABLE IF NOT EXISTS tracker_peers (
    -- 20 bytes (v1, or a v2 hash cut to 20) or 32 bytes (v2). bytea: hashes are not text.
    info_hash bytea       NOT NULL,
    -- 20 bytes chosen by the client.
    peer_id   bytea       NOT NULL,
    -- One row a client and address: a client with IPv4 and IPv6 is two peers.
    address   inet        NOT NULL,
    -- int4 and not int2, which ends at 32767.
    port      int4        NOT NULL,
    -- The role is an attribute and no part of the key: a leecher that becomes a seeder stays one row.
    is_seeder bool        NOT NULL,
    -- Follows from address. Stored because a comparison is cheaper than family(), and works on
    -- databases that lack it.
    is_v6     bool        NOT NULL,
    -- When the peer was last seen. With time zone: an instant, whatever zone a session is set to.
    created   timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (info_hash, address, port, peer_id)
) WITH (
    -- Every page keeps 15 % free, so that the next version of a row finds room beside the old one
    -- (a condition of HOT). Lower values were not faster, only larger.
    fillfactor = 85,
    -- Collected rows leave dead index entries; clean up after 2 % of the table instead of 20 %, and
    -- without pauses, because a vacuum that cannot keep up costs every announce.
    autovacuum_vacuum_scale_factor = 0.02,
    autovacuum_vacuum_cost_delay = 0,
    -- Swarms grow and shrink within hours; statistics older than that mislead the planner.
    autovacuum_analyze_scale_factor = 0.05
);

-- Choices left to the operator, not made here:
--
--   ALTER ROLE <service role> SET synchronous_commit = off;
--     Announces no longer wait for the disk. A crash of the server may lose the last fraction of a
--     second; clients repeat their announces, so the table heals by itself. Download counters and
--     data are covered by the same setting.
--   ALTER TABLE tracker_peers SET UNLOGGED;
--     No write-ahead log. The table is empty after a crash and after a failover to a standby.
--   A second index, for trackers with swarms of tens of thousands of peers where almost all have the
--   same role (looking for the few others reads the whole swarm):
--     ALTER TABLE tracker_peers ADD COLUMN spread int4 NOT NULL DEFAULT (random() * 2147483646)::int4;
--     CREATE INDEX tracker_peers_spread ON tracker_peers (info_hash, is_seeder, is_v6, spread);
--     Pick peers from a random value of spread upwards, in announce.query, instead of from a random
--     address. Refreshes stay heap-only updates since none of these columns changes in them; new
--     peers cost about a third more, and each peer about 50 bytes.

-- Completed downloads for each info hash. Apart from the peers, because it has to outlive them.
CREATE TABLE IF NOT EXISTS tracker_downloads (
    info_hash bytea PRIMARY KEY,
    -- int8: an overflow would make the completion itself fail. No default: the first count is
    -- written by the query, where it can be seen.
    downloads int8  NOT NULL
) WITH (
    -- Only the counter changes, and no index contains it: room for HOT, as above.
    fillfactor = 90,
    autovacuum_vacuum_scale_factor = 0.05
);

-- Small values of the host, by context and key; for example the list of approved torrents.
CREATE TABLE IF NOT EXISTS tracker_kv (
    context text  NOT NULL,
    -- bytea, because hosts use raw hashes as keys and those are no valid text.
    name    bytea NOT NULL,
    -- NULL is allowed: a key may exist without a value.
    value   bytea,
    PRIMARY KEY (context, name)
) WITH (
    -- Read at every announce where torrents need approval, changed rarely: full pages, but a vacuum
    -- early enough that a list which is replaced as a whole does not bloat.
    autovacuum_vacuum_scale_factor = 0.05
);


-- ==================================================================================================
-- Domain: media
-- ==================================================================================================
--
-- What the tables have in common
--   * Hashes are bytea and compared as bytes: pages are then in the same order on every server,
--     whatever its collation.
--   * Times are timestamptz and come from Mortise's clock; no column has a default that the
--     database's clock would fill.
--   * Foreign keys do not cascade. Whatever still refers to a row keeps it from being deleted, and
--     the host hears that it is in use.

-- Originals: one row for each distinct content.
CREATE TABLE IF NOT EXISTS media_hashes (
    -- Any bytes, for example a digest with size and format behind it.
    hash              bytea       PRIMARY KEY,
    -- Name of the file in the store. Unique, because two hashes with one file would lose it together
    -- when either is removed. Costs one more index entry an upload (100 MB for a million).
    identifier        text        NOT NULL UNIQUE,
    -- Still image of a video or animation. Not unique: it can be made again, and so be lost.
    motion_identifier text,
    blurhash          text,
    created_at        timestamptz NOT NULL
) WITH (
    -- Most rows are written once more, when a still image or a blurhash is first asked for. No index
    -- has these columns, so with a little room in the page that is a heap-only update (HOT).
    fillfactor = 95
);

-- The order of pages and streams, read in both directions.
CREATE INDEX IF NOT EXISTS media_hashes_order ON media_hashes (created_at, hash);

-- The names under which originals are known.
CREATE TABLE IF NOT EXISTS media_aliases (
    alias        text  PRIMARY KEY,
    hash         bytea NOT NULL REFERENCES media_hashes (hash),
    -- NULL: nobody can delete the alias with a token, as in very old data.
    delete_token text
);

-- Aliases of a hash; also what the check of the foreign key needs when a hash is deleted.
CREATE INDEX IF NOT EXISTS media_aliases_hash ON media_aliases (hash);

-- Generated files of originals, with their time of access.
--
-- No index has the time, although a job asks every half minute for variants that nobody used lately: the
-- time changes with every request, and with an index each change would write all indexes instead of none.
-- Measured with a million variants: 7 800 touches a second without it (all heap-only), 4 500 to 5 000 with
-- one, and that on a table that grows. In return each batch of old variants reads the table: 0.3 s.
-- With many millions that no longer holds, and the order of the job is what the index has to have:
--     CREATE INDEX media_variants_accessed ON media_variants (accessed, hash, variant);
-- An index on a generated column with only the hour of the time was no better (4 300): too many touches
-- are the first ones of their hour.
CREATE TABLE IF NOT EXISTS media_variants (
    hash       bytea       NOT NULL REFERENCES media_hashes (hash),
    -- What was done to the original, for example resize/200/webp.
    variant    text        NOT NULL,
    identifier text        NOT NULL,
    -- NULL: forgotten, and so never too old.
    accessed   timestamptz,
    PRIMARY KEY (hash, variant)
) WITH (
    -- Every request for a variant writes accessed.
    fillfactor = 85,
    autovacuum_vacuum_scale_factor = 0.05
);

-- The right to generate a variant that does not exist yet: few rows, each for some seconds.
--
-- No foreign key: a claim must not keep its hash from being removed.
CREATE TABLE IF NOT EXISTS media_variant_claims (
    hash      bytea       NOT NULL,
    variant   text        NOT NULL,
    heartbeat timestamptz NOT NULL,
    PRIMARY KEY (hash, variant)
) WITH (
    -- Rows come and go: vacuum after 200 of them, whatever the table's size.
    autovacuum_vacuum_scale_factor = 0,
    autovacuum_vacuum_threshold = 200
);

-- Claims that are stale are looked for before each claim.
CREATE INDEX IF NOT EXISTS media_variant_claims_heartbeat ON media_variant_claims (heartbeat);

-- What is known of a file. No foreign key: details are recorded before the hash or variant that has
-- the file, and forgotten after it.
CREATE TABLE IF NOT EXISTS media_details (
    identifier text  PRIMARY KEY,
    details    jsonb NOT NULL
);

-- Small values of the server.
CREATE TABLE IF NOT EXISTS media_settings (
    key   text  PRIMARY KEY,
    -- bytea: some values are numbers of 8 bytes, which are no text.
    value bytea NOT NULL
) WITH (
    -- The value of the health check is written all the time.
    fillfactor = 70
);

-- Jobs. What state a job is in follows from two columns:
--   new      no heartbeat, no worker
--   running  heartbeat and worker
--   failed   heartbeat, no worker: to be tried again when the heartbeat is stale
CREATE TABLE IF NOT EXISTS media_jobs (
    -- Given by Mortise, in the order of time.
    id         uuid        PRIMARY KEY,
    queue      text        NOT NULL,
    job        jsonb       NOT NULL,
    -- At most one job with the same key exists, in whatever queue and state.
    unique_key text,
    worker     uuid,
    heartbeat  timestamptz,
    -- Attempts left.
    retry      int8        NOT NULL,
    queue_time timestamptz NOT NULL
) WITH (
    -- Each job leaves dead entries at the front of the index that claims are read from. Vacuum early
    -- and without pauses, so that claims do not have to step over them.
    autovacuum_vacuum_scale_factor = 0.01,
    autovacuum_vacuum_threshold = 500,
    autovacuum_vacuum_cost_delay = 0,
    autovacuum_analyze_scale_factor = 0.05
);

-- Partial, so that the many jobs without a key cost nothing.
CREATE UNIQUE INDEX IF NOT EXISTS media_jobs_unique_key ON media_jobs (unique_key)
    WHERE unique_key IS NOT NULL;

-- Jobs that can be claimed, and no others, in the order in which they are: a claim reads one entry,
-- however many jobs are running or wait in other queues.
CREATE INDEX IF NOT EXISTS media_jobs_ready ON media_jobs (queue, queue_time, id)
    WHERE heartbeat IS NULL AND retry > 0;

-- Stale jobs are looked for before each claim. That a heartbeat rewrites all index entries of its job
-- for this does not matter: there are as many in five seconds as there are workers.
CREATE INDEX IF NOT EXISTS media_jobs_heartbeat ON media_jobs (heartbeat)
    WHERE heartbeat IS NOT NULL;

-- What a worker holds, for hosts that acknowledge a job by asking for the next.
CREATE INDEX IF NOT EXISTS media_jobs_worker ON media_jobs (worker)
    WHERE worker IS NOT NULL;

-- Uploads in the background, until somebody takes the result.
CREATE TABLE IF NOT EXISTS media_uploads (
    id         uuid        PRIMARY KEY,
    -- NULL while the upload is running.
    result     jsonb,
    -- No index: only expiry asks for it, every few minutes, and the table is small.
    created_at timestamptz NOT NULL
);

-- Which alias stands for which URL, with the alias' time of access.
--
-- The time is here and not with the aliases, because it decides when a proxied original is removed:
-- an alias that belongs to a user and stands for no URL has none, and so can never be found too old.
-- For its index see media_variants; here it would be ON media_proxies (accessed, alias).
CREATE TABLE IF NOT EXISTS media_proxies (
    -- An index entry takes about 2700 bytes (of the compressed text). A longer URL is refused.
    url      text        PRIMARY KEY,
    alias    text        NOT NULL REFERENCES media_aliases (alias),
    -- NULL: forgotten, and so never too old.
    accessed timestamptz
) WITH (
    fillfactor = 85,
    autovacuum_vacuum_scale_factor = 0.05
);

-- Touches and removals by alias, and the check of the foreign key when an alias is deleted.
CREATE INDEX IF NOT EXISTS media_proxies_alias ON media_proxies (alias);

-- What a move from one store to another has done so far.
CREATE TABLE IF NOT EXISTS media_store_migration (
    old_identifier text PRIMARY KEY,
    new_identifier text NOT NULL
);

-- A run that goes on after a stop meets the new identifiers.
CREATE INDEX IF NOT EXISTS media_store_migration_new ON media_store_migration (new_identifier);
