package work_test

import (
	"testing"

	"github.com/mortise-storage/mortise/internal/testdb"
)

func TestMain(m *testing.M) { testdb.Main(m) }
