-- MoChi's tables for CockroachDB: addresses as bytes, times with zone. PostgreSQL takes them as well.
-- The queries are those of ../mochi-corrected, letter for letter.

CREATE TABLE IF NOT EXISTS mo_peers (
    info_hash bytea       NOT NULL,
    peer_id   bytea       NOT NULL,
    -- 4 bytes (IPv4) or 16 (IPv6), in network order.
    address   bytea       NOT NULL,
    port      int4        NOT NULL,
    is_seeder bool        NOT NULL,
    is_v6     bool        NOT NULL,
    created   timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (info_hash, peer_id, address, port)
);

CREATE INDEX IF NOT EXISTS mo_peers_announce_idx ON mo_peers (info_hash, is_seeder, is_v6);

-- No plain index on created. On CockroachDB all its new entries would go to one range, on PostgreSQL
-- it would make every refresh write all indexes. Collection reads the table instead. If that
-- becomes too slow on CockroachDB, an index spread over buckets helps:
--     CREATE INDEX mo_peers_created_idx ON mo_peers (created) USING HASH;
-- or row-level expiry, without a gc_query.

CREATE TABLE IF NOT EXISTS mo_downloads (
    info_hash bytea PRIMARY KEY,
    -- Said in full, because a plain INT is eight bytes on CockroachDB and four on PostgreSQL.
    downloads int8  NOT NULL DEFAULT 1
);

CREATE TABLE IF NOT EXISTS mo_kv (
    context varchar NOT NULL,
    name    bytea   NOT NULL,
    value   bytea,
    PRIMARY KEY (context, name)
);
