-- An interface of functions and views in front of private tables.
--
--   tracker_data   the tables; only their owner can touch them
--   tracker_api    what the service may use: functions to execute, views to read and write
--
-- The two schemas have fixed names, because the functions must not depend on the caller's search_path.
--
-- Who owns it: the role that applies this script, or tracker_owner if a superuser applies it. The service
-- gets the rights of tracker_service; make the role that Mortise logs in with a member of it:
--     GRANT tracker_service TO <login role>;
-- Both roles are made at the end of this script if the current role may make roles. If not, ask for
-- them beforehand (CREATE ROLE tracker_service NOLOGIN), and apply the script again.
--
-- All functions are SECURITY DEFINER: they run with the owner's rights, so the caller needs none on the
-- tables. That is safe only with a search_path of their own, hence the SET clause on each; names are
-- qualified as well. None is overloaded: the parameters' types follow from the signature.

CREATE SCHEMA IF NOT EXISTS tracker_data;
CREATE SCHEMA IF NOT EXISTS tracker_api;

CREATE TABLE IF NOT EXISTS tracker_data.peers (
    info_hash bytea       NOT NULL,
    peer_id   bytea       NOT NULL,
    address   inet        NOT NULL,
    port      int4        NOT NULL,
    is_seeder bool        NOT NULL,
    is_v6     bool        NOT NULL GENERATED ALWAYS AS (family(address) = 6) STORED,
    seen_at   timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (info_hash, peer_id, address, port)
) WITH (
    -- No index on seen_at, and room in each page: refreshes are heap-only updates.
    fillfactor = 85,
    autovacuum_vacuum_scale_factor = 0.02
);

CREATE TABLE IF NOT EXISTS tracker_data.completions (
    info_hash bytea PRIMARY KEY,
    total     int8  NOT NULL
) WITH (fillfactor = 90);

CREATE TABLE IF NOT EXISTS tracker_data.entries (
    context text  NOT NULL,
    name    bytea NOT NULL,
    value   bytea,
    PRIMARY KEY (context, name)
);

-- Said although it is the default, so that it holds as well where someone changed the default.
REVOKE ALL ON SCHEMA tracker_data FROM PUBLIC;
REVOKE ALL ON ALL TABLES IN SCHEMA tracker_data FROM PUBLIC;


-- --------------------------------------------------------------------------------------------------
-- Peers
-- --------------------------------------------------------------------------------------------------

-- Peers of one role and family, at random, without the requester. NULL in the last four: no such limit.
CREATE OR REPLACE FUNCTION tracker_api.announce(
    swarm bytea, seeders bool, v6 bool, want bigint,
    alive_since timestamptz, own_id bytea, own_address inet, own_port int4)
RETURNS TABLE (peer_id bytea, address inet, port int4)
LANGUAGE sql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT p.peer_id, p.address, p.port
    FROM tracker_data.peers AS p
    WHERE p.info_hash = swarm
      AND p.is_seeder = seeders
      AND p.is_v6 = v6
      AND (p.seen_at > alive_since) IS NOT FALSE
      AND (own_id IS NULL OR (p.address = own_address AND p.port = own_port) IS NOT TRUE)
    ORDER BY random()
    LIMIT want
$$;

-- Stores a peer or changes its role and time; returns how many rows that made or changed.
CREATE OR REPLACE FUNCTION tracker_api.put_peer(
    swarm bytea, id bytea, addr inet, portno int4, seeder bool, seen timestamptz)
RETURNS bigint
LANGUAGE sql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
    WITH written AS (
        INSERT INTO tracker_data.peers (info_hash, peer_id, address, port, is_seeder, seen_at)
        VALUES (swarm, id, addr, portno, seeder, seen)
        ON CONFLICT (info_hash, peer_id, address, port)
        DO UPDATE SET is_seeder = excluded.is_seeder, seen_at = excluded.seen_at
        RETURNING 1
    )
    SELECT count(*) FROM written
$$;

-- Removes a peer if it has this role; returns how many rows went.
CREATE OR REPLACE FUNCTION tracker_api.remove_peer(
    swarm bytea, id bytea, addr inet, portno int4, seeder bool)
RETURNS bigint
LANGUAGE sql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
    WITH removed AS (
        DELETE FROM tracker_data.peers AS p
        WHERE p.info_hash = swarm AND p.peer_id = id AND p.address = addr AND p.port = portno
          AND p.is_seeder = seeder
        RETURNING 1
    )
    SELECT count(*) FROM removed
$$;

-- Makes a seeder of a leecher; returns how many there were.
CREATE OR REPLACE FUNCTION tracker_api.promote_peer(
    swarm bytea, id bytea, addr inet, portno int4, seen timestamptz)
RETURNS bigint
LANGUAGE sql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
    WITH promoted AS (
        UPDATE tracker_data.peers AS p
        SET is_seeder = TRUE, seen_at = COALESCE(seen, p.seen_at)
        WHERE p.info_hash = swarm AND p.peer_id = id AND p.address = addr AND p.port = portno
          AND NOT p.is_seeder
        RETURNING 1
    )
    SELECT count(*) FROM promoted
$$;

-- Deletes peers last seen at the cutoff or before. Returns nothing, so the service does not know how many
-- there were and calls it once per collection. All go in one transaction: a function cannot commit
-- in between.
CREATE OR REPLACE FUNCTION tracker_api.collect_peers(cutoff timestamptz)
RETURNS void
LANGUAGE sql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
    DELETE FROM tracker_data.peers AS p WHERE p.seen_at <= cutoff
$$;

-- Peers counted for each swarm and family. The view runs with its owner's rights on the table. A condition
-- on info_hash goes down to the table's primary key.
CREATE OR REPLACE VIEW tracker_api.swarms AS
SELECT p.info_hash,
       p.is_v6,
       count(*) FILTER (WHERE p.is_seeder)     AS seeders,
       count(*) FILTER (WHERE NOT p.is_seeder) AS leechers
FROM tracker_data.peers AS p
GROUP BY p.info_hash, p.is_v6;


-- --------------------------------------------------------------------------------------------------
-- Completed downloads
-- --------------------------------------------------------------------------------------------------

-- The counter; 0 for a hash that has none.
CREATE OR REPLACE FUNCTION tracker_api.completions(swarm bytea)
RETURNS bigint
LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT COALESCE((SELECT c.total FROM tracker_data.completions AS c WHERE c.info_hash = swarm), 0)
$$;

-- Adds one; the first call makes the counter, at 1.
CREATE OR REPLACE FUNCTION tracker_api.count_completion(swarm bytea)
RETURNS void
LANGUAGE sql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
    INSERT INTO tracker_data.completions AS c (info_hash, total)
    VALUES (swarm, 1)
    ON CONFLICT (info_hash) DO UPDATE SET total = c.total + 1
$$;

-- Counts of many swarms at once.
CREATE OR REPLACE FUNCTION tracker_api.scrape(asked bytea[])
RETURNS TABLE (info_hash bytea, seeders bigint, leechers bigint, downloads bigint)
LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT a.hash, n.seeders, n.leechers, COALESCE(c.total, 0)
    FROM unnest(asked) AS a (hash)
    CROSS JOIN LATERAL (
        SELECT count(*) FILTER (WHERE p.is_seeder)     AS seeders,
               count(*) FILTER (WHERE NOT p.is_seeder) AS leechers
        FROM tracker_data.peers AS p
        WHERE p.info_hash = a.hash
    ) AS n
    LEFT JOIN tracker_data.completions AS c ON c.info_hash = a.hash
$$;


-- --------------------------------------------------------------------------------------------------
-- Key-value data: a view that is read and written like a table
-- --------------------------------------------------------------------------------------------------

CREATE OR REPLACE VIEW tracker_api.entries AS
SELECT e.context, e.name, e.value
FROM tracker_data.entries AS e;

-- A statement on a view with such a trigger takes no ON CONFLICT, so the upsert is in here. Returning
-- the row counts it as affected, returning NULL does not.
CREATE OR REPLACE FUNCTION tracker_data.write_entry() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF TG_OP = 'DELETE' THEN
        DELETE FROM tracker_data.entries AS e
        WHERE e.context = OLD.context AND e.name = OLD.name;
        -- Gone already: someone else deleted it first.
        IF NOT FOUND THEN
            RETURN NULL;
        END IF;
        RETURN OLD;
    END IF;
    INSERT INTO tracker_data.entries (context, name, value)
    VALUES (NEW.context, NEW.name, NEW.value)
    ON CONFLICT (context, name) DO UPDATE SET value = excluded.value;
    RETURN NEW;
END
$$;

-- Dropped and made again, since CREATE OR REPLACE TRIGGER needs PostgreSQL 14.
DROP TRIGGER IF EXISTS entries_write ON tracker_api.entries;
CREATE TRIGGER entries_write
    INSTEAD OF INSERT OR DELETE ON tracker_api.entries
    FOR EACH ROW EXECUTE FUNCTION tracker_data.write_entry();


-- --------------------------------------------------------------------------------------------------
-- Rights
-- --------------------------------------------------------------------------------------------------

-- PostgreSQL lets everyone execute a new function; here only the service may.
REVOKE ALL ON SCHEMA tracker_api FROM PUBLIC;
REVOKE ALL ON ALL FUNCTIONS IN SCHEMA tracker_api, tracker_data FROM PUBLIC;

DO $$
DECLARE
    may_create boolean;
    is_super   boolean;
    wanted     text;
    thing      record;
BEGIN
    SELECT r.rolsuper OR r.rolcreaterole, r.rolsuper INTO may_create, is_super
    FROM pg_roles AS r
    WHERE r.rolname = current_user;

    FOREACH wanted IN ARRAY ARRAY['tracker_owner', 'tracker_service'] LOOP
        IF may_create AND NOT EXISTS (SELECT FROM pg_roles AS r WHERE r.rolname = wanted) THEN
            BEGIN
                EXECUTE format('CREATE ROLE %I NOLOGIN', wanted);
            EXCEPTION WHEN duplicate_object OR unique_violation THEN
                -- Roles belong to the whole server; another database's script was faster.
                NULL;
            END;
        END IF;
    END LOOP;

    IF EXISTS (SELECT FROM pg_roles AS r WHERE r.rolname = 'tracker_service') THEN
        GRANT USAGE ON SCHEMA tracker_api TO tracker_service;
        GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA tracker_api TO tracker_service;
        GRANT SELECT ON tracker_api.swarms TO tracker_service;
        GRANT SELECT, INSERT, DELETE ON tracker_api.entries TO tracker_service;
    ELSE
        RAISE NOTICE 'role tracker_service does not exist; only the owner can use tracker_api';
    END IF;

    -- Only a superuser can give things to a role without being its member.
    IF is_super THEN
        FOR thing IN
            SELECT format('ALTER TABLE %I.%I OWNER TO tracker_owner', n.nspname, c.relname) AS command
            FROM pg_class AS c
            JOIN pg_namespace AS n ON n.oid = c.relnamespace
            WHERE n.nspname IN ('tracker_data', 'tracker_api') AND c.relkind IN ('r', 'v')
            UNION ALL
            SELECT format('ALTER FUNCTION %s OWNER TO tracker_owner', f.oid::regprocedure)
            FROM pg_proc AS f
            JOIN pg_namespace AS n ON n.oid = f.pronamespace
            WHERE n.nspname IN ('tracker_data', 'tracker_api')
        LOOP
            EXECUTE thing.command;
        END LOOP;
        ALTER SCHEMA tracker_data OWNER TO tracker_owner;
        ALTER SCHEMA tracker_api OWNER TO tracker_owner;
    END IF;
END
$$;
