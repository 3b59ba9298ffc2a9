-- Rows for the tutorial (docs/tuning.md): 3000 torrents with half a million peers, the biggest swarm of
-- 60 000. Sizes fall as 1/n, as those of real trackers do. Takes about ten seconds. Meant for an empty
-- database of its own.
ALTER TABLE peers DISABLE TRIGGER USER; -- the counters are set at the end, in one go

INSERT INTO torrents (info_hash)
SELECT substr(sha256(int4send(n)), 1, 20)
FROM generate_series(1, 3000) AS n;

INSERT INTO peers (torrent_id, peer_id, ip, port, seeder, updated_at)
SELECT t.id,
       '-MT0001-'::bytea || substr(sha256(int8send(t.id * 1000000 + n)), 1, 12),
       '1.0.0.0'::inet + (hashint8(t.id * 1000000 + n)::bigint + 2147483648) % 3741319168,
       1024 + n % 60000,
       n % 5 < 3,
       now() - (n % 30) * interval '1 minute'
FROM torrents AS t
CROSS JOIN LATERAL generate_series(1, greatest(3, 60000 / t.id)) AS n;

UPDATE torrents AS t
SET seeders = n.seeders, leechers = n.leechers
FROM (SELECT torrent_id,
             count(*) FILTER (WHERE seeder)     AS seeders,
             count(*) FILTER (WHERE NOT seeder) AS leechers
      FROM peers
      GROUP BY torrent_id) AS n
WHERE n.torrent_id = t.id;

ALTER TABLE peers ENABLE TRIGGER USER;
ANALYZE;
