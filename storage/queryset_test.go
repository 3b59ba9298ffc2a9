package storage_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/mortise-storage/mortise/storage/query/sqltext"
)

// A querySet is an operator's section tracker, key by key, in the order in which it is written.
type querySet []entry

type entry struct{ key, text string }

// tables are what the queries of basic are written for.
const tables = `
	CREATE TABLE peers (info_hash bytea, peer_id bytea, address inet, port int4, is_seeder bool, is_v6 bool,
		created timestamptz, PRIMARY KEY (info_hash, peer_id, address, port));
	CREATE TABLE downloads (info_hash bytea PRIMARY KEY, downloads int8);
	CREATE TABLE kv (context text, name bytea, value bytea, PRIMARY KEY (context, name));`

// basic is the shortest complete query set. Its texts say nothing about the types of columns.
var basic = querySet{
	{"announce.query", "SELECT peer_id, address, port FROM peers\nWHERE info_hash = @info_hash AND is_seeder = @is_seeder AND is_v6 = @is_v6\nLIMIT @count"},
	{"peer.add_query", "INSERT INTO peers (info_hash, peer_id, address, port, is_seeder, is_v6, created)\n" +
		"VALUES (@info_hash, @peer_id, @address, @port, @is_seeder, @is_v6, @created)\n" +
		"ON CONFLICT (info_hash, peer_id, address, port)\nDO UPDATE SET is_seeder = excluded.is_seeder, created = excluded.created"},
	{"peer.del_query", "DELETE FROM peers\n" + thisPeer + " AND is_seeder = @is_seeder"},
	{"peer.graduate_query", "UPDATE peers SET is_seeder = true, created = @created\n" + thisPeer + " AND NOT is_seeder"},
	{"peer.count_query", "SELECT count(*) FILTER (WHERE is_seeder) AS seeders,\n  count(*) FILTER (WHERE NOT is_seeder) AS leechers\nFROM peers WHERE true"},
	{"peer.by_info_hash_clause", "AND info_hash = @info_hash"},
	{"downloads.get_query", "SELECT downloads FROM downloads WHERE info_hash = @info_hash"},
	{"downloads.inc_query", "INSERT INTO downloads (info_hash, downloads) VALUES (@info_hash, 1)\n" +
		"ON CONFLICT (info_hash) DO UPDATE SET downloads = downloads.downloads + 1"},
	{"data.add_query", "INSERT INTO kv (context, name, value) VALUES (@context, @key, @value)\n" +
		"ON CONFLICT (context, name) DO UPDATE SET value = excluded.value"},
	{"data.get_query", "SELECT value FROM kv WHERE context = @context AND name = @key"},
	{"data.del_query", "DELETE FROM kv WHERE context = @context AND name = ANY (@key)"},
	{"gc_query", "DELETE FROM peers WHERE created <= @created"},
	{"info_hash_count_query", "SELECT count(DISTINCT info_hash) FROM peers"},
}

const thisPeer = "WHERE info_hash = @info_hash AND peer_id = @peer_id AND address = @address AND port = @port"

// with returns the set with other texts: key, text, key, text.
func (q querySet) with(keysAndTexts ...string) querySet {
	changed := slices.Clone(q)
	for i := 0; i < len(keysAndTexts); i += 2 {
		one := entry{keysAndTexts[i], keysAndTexts[i+1]}
		at := slices.IndexFunc(changed, func(e entry) bool { return e.key == one.key })
		if at < 0 {
			changed = append(changed, one)
			continue
		}
		changed[at] = one
	}
	return changed
}

// without returns the set without keys; a key that ends in a dot stands for its group.
func (q querySet) without(keys ...string) querySet {
	return slices.DeleteFunc(slices.Clone(q), func(e entry) bool {
		return slices.ContainsFunc(keys, func(key string) bool {
			return e.key == key || (strings.HasSuffix(key, ".") && strings.HasPrefix(e.key, key))
		})
	})
}

// yaml writes the set as an operator would.
func (q querySet) yaml() string {
	var b strings.Builder
	b.WriteString("connection_string: embedded\ntracker:\n")
	for _, group := range []string{"announce", "peer", "downloads", "data"} {
		head := "  " + group + ":\n"
		for _, e := range q {
			if key, ok := strings.CutPrefix(e.key, group+"."); ok {
				b.WriteString(head + "    " + value(key, e.text, "      "))
				head = ""
			}
		}
	}
	for _, e := range q {
		if !strings.Contains(e.key, ".") {
			b.WriteString("  " + value(e.key, e.text, "    "))
		}
	}
	return b.String()
}

func value(key, text, indent string) string {
	if !strings.HasSuffix(key, "query") && !strings.HasSuffix(key, "_clause") {
		return key + ": " + text + "\n"
	}
	return key + ": |\n" + indent + strings.ReplaceAll(text, "\n", "\n"+indent) + "\n"
}

// placeOf returns line and column of the only occurrence of some text in a file's text.
func placeOf(t *testing.T, file, text string) (line, column int) {
	t.Helper()
	if n := strings.Count(file, text); n != 1 {
		t.Fatalf("%q is %d times in the file", text, n)
	}
	return sqltext.LineColumn(file, strings.Index(file, text))
}
