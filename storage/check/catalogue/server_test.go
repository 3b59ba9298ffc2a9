package catalogue

import (
	"testing"

	"github.com/mortise-storage/mortise/storage/check"
)

func TestVersionIn(t *testing.T) {
	for _, c := range []struct {
		product check.Product
		text    string
		want    int
	}{
		{check.PostgreSQL, "15.18 (Debian 15.18-0+deb12u1)", 15},
		{check.PostgreSQL, "18.4", 18},
		{check.PostgreSQL, "19beta2", 19},
		{check.PostgreSQL, "EnterpriseDB 16.3", 16},
		{check.CockroachDB, "CockroachDB CCL v24.1.3 (x86_64-pc-linux-gnu, built 2024/08/01, go1.22)", 241},
		{check.CockroachDB, "v26.2.0-alpha.1", 262},
		{check.PostgreSQL, "", 0},
		{check.CockroachDB, "unknown", 0},
	} {
		if got := versionIn(c.product, c.text); got != c.want {
			t.Errorf("%q is version %d; expected %d", c.text, got, c.want)
		}
	}
}
