-- A normalised private tracker: torrents and users have ids, peers refer to them, and each torrent has
-- counters that the site shows. Needs PostgreSQL 12 or later (functions and triggers in PL/pgSQL).
-- Everything lands in the first schema of the connection's search_path.

CREATE TABLE IF NOT EXISTS torrents (
    id              bigint  GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    info_hash       bytea   NOT NULL UNIQUE,
    -- Kept by triggers on peers; stale peers count until they are collected.
    seeders         integer NOT NULL DEFAULT 0,
    leechers        integer NOT NULL DEFAULT 0,
    times_completed integer NOT NULL DEFAULT 0,
    -- Taken down: its peers are hidden and new ones declined, but its history stays.
    deleted         boolean NOT NULL DEFAULT false
) WITH (fillfactor = 80); -- counters change in place (heap-only updates)

CREATE TABLE IF NOT EXISTS users (
    id           bigint  GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    passkey      text    NOT NULL UNIQUE,
    -- Without this right a user may seed, but not leech.
    can_download boolean NOT NULL DEFAULT true
);

CREATE TABLE IF NOT EXISTS peers (
    torrent_id bigint      NOT NULL REFERENCES torrents (id) ON DELETE CASCADE,
    -- NULL for a peer whose announce came without a key.
    user_id    bigint      REFERENCES users (id) ON DELETE SET NULL,
    peer_id    bytea       NOT NULL,
    -- The address family is computed from it.
    ip         inet        NOT NULL,
    port       int4        NOT NULL,
    seeder     boolean     NOT NULL,
    uploaded   bigint      NOT NULL DEFAULT 0,
    downloaded bigint      NOT NULL DEFAULT 0,
    left_bytes bigint      NOT NULL DEFAULT 0,
    agent      text,
    updated_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (torrent_id, peer_id, ip, port)
) WITH (
    -- No index contains what an announce changes, and pages keep room: refreshes are heap-only updates.
    fillfactor = 85,
    autovacuum_vacuum_scale_factor = 0.02,
    autovacuum_analyze_scale_factor = 0.05
);

-- For the site's page of a user's torrents, and for removing a user.
CREATE INDEX IF NOT EXISTS peers_user_id_idx ON peers (user_id) WHERE user_id IS NOT NULL;

CREATE TABLE IF NOT EXISTS site_kv (
    scope   text  NOT NULL,
    name    bytea NOT NULL,
    payload bytea NOT NULL,
    PRIMARY KEY (scope, name)
);


-- Who may announce, and for which torrent: no row if the announce is declined, else one. A torrent that is
-- not known yet is created; two announces that do so at the same time both get its id, because the
-- second waits for the first and then reads the row by updating it with its own value.
--
-- A known torrent is only read. An upsert in every case would be shorter, but would write a torrent's row
-- at each announce and line up all its clients behind that row.
CREATE OR REPLACE FUNCTION admit_peer(hash bytea, user_key text, seeding boolean)
RETURNS TABLE (torrent_id bigint, user_id bigint)
LANGUAGE plpgsql ROWS 1 AS $$
DECLARE
    taken_down boolean;
BEGIN
    IF user_key IS NOT NULL THEN
        SELECT u.id INTO user_id
        FROM users AS u
        WHERE u.passkey = user_key AND (u.can_download OR seeding);
        IF NOT FOUND THEN
            RETURN;
        END IF;
    END IF;

    SELECT t.id, t.deleted INTO torrent_id, taken_down
    FROM torrents AS t
    WHERE t.info_hash = hash;
    IF NOT FOUND THEN
        -- A racing creator's row is waited for, and then read without a lock: with the torrent's lock
        -- taken here, before the peer's, two writers of one peer could deadlock.
        INSERT INTO torrents (info_hash)
        VALUES (hash)
        ON CONFLICT (info_hash) DO NOTHING;
        SELECT t.id, t.deleted INTO torrent_id, taken_down
        FROM torrents AS t
        WHERE t.info_hash = hash;
    END IF;
    IF NOT taken_down THEN
        RETURN NEXT;
    END IF;
END
$$;


-- Counters of torrents. A new peer and a changed role are counted row by row; a plain refresh, which is
-- nearly every announce, calls no function at all. Deleted peers are counted per statement, because
-- collection deletes thousands at once.
--
-- The counters stay exact beside concurrent writes: each change of a peer happens under that row's lock
-- and adds its difference under the torrent's lock, both kept until the transaction ends.
CREATE OR REPLACE FUNCTION count_new_peer() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    UPDATE torrents
    SET seeders  = seeders  + NEW.seeder::int,
        leechers = leechers + (NOT NEW.seeder)::int
    WHERE id = NEW.torrent_id;
    RETURN NULL;
END
$$;

CREATE OR REPLACE FUNCTION count_changed_peer() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    UPDATE torrents
    SET seeders  = seeders  - OLD.seeder::int,
        leechers = leechers - (NOT OLD.seeder)::int
    WHERE id = OLD.torrent_id;
    UPDATE torrents
    SET seeders  = seeders  + NEW.seeder::int,
        leechers = leechers + (NOT NEW.seeder)::int
    WHERE id = NEW.torrent_id;
    RETURN NULL;
END
$$;

CREATE OR REPLACE FUNCTION count_deleted_peers() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    -- All torrents are locked in one order first, so that two such statements cannot deadlock.
    PERFORM 1
    FROM torrents AS t
    WHERE t.id IN (SELECT g.torrent_id FROM gone AS g)
    ORDER BY t.id
    FOR NO KEY UPDATE;

    UPDATE torrents AS t
    SET seeders  = t.seeders  - n.seeders,
        leechers = t.leechers - n.leechers
    FROM (SELECT g.torrent_id,
                 count(*) FILTER (WHERE g.seeder)     AS seeders,
                 count(*) FILTER (WHERE NOT g.seeder) AS leechers
          FROM gone AS g
          GROUP BY g.torrent_id) AS n
    WHERE t.id = n.torrent_id;
    RETURN NULL;
END
$$;

CREATE OR REPLACE FUNCTION count_no_peers() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    UPDATE torrents SET seeders = 0, leechers = 0 WHERE seeders <> 0 OR leechers <> 0;
    RETURN NULL;
END
$$;

-- Dropped and made again, since CREATE OR REPLACE TRIGGER needs PostgreSQL 14.
DROP TRIGGER IF EXISTS peers_count_new ON peers;
CREATE TRIGGER peers_count_new
    AFTER INSERT ON peers
    FOR EACH ROW EXECUTE FUNCTION count_new_peer();

DROP TRIGGER IF EXISTS peers_count_changed ON peers;
CREATE TRIGGER peers_count_changed
    AFTER UPDATE ON peers
    FOR EACH ROW
    WHEN (OLD.seeder <> NEW.seeder OR OLD.torrent_id <> NEW.torrent_id)
    EXECUTE FUNCTION count_changed_peer();

DROP TRIGGER IF EXISTS peers_count_deleted ON peers;
CREATE TRIGGER peers_count_deleted
    AFTER DELETE ON peers
    REFERENCING OLD TABLE AS gone
    FOR EACH STATEMENT EXECUTE FUNCTION count_deleted_peers();

DROP TRIGGER IF EXISTS peers_count_none ON peers;
CREATE TRIGGER peers_count_none
    AFTER TRUNCATE ON peers
    FOR EACH STATEMENT EXECUTE FUNCTION count_no_peers();
