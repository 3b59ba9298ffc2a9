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
