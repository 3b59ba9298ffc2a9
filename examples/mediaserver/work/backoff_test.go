package work

import (
	"context"
	"testing"
	"time"
)

// Pauses grow up to a bound, are never the same for all, and begin anew after a success.
func TestPauses(t *testing.T) {
	var b backOff
	for n, want := range []time.Duration{firstPause, 2 * firstPause, 4 * firstPause, 8 * firstPause} {
		if got := b.next(); got < want/2 || got >= want {
			t.Errorf("pause %d is %s, want between %s and %s", n, got, want/2, want)
		}
	}
	for range 20 {
		if got := b.next(); got > longestPause {
			t.Errorf("a pause of %s", got)
		}
	}
	b.reset()
	if got := b.next(); got >= firstPause {
		t.Errorf("the first pause after a success is %s", got)
	}
	ended, end := context.WithCancel(t.Context())
	end()
	if b.wait(ended) {
		t.Error("a pause went on after its end")
	}
}
