package explain

import (
	"testing"

	"go.uber.org/goleak"

	"github.com/mortise-storage/mortise/internal/testdb"
	"github.com/mortise-storage/mortise/storage/query/syntax"
)

// program runs the tests and then stops their server, before goroutines are looked for. The grammar is
// made ready first, which takes long with the race detector, so that no test's time goes into it.
type program struct{ m *testing.M }

func (p program) Run() int {
	if _, err := syntax.Parse("SELECT 1"); err != nil {
		panic(err)
	}
	return testdb.Run(p.m)
}

func TestMain(m *testing.M) { goleak.VerifyTestMain(program{m}) }
