package explain

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// described writes uses in one line: what each parameter meets, sorted.
func (u *uses) described() string {
	var parts []string
	for _, b := range u.bindings {
		what := b.from.relation.name + "." + b.from.column
		if b.from.column == "" {
			what = b.from.expression
		}
		if b.from.array {
			what += "[]"
		}
		parts = append(parts, fmt.Sprintf("$%d %s %s", b.parameter, []string{"=", "into", "<"}[b.use], what))
	}
	for n := range u.limits {
		parts = append(parts, fmt.Sprintf("$%d limit", n))
	}
	for _, l := range u.links {
		parts = append(parts, fmt.Sprintf("%s.%s = %s.%s", l.a.relation.name, l.a.column, l.b.relation.name, l.b.column))
	}
	slices.Sort(parts)
	return strings.Join(slices.Compact(parts), "; ")
}

func TestUses(t *testing.T) {
	tables := map[string][]string{
		"peers":    {"torrent_id", "peer_id", "ip", "port", "seeder", "updated_at"},
		"torrents": {"id", "info_hash", "deleted", "tags"},
		"kv":       {"scope", "name", "payload"},
	}
	columns := func(_, name string) []string { return tables[name] }
	for _, c := range []struct{ name, sql, want string }{
		{"equality", "SELECT 1 FROM kv WHERE scope = $1 AND $2 = name", "$1 = kv.scope; $2 = kv.name"},
		{"casts and aliases", "SELECT 1 FROM kv AS k WHERE k.scope = $1::text AND k.name::bytea = ($2)", "$1 = kv.scope; $2 = kv.name"},
		{"arrays", "SELECT 1 FROM kv WHERE name = ANY ($1) AND scope IN ($2, $3)", "$1 = kv.name; $2 = kv.scope; $3 = kv.scope"},
		{"an element of a column", "SELECT 1 FROM torrents WHERE $1 = ANY (tags) OR tags && $2", "$1 = torrents.tags[]; $2 = torrents.tags"},
		{"ranges", "SELECT 1 FROM peers WHERE (updated_at > $1) IS NOT FALSE AND port BETWEEN $2 AND $3", "$1 < peers.updated_at; $2 < peers.port; $3 < peers.port"},
		{"rows", "SELECT 1 FROM peers WHERE (ip, port) >= ($1, $2)", "$1 < peers.ip; $2 < peers.port"},
		{"joins", "SELECT 1 FROM torrents AS t JOIN peers AS p ON p.torrent_id = t.id WHERE t.info_hash = $1 AND p.port = $2",
			"$1 = torrents.info_hash; $2 = peers.port; peers.torrent_id = torrents.id"},
		{"a column of only one table", "SELECT 1 FROM torrents, peers WHERE torrent_id = id AND seeder = $1", "$1 = peers.seeder; peers.torrent_id = torrents.id"},
		{"USING", "SELECT 1 FROM (SELECT id AS torrent_id FROM torrents WHERE info_hash = $1) AS t JOIN peers USING (torrent_id)", "$1 = torrents.info_hash; torrents.id = peers.torrent_id"},
		{"a sub-select", "DELETE FROM peers WHERE torrent_id = (SELECT id FROM torrents WHERE info_hash = $1) AND peer_id = $2",
			"$1 = torrents.info_hash; $2 = peers.peer_id; peers.torrent_id = torrents.id"},
		{"IN a sub-select", "DELETE FROM peers WHERE torrent_id IN (SELECT id FROM torrents WHERE info_hash = $1)",
			"$1 = torrents.info_hash; peers.torrent_id = torrents.id"},
		{"the outer query's column", "SELECT 1 FROM torrents t WHERE EXISTS (SELECT FROM peers p WHERE p.torrent_id = t.id AND t.info_hash = $1)",
			"$1 = torrents.info_hash; peers.torrent_id = torrents.id"},
		{"unnest", "SELECT 1 FROM unnest($1::bytea[]) AS asked (info_hash) CROSS JOIN LATERAL (SELECT FROM torrents AS t WHERE t.info_hash = asked.info_hash) AS x", "$1 = torrents.info_hash"},
		{"unnest without names", "SELECT 1 FROM unnest($1::bytea[]) AS h JOIN torrents ON info_hash = h", "$1 = torrents.info_hash"},
		{"a common table expression", "WITH asked (h, n) AS (SELECT $1::bytea, $2::int) SELECT 1 FROM asked JOIN torrents ON info_hash = h LIMIT (SELECT n FROM asked)", "$1 = torrents.info_hash"},
		{"columns through a common table expression", "WITH few AS (SELECT p.port AS q FROM peers p) SELECT 1 FROM few AS f WHERE f.q = $1", "$1 = peers.port"},
		{"both sides of a union", "SELECT 1 FROM (SELECT port FROM peers UNION ALL SELECT 1) AS x WHERE port = $1", "$1 = peers.port"},
		{"an expression of one table", "SELECT 1 FROM torrents t, peers AS p WHERE (family(p.ip) = 6) = $1", "$1 = (family(p.ip) = 6)"},
		{"a function around both", "SELECT 1 FROM kv WHERE scope = lower($1)", "$1 = kv.scope"},
		{"values", "INSERT INTO kv (name, scope) VALUES ($1, $2) ON CONFLICT (scope, name) DO UPDATE SET payload = COALESCE($3::bytea, excluded.payload)",
			"$1 into kv.name; $2 into kv.scope; $3 into kv.payload"},
		{"values without names", "INSERT INTO kv VALUES ($1, $2)", "$1 into kv.scope; $2 into kv.name"},
		{"an inserted select", "INSERT INTO peers AS p (torrent_id, port) SELECT a.torrent_id, $2::int4 FROM admit($1) AS a", "$2 into peers.port"},
		{"an update", "UPDATE peers SET port = COALESCE($1, port), seeder = true WHERE peer_id = $2", "$1 into peers.port; $2 = peers.peer_id"},
		{"update from", "UPDATE peers SET port = $1 FROM torrents t WHERE t.id = torrent_id AND t.info_hash = $2", "$1 into peers.port; $2 = torrents.info_hash; torrents.id = peers.torrent_id"},
		{"merge", "MERGE INTO kv USING (SELECT $1::text AS s) AS n ON kv.scope = n.s WHEN NOT MATCHED THEN INSERT (scope, name) VALUES (n.s, $2) WHEN MATCHED THEN UPDATE SET payload = $3",
			"$1 = kv.scope; $1 into kv.scope; $2 into kv.name; $3 into kv.payload"},
		{"limits", "SELECT 1 FROM kv LIMIT greatest(250, $1::bigint)", "$1 limit"},
		{"functions", "SELECT peer_id FROM announce($1, $2)", ""},
		{"a column with itself", "SELECT 1 FROM kv WHERE name = name", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			u, err := readUses(c.sql, columns)
			if err != nil {
				t.Fatal(err)
			}
			if got := u.described(); got != c.want {
				t.Errorf("got %s; expected %s", got, c.want)
			}
		})
	}
}

func TestColumns(t *testing.T) {
	for _, c := range []struct{ condition, want string }{
		{"(p.info_hash = $1)", "info_hash"},
		{"((p.info_hash = '\\x01'::bytea) AND (p.port = 5))", "info_hash port"},
		{"(ROW(p.address, p.port) >= ROW((InitPlan 2).col1, 0))", "address port"},
		{"(t.created > '2024-01-01 00:00:00+00'::timestamp with time zone)", "created"},
		{`(t."Odd Name" = ANY (ARRAY[$1, $2]))`, "Odd Name"},
		{"(lower(t.name) = ($1)::character varying)", "name"},
		{"(t.a = t.b)", "a b"},
		{"true", ""},
	} {
		if got := strings.Join(Columns(c.condition), " "); got != c.want {
			t.Errorf("%s has the columns %q; expected %q", c.condition, got, c.want)
		}
	}
}

func TestHidden(t *testing.T) {
	for _, c := range []struct{ condition, want string }{
		{"((a = '\\x01'::bytea) AND (b > 5))", "((a = ?::bytea) AND (b > ?))"},
		{"(a = (InitPlan 1).col1)", "(a = (InitPlan 1).col1)"},
		{"(a = (SubPlan 2))", "(a = (SubPlan 2))"},
		{"(a = $1)", "(a = $1)"},
		{"(a = E'it''s\\n')", "(a = E?)"},
	} {
		want := strings.ReplaceAll(c.want, "E?", "?")
		if got := hidden(c.condition); got != want {
			t.Errorf("%s is shown as %s; expected %s", c.condition, got, want)
		}
	}
}
