package swarmdemo

import (
	"bytes"
	"net/netip"
	"testing"
	"time"

	dto "github.com/prometheus/client_model/go"
	"google.golang.org/protobuf/proto"
)

func TestTable(t *testing.T) {
	var out bytes.Buffer
	newPaper(&out).table([]string{"name", "n"}, map[int]bool{1: true}, [][]string{{"a", "1000"}, {"größer", "7"}})
	want := "  name       n\n  a       1000\n  größer     7\n"
	if got := out.String(); got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
}

func TestSources(t *testing.T) {
	names := map[string]string{"127.0.0.11": "seeder", "127.0.0.12": "leecher A", "127.0.0.13": "leecher B"}
	for _, tt := range []struct {
		from map[string]int64
		want string
	}{
		{nil, "not told"},
		{map[string]int64{"127.0.0.11": 1 << 20, "127.0.0.12": 3 << 20}, "leecher A (3.0 MiB), seeder (1.0 MiB)"},
		{map[string]int64{"127.0.0.13": 0, "127.0.0.12": 0}, "leecher A, leecher B"},
		{map[string]int64{"192.0.2.1": 0}, "192.0.2.1"},
	} {
		if got := sources(tt.from, names); got != tt.want {
			t.Errorf("sources(%v) = %q, want %q", tt.from, got, tt.want)
		}
	}
}

func TestOwner(t *testing.T) {
	members := []*member{{name: "a", address: netip.MustParseAddr("127.0.0.1"), port: 1}, {name: "b", address: netip.MustParseAddr("127.0.0.1"), port: 2}}
	for port, want := range map[int32]string{1: "a", 2: "b", 3: "nobody of this demo"} {
		if got := owner(row{Address: netip.MustParseAddr("127.0.0.1"), Port: port}, members); got != want {
			t.Errorf("port %d belongs to %s, want %s", port, got, want)
		}
	}
}

func TestPrintable(t *testing.T) {
	if got := printable([]byte("-TR3000-\x00 \xffz")); got != "-TR3000-...z" {
		t.Error(got)
	}
}

func TestQuantile(t *testing.T) {
	bucket := func(bound float64, count uint64) *dto.Bucket {
		return &dto.Bucket{UpperBound: proto.Float64(bound), CumulativeCount: proto.Uint64(count)}
	}
	h := &dto.Histogram{SampleCount: proto.Uint64(100), Bucket: []*dto.Bucket{bucket(0.001, 50), bucket(0.01, 98), bucket(0.1, 98)}}
	for _, tt := range []struct {
		q         float64
		want      time.Duration
		unbounded bool
	}{{0.5, time.Millisecond, false}, {0.51, 10 * time.Millisecond, false}, {0.98, 10 * time.Millisecond, false}, {0.99, 100 * time.Millisecond, true}} {
		if got, unbounded := quantile(h, tt.q); got != tt.want || unbounded != tt.unbounded {
			t.Errorf("quantile %v is %v, %v; want %v, %v", tt.q, got, unbounded, tt.want, tt.unbounded)
		}
	}
}
