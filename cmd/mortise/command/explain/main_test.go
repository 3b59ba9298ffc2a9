package explain

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mortise-storage/mortise/cmd/mortise/command/commandtest"
)

func TestMain(m *testing.M) { commandtest.Main(m) }

func invoke(t *testing.T, arguments ...string) commandtest.Result {
	t.Helper()
	return commandtest.Invoke(t, New(), arguments...)
}

// queries writes an operator's file with the tracker's section for the tables of peers.
func queries(t *testing.T, dsn, section string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "queries.yaml")
	text := "connection_string: " + dsn + "\ntracker:\n" + section
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

const tables = `
	CREATE TABLE peers (info_hash bytea NOT NULL, peer_id bytea NOT NULL, address inet NOT NULL, port int4 NOT NULL,
		is_seeder bool NOT NULL, is_v6 bool NOT NULL, created timestamptz NOT NULL, PRIMARY KEY (info_hash, peer_id, address, port));
	CREATE TABLE downloads (info_hash bytea PRIMARY KEY, downloads int8);
	CREATE INDEX peers_port ON peers (port);`

// rows are 20 000 peers, half of them of one swarm.
const rowsOfPeers = `
	INSERT INTO peers SELECT decode(lpad(CASE WHEN i % 2 = 0 THEN 'ff' ELSE to_hex(i / 4) END, 40, '0'), 'hex'),
		decode(lpad(to_hex(i), 40, '0'), 'hex'), '10.0.0.0'::inet + i, 6881, i % 3 = 0, false, now() - i * interval '1 second'
	FROM generate_series(1, 20000) AS i;
	ANALYZE;`

const section = `
  announce:
    query: |
      SELECT peer_id, address, port FROM peers
      WHERE info_hash = @info_hash AND is_seeder = @is_seeder AND is_v6 = @is_v6
      LIMIT @count
  peer:
    add_query: |
      INSERT INTO peers VALUES (@info_hash, @peer_id, @address, @port, @is_seeder, @is_v6, @created)
      ON CONFLICT (info_hash, peer_id, address, port) DO UPDATE SET created = excluded.created
    del_query: |
      DELETE FROM peers WHERE info_hash = @info_hash AND peer_id = @peer_id AND address = @address
      AND port = @port AND is_seeder = @is_seeder
    graduate_query: |
      UPDATE peers SET is_seeder = true WHERE info_hash = @info_hash AND peer_id = @peer_id
      AND address = @address AND port = @port
    count_query: |
      SELECT count(*) FILTER (WHERE is_seeder) AS seeders, count(*) FILTER (WHERE NOT is_seeder) AS leechers
      FROM peers WHERE true
    by_info_hash_clause: |
      AND info_hash = @info_hash
  downloads:
    get_query: |
      SELECT downloads FROM downloads WHERE info_hash = @info_hash
`

func hold(t *testing.T, where, text string, wanted ...string) {
	t.Helper()
	for _, want := range wanted {
		if !strings.Contains(text, want) {
			t.Errorf("%s lacks %q:\n%s", where, want, text)
		}
	}
}

func lack(t *testing.T, where, text string, unwanted ...string) {
	t.Helper()
	for _, bad := range unwanted {
		if strings.Contains(text, bad) {
			t.Errorf("%s holds %q:\n%s", where, bad, text)
		}
	}
}
