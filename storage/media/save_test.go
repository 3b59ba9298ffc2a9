package media_test

import (
	"errors"
	"fmt"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"

	mediav1 "github.com/mortise-storage/mortise/api/mortise/media/v1"
	"github.com/mortise-storage/mortise/internal/testdb"
	"github.com/mortise-storage/mortise/storage/fault"
)

// What a call of Save answers, and what is stored behind it, by what was there before.
func TestSave(t *testing.T) {
	const hashes = "SELECT convert_from(hash, 'UTF8'), identifier FROM hashes ORDER BY hash"
	const aliases = "SELECT alias, convert_from(hash, 'UTF8'), token FROM aliases ORDER BY alias"
	const details = "SELECT identifier FROM details ORDER BY identifier"
	for name, set := range map[string]querySet{"that passes over": full(t), "that raises": raising(t)} {
		s := open(t, set)
		for _, c := range []struct {
			name                     string
			hash, identifier, alias  string
			hashExisted, aliasExists bool
			hashes, aliases, details string
		}{
			{"both new", "h", "f", "a", false, false, "h|f", "a|h|t-a", "f"},
			{"old hash, new alias", "h", "g", "b", true, false, "h|f", "a|h|t-a b|h|t-b", "f"},
			{"old hash, old alias", "h", "g", "b", true, true, "h|f", "a|h|t-a b|h|t-b", "f"},
			{"new hash, old alias", "i", "k", "b", false, true, "h|f i|k", "a|h|t-a b|h|t-b", "f k"},
			{"the same with another alias", "i", "k", "c", false, false, "h|f i|k", "a|h|t-a b|h|t-b c|i|t-c", "f k"},
			{"all the same again", "i", "k", "c", false, true, "h|f i|k", "a|h|t-a b|h|t-b c|i|t-c", "f k"},
		} {
			t.Run("with a set "+name+"/"+c.name, func(t *testing.T) {
				response := ok[*mediav1.SaveUploadResponse](t)(s.uploads.Save(t.Context(), &mediav1.SaveUploadRequest{Hash: []byte(c.hash),
					Identifier: c.identifier, Details: proto.String("{}"), Alias: c.alias, DeleteToken: "t-" + c.alias}))
				if response.GetHashExisted() != c.hashExisted || response.GetAliasExisted() != c.aliasExists {
					t.Errorf("%v", response)
				}
				if told := response.GetDeleteToken() == "t-"+c.alias; told == c.aliasExists {
					t.Errorf("the token is told: %t", told)
				}
				s.shows(t, hashes, c.hashes)
				s.shows(t, aliases, c.aliases)
				s.shows(t, details, c.details)
			})
		}
	}
}

// Details that are there already, as after a call that was given up half-way, keep nothing from being
// stored, and do not hide that the alias is taken.
func TestSaveMeetsDetails(t *testing.T) {
	for name, set := range map[string]querySet{"that passes over": full(t), "that raises": raising(t)} {
		t.Run("with a set "+name, func(t *testing.T) {
			s := open(t, set, `INSERT INTO details VALUES ('d/file/1', '{"there": 1}'), ('d/file/2', '{"there": 1}')`)
			n := names("d")
			n.saved(t, s, 1)
			response := ok[*mediav1.SaveUploadResponse](t)(s.uploads.Save(t.Context(), with(n.upload(2), func(r *mediav1.SaveUploadRequest) { r.Alias = n.alias(1) })))
			if response.GetHashExisted() || !response.GetAliasExisted() {
				t.Errorf("%v", response)
			}
			s.shows(t, "SELECT identifier, json FROM hashes JOIN details USING (identifier) ORDER BY identifier", `d/file/1|{"there": 1} d/file/2|{"there": 1}`)
		})
	}
}

// A unique key other than those of the operations is an error, by which nothing is stored.
func TestSaveMeetsAnotherKey(t *testing.T) {
	for name, set := range map[string]querySet{"that passes over": full(t), "that raises": raising(t)} {
		t.Run("with a set "+name, func(t *testing.T) {
			s := open(t, set, "CREATE UNIQUE INDEX ON aliases (token)")
			save := func(hash, identifier, alias string) error {
				_, err := s.uploads.Save(t.Context(), &mediav1.SaveUploadRequest{Hash: []byte(hash), Identifier: identifier, Alias: alias,
					DeleteToken: "token", Details: proto.String("{}")})
				return err
			}
			if err := save("h", "f", "a"); err != nil {
				t.Fatal(err)
			}
			expect(t, save("i", "f", "b"), codes.Internal, fault.Query, "media.hashes.create_query")
			expect(t, save("i", "g", "b"), codes.Internal, fault.Query, "media.aliases.create_query")
			s.shows(t, "SELECT (SELECT count(*) FROM hashes), (SELECT count(*) FROM aliases), (SELECT count(*) FROM details)", "1|1|1")
		})
	}
}

// The hash is deleted behind the statement that found it: the alias is refused, and all runs once more.
// The tables do it themselves here, with a trigger that deletes the hash before the alias is stored.
func TestSaveMeetsADeletedHash(t *testing.T) {
	const vanishing = `CREATE TABLE vanish (times int); INSERT INTO vanish VALUES (0); CREATE SEQUENCE tries;
		CREATE FUNCTION vanish() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
			IF nextval('tries') <= (SELECT times FROM vanish) THEN DELETE FROM hashes WHERE hash = new.hash; END IF;
			RETURN new; END $$;
		CREATE TRIGGER vanish BEFORE INSERT ON aliases FOR EACH ROW EXECUTE FUNCTION vanish();`
	s := open(t, full(t), vanishing)
	save := func() (*mediav1.SaveUploadResponse, error) {
		return s.uploads.Save(t.Context(), &mediav1.SaveUploadRequest{Hash: []byte("h"), Identifier: "f", Alias: "a", DeleteToken: "t"})
	}
	s.exec(t, "UPDATE vanish SET times = 2")
	_, err := save()
	expect(t, err, codes.Unavailable, fault.Conflict, "media.aliases.create_query")
	s.shows(t, "SELECT count(*) FROM hashes", "0")
	s.exec(t, "UPDATE vanish SET times = 3") // the third try of all fails, the fourth does not
	if response := ok[*mediav1.SaveUploadResponse](t)(save()); response.GetHashExisted() || response.GetAliasExisted() {
		t.Errorf("%v", response)
	}
	s.shows(t, "SELECT identifier, alias FROM hashes JOIN aliases USING (hash)", "f|a")
}

// Of several callers that save the same content at the same moment one brings the file; all aliases are
// stored, and nothing is left of the other files.
func TestSaveOfTheSameContentAtTheSameMoment(t *testing.T) {
	const callers = 8
	for name, set := range map[string]querySet{"that passes over": full(t), "that raises": raising(t)} {
		t.Run("with a set "+name, func(t *testing.T) {
			s := open(t, set)
			for round := range 5 {
				fresh := make(chan string, callers)
				failed := make(chan error, callers)
				for i := range callers {
					go func() {
						identifier := fmt.Sprintf("file-%d-%d", round, i)
						response, err := s.uploads.Save(t.Context(), &mediav1.SaveUploadRequest{Hash: hashOf(round), Identifier: identifier,
							Details: proto.String("{}"), Alias: fmt.Sprintf("alias-%d-%d", round, i)})
						if err == nil && !response.GetHashExisted() {
							fresh <- identifier
						}
						if response.GetAliasExisted() {
							err = errors.Join(err, errors.New("the alias existed"))
						}
						failed <- err
					}()
				}
				for range callers {
					if err := <-failed; err != nil {
						t.Fatal(err)
					}
				}
				if len(fresh) != 1 {
					t.Fatalf("%d callers believe that theirs is the file", len(fresh))
				}
				s.shows(t, fmt.Sprintf("SELECT identifier, (SELECT count(*) FROM details WHERE identifier LIKE 'file-%d-%%') FROM hashes WHERE hash = 'hash-%04d'", round, round), <-fresh+"|1")
			}
			s.shows(t, "SELECT count(*) FROM aliases", fmt.Sprint(5*callers))
		})
	}
}

// The details of a file that lost cannot always be removed. The upload is saved all the same.
func TestSaveKeepsGoingWithoutCleanup(t *testing.T) {
	set := full(t).with("details.cleanup_query", "DELETE FROM details WHERE identifier = @identifier AND fail()")
	s := open(t, set, `CREATE FUNCTION fail() RETURNS bool LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'on purpose'; END $$`)
	n := names("kept")
	n.saved(t, s, 1)
	response := ok[*mediav1.SaveUploadResponse](t)(s.uploads.Save(t.Context(), with(n.upload(1), func(r *mediav1.SaveUploadRequest) {
		r.Identifier, r.Alias = "other", "other"
	})))
	if !response.GetHashExisted() || response.GetAliasExisted() {
		t.Errorf("%v", response)
	}
	s.shows(t, "SELECT count(*) FROM aliases", "2")
}

// A group that is off is only missed by those who ask for it.
func TestSaveWithoutDetails(t *testing.T) {
	s := open(t, full(t).without("details", "hashes.describe_query", "aliases.resolve_query", "variants.resolve_query", "proxies.resolve_query"))
	n := names("plain")
	_, err := s.uploads.Save(t.Context(), n.upload(1))
	expect(t, err, codes.Unimplemented, fault.NotConfigured, "media.details.relate_query")
	testdb.Exec(t, s.dsn, "DROP TABLE details")
	ok[*mediav1.SaveUploadResponse](t)(s.uploads.Save(t.Context(), with(n.upload(1), func(r *mediav1.SaveUploadRequest) { r.Details = nil })))
	resolved := ok[*mediav1.Resolved](t)(s.aliases.Resolve(t.Context(), n.aliasRequest(1)))
	if resolved.GetIdentifier() != n.identifier(1) || resolved.Details != nil {
		t.Errorf("%v", resolved)
	}
	described := ok[*mediav1.DescribeResponse](t)(s.hashes.Describe(t.Context(), &mediav1.DescribeRequest{Hashes: [][]byte{n.hash(1)}}))
	if one := described.GetHashes()[0]; one.GetIdentifier() != n.identifier(1) || one.Details != nil {
		t.Errorf("%v", described)
	}
}
