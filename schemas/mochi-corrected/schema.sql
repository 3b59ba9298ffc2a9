-- The tables of MoChi's PostgreSQL storage, exactly those of ../mochi: the corrections are all in the
-- queries, so a running tracker changes nothing but its configuration.

-- Peers. An inet address, a timestamp without zone (Mortise reads and writes it as UTC).
CREATE TABLE IF NOT EXISTS mo_peers (
    info_hash bytea     NOT NULL,
    peer_id   bytea     NOT NULL,
    address   inet      NOT NULL,
    port      int4      NOT NULL,
    is_seeder bool      NOT NULL,
    is_v6     bool      NOT NULL,
    created   timestamp NOT NULL DEFAULT current_timestamp,
    PRIMARY KEY (info_hash, peer_id, address, port)
);

-- Serves collection. Dropping it makes refreshes cheaper (heap-only updates) and collection slower.
CREATE INDEX IF NOT EXISTS mo_peers_created_idx ON mo_peers (created);

-- Serves the announce.
CREATE INDEX IF NOT EXISTS mo_peers_announce_idx ON mo_peers (info_hash, is_seeder, is_v6);

-- Completed downloads.
CREATE TABLE IF NOT EXISTS mo_downloads (
    info_hash bytea PRIMARY KEY NOT NULL,
    downloads int   NOT NULL DEFAULT 1
);

-- Key-value data.
CREATE TABLE IF NOT EXISTS mo_kv (
    context varchar NOT NULL,
    name    bytea   NOT NULL,
    value   bytea,
    PRIMARY KEY (context, name)
);
