package check_test

import (
	"fmt"
	"os"
	"testing"

	"go.uber.org/goleak"

	"github.com/mortise-storage/mortise/internal/testdb"
)

func TestMain(m *testing.M) {
	status := testdb.Run(m)
	if err := goleak.Find(); status == 0 && err != nil {
		fmt.Fprintln(os.Stderr, err)
		status = 1
	}
	os.Exit(status)
}
