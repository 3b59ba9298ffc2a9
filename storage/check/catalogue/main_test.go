package catalogue_test

import (
	"os"
	"testing"

	"go.uber.org/goleak"

	"github.com/mortise-storage/mortise/internal/testdb"
)

func TestMain(m *testing.M) {
	status := testdb.Run(m)
	if status == 0 {
		if err := goleak.Find(); err != nil {
			println(err.Error())
			status = 1
		}
	}
	os.Exit(status)
}
