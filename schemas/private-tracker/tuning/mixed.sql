-- Peers of both roles without reading the whole swarm: for each role, up to 250 in the order of their
-- addresses, from a random address on and round at the end; @count of those at random. Up to 250 peers
-- everyone has the same chance, as with ORDER BY random() over all of them; beyond that the cost stops
-- growing. Needs index.sql.
WITH ring AS (
    SELECT CASE WHEN @is_v6::bool THEN '::'::inet ELSE '0.0.0.0'::inet END AS first,
           CASE WHEN @is_v6::bool
                THEN ('2' || substr('0468a', 1 + floor(random() * 5)::int, 1)
                      || '0' || to_hex(floor(random() * 16)::int)
                      || ':' || to_hex(floor(random() * 65536)::int) || '::')::inet
                ELSE '1.0.0.0'::inet + floor(random() * 3741319168)::bigint
           END AS start,
           CASE WHEN @is_v6::bool
                THEN 'ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff'::inet
                ELSE '255.255.255.255'::inet
           END AS last
)
SELECT picked.peer_id, picked.ip, picked.port
FROM torrents AS t
CROSS JOIN (SELECT true AS seeder WHERE NOT @for_seeder::bool
            UNION ALL
            SELECT false) AS role
CROSS JOIN LATERAL (
    (SELECT p.peer_id, p.ip, p.port
     FROM peers AS p
     WHERE p.torrent_id = t.id
       AND p.seeder = role.seeder
       AND p.ip >= (SELECT start FROM ring) AND p.ip <= (SELECT last FROM ring)
       AND (p.updated_at > @alive_since) IS NOT FALSE
       AND (@peer_id::bytea IS NULL OR (p.ip = @address AND p.port = @port) IS NOT TRUE)
     ORDER BY p.ip
     LIMIT greatest(250, @count::bigint))
    UNION ALL
    (SELECT p.peer_id, p.ip, p.port
     FROM peers AS p
     WHERE p.torrent_id = t.id
       AND p.seeder = role.seeder
       AND p.ip < (SELECT start FROM ring) AND p.ip >= (SELECT first FROM ring)
       AND (p.updated_at > @alive_since) IS NOT FALSE
       AND (@peer_id::bytea IS NULL OR (p.ip = @address AND p.port = @port) IS NOT TRUE)
     ORDER BY p.ip
     LIMIT greatest(250, @count::bigint))
    LIMIT greatest(250, @count::bigint)
) AS picked
WHERE t.info_hash = @info_hash
  AND NOT t.deleted
ORDER BY role.seeder DESC, random()
LIMIT @count::bigint
