-- The index that mixed.sql follows: the peers of a torrent in one role, in the order of their addresses.
-- It has no column that a refresh changes, so refreshes stay heap-only updates; a change of role is the
-- only announce that touches it.
--
-- On a tracker that is in use, build it with CREATE INDEX CONCURRENTLY: that does not hold up writers.
CREATE INDEX IF NOT EXISTS peers_pick_idx ON peers (torrent_id, seeder, ip);
