package media_test

import (
	"fmt"
	"testing"

	"google.golang.org/grpc/codes"

	mediav1 "github.com/mortise-storage/mortise/api/mortise/media/v1"
	"github.com/mortise-storage/mortise/storage/fault"
)

// A URL is related to the alias after those that there were have been removed, and before the alias is:
// the deletion is refused, and runs once more.
func TestDeleteMeetsANewURL(t *testing.T) {
	const relating = `CREATE TABLE relating (times int); INSERT INTO relating VALUES (0); CREATE SEQUENCE tries;
		CREATE FUNCTION relate() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
			IF nextval('tries') <= (SELECT times FROM relating) THEN INSERT INTO proxies VALUES ('http://new', 'late-alias-1'); END IF;
			RETURN NULL; END $$;
		CREATE TRIGGER relate AFTER DELETE ON proxies FOR EACH STATEMENT EXECUTE FUNCTION relate();`
	s := open(t, full(t), relating)
	n := names("late")
	n.saved(t, s, 1)
	remove := func() (*mediav1.DeleteAliasResponse, error) {
		return s.aliases.Delete(t.Context(), &mediav1.DeleteAliasRequest{Alias: n.alias(1), WithoutToken: true})
	}
	s.exec(t, "UPDATE relating SET times = 2")
	_, err := remove()
	expect(t, err, codes.FailedPrecondition, fault.InUse, "media.aliases.cleanup_query")
	s.shows(t, "SELECT (SELECT count(*) FROM aliases), (SELECT count(*) FROM proxies)", "1|0")
	s.exec(t, "UPDATE relating SET times = 3") // the third try of all fails, the fourth does not
	if response := ok[*mediav1.DeleteAliasResponse](t)(remove()); !response.GetDeleted() || !response.GetLastAlias() {
		t.Errorf("%v", response)
	}
}

// The alias is deleted, and what is left cannot be read: it is asked for once more, and if that fails too
// the host is told what it does not know.
func TestDeleteCannotReadWhatIsLeft(t *testing.T) {
	const flaky = `CREATE SEQUENCE reads; CREATE FUNCTION aliases_left(h bytea, failures int) RETURNS SETOF aliases LANGUAGE plpgsql AS $$ BEGIN
		IF nextval('reads') <= failures THEN RAISE EXCEPTION 'on purpose'; END IF;
		RETURN QUERY SELECT * FROM aliases WHERE hash = h; END $$`
	for failures, reason := range []fault.Reason{"", "", fault.Partial} {
		t.Run(fmt.Sprint(failures), func(t *testing.T) {
			s := open(t, full(t).with("aliases.for_hash_query", fmt.Sprintf("SELECT alias FROM aliases_left(@hash, %d)", failures)), flaky)
			n := names("left")
			n.saved(t, s, 1)
			response, err := s.aliases.Delete(t.Context(), &mediav1.DeleteAliasRequest{Alias: n.alias(1), WithoutToken: true})
			if fault.ReasonOf(err) != reason || (err == nil) != response.GetLastAlias() {
				t.Errorf("%v, %v", response, err)
			}
			s.shows(t, "SELECT count(*) FROM aliases", "0")
			s.shows(t, "SELECT last_value FROM reads", fmt.Sprint(min(failures+1, 2)))
		})
	}
}
