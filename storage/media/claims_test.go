package media_test

import (
	"context"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/types/known/durationpb"

	mediav1 "github.com/mortise-storage/mortise/api/mortise/media/v1"
	"github.com/mortise-storage/mortise/internal/testdb"
	"github.com/mortise-storage/mortise/storage/fault"
)

var thumbnail = &mediav1.VariantRequest{Hash: []byte("hash\xff\x00"), Variant: "resize/200/webp"}

func (n *node) claim() *mediav1.ClaimVariantResponse {
	n.t.Helper()
	response, err := n.variants.Claim(within(n.t), thumbnail)
	if err != nil {
		n.t.Fatal(err)
	}
	return response
}

func (n *node) claims(want mediav1.ClaimVariantResponse_Outcome) {
	n.t.Helper()
	if got := n.claim(); got.GetOutcome() != want {
		n.t.Errorf("the claim is %s, want %s", got, want)
	}
}

func (n *node) release() {
	n.t.Helper()
	if _, err := n.variants.Release(within(n.t), thumbnail); err != nil {
		n.t.Fatal(err)
	}
}

// generated stores the variant past the service.
func (n *node) generated(dsn string) {
	n.t.Helper()
	for _, script := range []string{
		`INSERT INTO media_hashes (hash, identifier, created_at) VALUES ('hash\377\000', 'original', now())`,
		`INSERT INTO media_variants VALUES ('hash\377\000', 'resize/200/webp', 'file', now())`,
	} {
		testdb.Exec(n.t, dsn, script)
	}
}

func (n *node) variantWaiters(waiters int, whileClaimed bool) <-chan waited {
	return begun(waiters, func(int) waited {
		response, err := n.variants.Wait(within(n.t), &mediav1.WaitVariantRequest{Hash: thumbnail.GetHash(),
			Variant: thumbnail.GetVariant(), WhileClaimed: whileClaimed})
		return waited{response.GetIdentifier(), err}
	})
}

const (
	busy    = mediav1.ClaimVariantResponse_BUSY
	claimed = mediav1.ClaimVariantResponse_CLAIMED
	exists  = mediav1.ClaimVariantResponse_EXISTS
)

func TestOneOfManyClaims(t *testing.T) {
	onEachSet(t, func(t *testing.T, n *node, clock *stopped) {
		const callers = 16
		outcomes := begun(callers, func(int) mediav1.ClaimVariantResponse_Outcome {
			response, err := n.variants.Claim(within(t), thumbnail)
			if err != nil {
				t.Error(err)
			}
			return response.GetOutcome()
		})
		count := map[mediav1.ClaimVariantResponse_Outcome]int{}
		for range callers {
			count[next(t, outcomes)]++
		}
		if count[claimed] != 1 || count[busy] != callers-1 {
			t.Errorf("%v", count)
		}
		n.release()
		n.claims(claimed)
	})
}

func TestAClaimThatIsStaleIsTakenOver(t *testing.T) {
	onEachSet(t, func(t *testing.T, n *node, clock *stopped) {
		n.claims(claimed)
		heartbeat := func() bool {
			response, err := n.variants.Heartbeat(within(t), thumbnail)
			if err != nil {
				t.Fatal(err)
			}
			return response.GetHeld()
		}
		clock.pass(time.Minute)
		if !heartbeat() {
			t.Error("the claim is lost")
		}
		clock.pass(2*time.Minute - time.Microsecond)
		n.claims(busy)
		clock.pass(time.Microsecond)
		n.claims(claimed)
		n.claims(busy)
		n.release()
		if heartbeat() {
			t.Error("a claim that was released is held")
		}
		n.release() // no error
	})
}

// A claim of a variant that exists is not kept.
func TestAVariantThatExistsIsNotClaimed(t *testing.T) {
	dsn := defaultTables(t)
	n := start(t, dsn, arrangement{})
	n.generated(dsn)
	for range 2 {
		if got := n.claim(); got.GetOutcome() != exists || got.GetIdentifier() != "file" {
			t.Errorf("%v", got)
		}
	}
	if got := numberOf(t, dsn, `SELECT count(*) FROM media_variant_claims`); got != 0 {
		t.Errorf("%d claims are left", got)
	}
}

func TestReleasingWakesAllWhoWait(t *testing.T) {
	dsn := defaultTables(t)
	here, there := start(t, dsn, arrangement{}), start(t, dsn, arrangement{})
	there.claims(claimed)
	far, near := here.variantWaiters(3, false), there.variantWaiters(2, true)
	here.waiting("media.variants", 3)
	there.waiting("media.variants", 2)
	there.generated(dsn)
	there.release()
	for range 3 {
		if got := next(t, far); got.err != nil || got.text != "file" {
			t.Errorf("%v", got)
		}
	}
	for range 2 {
		if got := next(t, near); got.err != nil || got.text != "file" {
			t.Errorf("%v", got)
		}
	}
}

// A generation that fails releases its claim and stores nothing: some go on waiting for the next, others
// want to know.
func TestWaitingWhileSomebodyGenerates(t *testing.T) {
	n := start(t, defaultTables(t), arrangement{})
	refused(t, next(t, n.variantWaiters(1, true)).err, codes.NotFound, fault.DoesNotExist)
	n.claims(claimed)
	waiting := n.variantWaiters(1, true)
	n.waiting("media.variants", 1)
	n.release()
	refused(t, next(t, waiting).err, codes.NotFound, fault.DoesNotExist)

	ctx, cancel := context.WithTimeout(within(t), 100*time.Millisecond)
	defer cancel()
	_, err := n.variants.Wait(ctx, &mediav1.WaitVariantRequest{Hash: thumbnail.GetHash(), Variant: "another"})
	refused(t, err, codes.DeadlineExceeded, fault.Timeout)
}

// Who polls notices a claim that nobody keeps alive.
func TestWaitingWhileTheGeneratorIsDead(t *testing.T) {
	clock := stoppedClock()
	n := start(t, defaultTables(t), arrangement{options: clock.option, settings: func(s *mediav1.SectionSettings) {
		s.VariantsPollInterval = durationpb.New(5 * time.Millisecond)
	}})
	n.claims(claimed)
	waiting := n.variantWaiters(1, true)
	until(t, "looks", func() bool { return n.looks("variants.claimed") > 2 })
	clock.pass(2 * time.Minute)
	refused(t, next(t, waiting).err, codes.NotFound, fault.DoesNotExist)
}

func TestBadRequestsOfClaims(t *testing.T) {
	n := start(t, defaultTables(t), arrangement{})
	nothing := &mediav1.VariantRequest{Variant: "v"}
	for name, call := range map[string]func() error{
		"claim":     func() error { _, err := n.variants.Claim(within(t), nothing); return err },
		"heartbeat": func() error { _, err := n.variants.Heartbeat(within(t), nothing); return err },
		"release":   func() error { _, err := n.variants.Release(within(t), nothing); return err },
		"wait": func() error {
			_, err := n.variants.Wait(within(t), &mediav1.WaitVariantRequest{Variant: "v"})
			return err
		},
	} {
		if err := call(); fault.ReasonOf(err) != fault.InvalidArgument {
			t.Errorf("%s without a hash: %v", name, err)
		}
	}
}

// Whoever takes the claim after it was released sees the variant that was generated meanwhile.
func TestAVariantIsGeneratedOnce(t *testing.T) {
	dsn := defaultTables(t)
	// Between a claim that finds none in its way and whatever comes first, somebody generates the variant.
	testdb.Exec(t, dsn, `
		INSERT INTO media_hashes (hash, identifier, created_at) VALUES ('hash\377\000', 'original', now());
		CREATE FUNCTION generate() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
			INSERT INTO media_variants VALUES (NEW.hash, NEW.variant, 'file', now()) ON CONFLICT DO NOTHING;
			RETURN NEW;
		END $$;
		CREATE TRIGGER generate BEFORE INSERT ON media_variant_claims FOR EACH ROW EXECUTE FUNCTION generate()`)
	n := start(t, dsn, arrangement{})
	if got := n.claim(); got.GetOutcome() != exists || got.GetIdentifier() != "file" {
		t.Errorf("%v", got)
	}
	if got := numberOf(t, dsn, `SELECT count(*) FROM media_variant_claims`); got != 0 {
		t.Errorf("%d claims are left", got)
	}
}
