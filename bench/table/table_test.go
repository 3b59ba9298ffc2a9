package main

import (
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// printed runs the command over the recorded output of two runs.
func printed(t *testing.T, colour bool, args ...string) string {
	t.Helper()
	in, err := os.Open("testdata/output.txt")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = in.Close() }()
	var out strings.Builder
	if err := run(args, in, &out, colour); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

const wantText = `go-version: go1.26.8
cores: 2
database: PostgreSQL 15.18, embedded, default settings | PostgreSQL 16.4, embedded, default settings
goos: linux
goarch: amd64
pkg: github.com/mortise-storage/mortise/bench
cpu: Intel(R) Xeon(R) Processor

method        callers  plain µs  in-process µs  plugin µs  plain/in-process  plain/plugin  hop µs  samples  spread
PutPeer             1       250            300        420              0.83          0.60     120        3     24%
PutPeer            64      50.0           62.5        125              0.80          0.40                1      0%

Capabilities        1         -           2.40       73.4                 -             -    71.0        1      0%

Nothing, callers 1: 0.27 µs, of which every figure above has its part.
`

func TestText(t *testing.T) {
	want := wantText + strings.Join(legend, "\n") + "\n"
	if got := printed(t, false); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestColour(t *testing.T) {
	got := printed(t, true)
	for _, want := range []string{bold + "method", red + "        0.40" + reset, green + "            0.83" + reset, "  " + "        0.60" + "  "} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is not in\n%q", want, got)
		}
	}
	plainText := strings.NewReplacer(bold, "", green, "", red, "", reset, "").Replace(got)
	if plainText != printed(t, false) {
		t.Errorf("without its colours it is another table:\n%s", plainText)
	}
}

func TestMarkdown(t *testing.T) {
	got := printed(t, false, "--markdown")
	for _, want := range []string{
		"go-version: go1.26.8; cores: 2; database: PostgreSQL 15.18, embedded, default settings, PostgreSQL 16.4, embedded, default settings; goos",
		"\n| method | callers | plain µs | in-process µs | plugin µs | plain/in-process | plain/plugin | hop µs | samples | spread |\n" +
			"| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |\n" +
			"| PutPeer | 1 | 250 | 300 | 420 | 0.83 | 0.60 | 120 | 3 | 24% |\n" +
			"| PutPeer | 64 | 50.0 | 62.5 | 125 | 0.80 | 0.40 |  | 1 | 0% |\n" +
			"| Capabilities | 1 | - | 2.40 | 73.4 | - | - | 71.0 | 1 | 0% |\n",
		"- Nothing, callers 1: 0.27 µs",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("this is missing:\n%s\nin\n%s", want, got)
		}
	}
}

func TestJSON(t *testing.T) {
	var got summary
	if err := json.Unmarshal([]byte(printed(t, false, "--json")), &got); err != nil {
		t.Fatal(err)
	}
	if len(got.Rows) != 4 || got.Rows[0].Method != "PutPeer" || got.Rows[1].Callers != 64 || got.Rows[1].Hop != nil {
		t.Fatalf("rows: %+v", got.Rows)
	}
	first := got.Rows[0]
	w := first.Ways[plugin]
	if w.Samples != 3 || w.Micros != 420 || w.Least != 400 || w.Most != 500 || w.Metrics["p50-us"] != 410.5 || w.Metrics["allocs/op"] != 117 {
		t.Errorf("plugin: %+v", w)
	}
	if first.Hop == nil || *first.Hop != 120 || first.PluginRatio != 250.0/420 {
		t.Errorf("hop %v, ratio %v", first.Hop, first.PluginRatio)
	}
	if !slices.ContainsFunc(got.Conditions, func(c condition) bool {
		return c.Name == "cpu" && slices.Equal(c.Values, []string{"Intel(R) Xeon(R) Processor"})
	}) {
		t.Errorf("conditions: %v", got.Conditions)
	}
}

func TestSamples(t *testing.T) {
	const lines = "BenchmarkA/way=plain/callers=8-4 10 4000 ns/op\nBenchmarkA/way=plain/callers=8-4 10 2000 ns/op\nBenchmarkA/way=plugin/callers=8 10 5000 ns/op\n"
	found, err := parse(strings.NewReader(lines))
	if err != nil {
		t.Fatal(err)
	}
	rows, _ := summarise(found).table()
	want := []string{"A", "8", "3.00", "-", "5.00", "-", "0.60", "", "1-2", "67%"}
	if len(rows) != 1 || !slices.Equal(rows[0].cells(), want) {
		t.Errorf("got %v, want %v", rows, want)
	}
}

func TestKeyOf(t *testing.T) {
	for name, want := range map[string]key{
		"BenchmarkPutPeer/way=plain/callers=8-2":           {method: "PutPeer", way: "plain", callers: 8},
		"BenchmarkPutPeer/callers=64/way=plugin":           {method: "PutPeer", way: "plugin", callers: 64},
		"BenchmarkLex-2":                                   {method: "Lex", callers: 1},
		"BenchmarkPop/aliases=10000/way=plain/callers=8-2": {method: "Pop, 10000 aliases", way: "plain", callers: 8},
		"BenchmarkLex/long/way=plain/callers=1-2":          {method: "Lex/long", way: "plain", callers: 1},
	} {
		if got, err := keyOf(name); err != nil || got != want {
			t.Errorf("%s: %+v, %v; want %+v", name, got, err, want)
		}
	}
}

func TestBadInput(t *testing.T) {
	const good = "BenchmarkA/way=plain/callers=1-2 10 2000 ns/op\n"
	for name, tt := range map[string]struct {
		in, want string
		args     []string
	}{
		"nothing":        {in: "PASS\nok x 0.1s\n", want: "no benchmark in the input"},
		"bad callers":    {in: "BenchmarkA/way=plain/callers=x-2 10 2000 ns/op\n", want: "line 1: BenchmarkA/way=plain/callers=x-2: callers must be a number"},
		"bad number":     {in: good + "BenchmarkA/way=plain/callers=1-2 10 2,000 ns/op\n", want: `line 2: BenchmarkA/way=plain/callers=1-2: "2,000" is no number`},
		"a failure":      {in: good + "--- FAIL: BenchmarkB/way=plugin/callers=8\n    b.go:1: no\n", want: "[BenchmarkB/way=plugin/callers=8]"},
		"both forms":     {in: good, args: []string{"--json", "--markdown"}, want: "usage"},
		"a stray name":   {in: good, args: []string{"output.txt"}, want: "usage"},
		"only the names": {in: "BenchmarkA/way=plain/callers=1-2\nBenchmarkA x 1 ns/op\n", want: "no benchmark in the input"},
	} {
		var out strings.Builder
		err := run(tt.args, strings.NewReader(tt.in), &out, false)
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %q", name, err, tt.want)
		}
	}
}
