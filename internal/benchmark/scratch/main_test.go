package scratch

import (
	"testing"

	"go.uber.org/goleak"

	"github.com/mortise-storage/mortise/internal/testdb"
)

// program runs the tests and then stops their server, before goroutines are looked for.
type program struct{ m *testing.M }

func (p program) Run() int { return testdb.Run(p.m) }

func TestMain(m *testing.M) { goleak.VerifyTestMain(program{m}) }
