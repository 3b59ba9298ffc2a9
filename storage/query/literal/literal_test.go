package literal_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"math"
	"math/rand/v2"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/mortise-storage/mortise"
	"github.com/mortise-storage/mortise/storage"
	"github.com/mortise-storage/mortise/storage/operation"
	"github.com/mortise-storage/mortise/storage/query/literal"
)

// kinds is a contract with an operation that has a parameter of every kind, optional and not, alone and in a
// list.
const kinds = `
syntax = "proto3"; package test.v1;
import "mortise/annotation/annotation.proto"; import "google/protobuf/timestamp.proto";
option (mortise.section) = { name: "shop" };
service Shop {
	rpc Do(In) returns (Out) { option (mortise.operation) = { query: "shop.do_query" }; }
	rpc Rules(Ruled) returns (Out) { option (mortise.operation) = { query: "shop.rules_query" }; }
}
message In {
	bytes b = 1; optional bytes ob = 2; repeated bytes lb = 3;
	string t = 4; optional string ot = 5; repeated string lt = 6;
	int64 i = 7; optional int64 oi = 8; repeated int64 li = 9;
	double f = 10; optional double of = 11; repeated double lf = 12;
	bool y = 13; optional bool oy = 14; repeated bool ly = 15;
	google.protobuf.Timestamp ow = 16; repeated google.protobuf.Timestamp lw = 17;
	bytes a = 18 [(mortise.field) = { kind: ADDR }]; optional bytes oa = 19 [(mortise.field) = { kind: ADDR }]; repeated bytes la = 20 [(mortise.field) = { kind: ADDR }];
	bytes u = 21 [(mortise.field) = { kind: UUID }]; optional bytes ou = 22 [(mortise.field) = { kind: UUID }]; repeated bytes lu = 23 [(mortise.field) = { kind: UUID }];
	string j = 24 [(mortise.field) = { kind: JSON }]; optional bytes oj = 25 [(mortise.field) = { kind: JSON }]; repeated string lj = 26 [(mortise.field) = { kind: JSON }];
	float small = 27;
}
message Ruled {
	bytes hash = 1 [(mortise.field) = { length: [20, 32] }];
	uint32 port = 2 [(mortise.field) = { min: 1 max: 65535 }];
	optional string colour = 3 [(mortise.field) = { values: ["red", "blue"] }];
	string name = 4 [(mortise.field) = { min_length: 9 max_length: 10 }];
	bytes address = 5 [(mortise.field) = { kind: ADDR }];
	bool v6 = 6 [(mortise.field) = { derive: IS_V6 of: "address" }];
	google.protobuf.Timestamp created = 7 [(mortise.field) = { derive: NOW }];
	oneof either { string left = 8; string right = 9; }
	repeated int32 many = 10 [(mortise.field) = { max: 9 }];
	sint64 deep = 11 [(mortise.field) = { max: -5 }];
}
message Out {}`

func lookup(t testing.TB, key string) *operation.Operation {
	t.Helper()
	folder := t.TempDir()
	path := filepath.Join(folder, "test.proto")
	if err := os.WriteFile(path, []byte(kinds), 0o600); err != nil {
		t.Fatal(err)
	}
	files, err := mortise.CompileContract(t.Context(), []string{folder}, path)
	if err != nil {
		t.Fatal(err)
	}
	contract, err := operation.Load(files...)
	if err != nil {
		t.Fatal(err)
	}
	op, ok := contract.Lookup(key)
	if !ok {
		t.Fatalf("no operation %s", key)
	}
	return op
}

func TestParse(t *testing.T) {
	op := lookup(t, "shop.do_query")
	null := operation.Value{Null: true}
	at := func(text string) operation.Value {
		when, err := time.Parse(time.RFC3339Nano, text)
		if err != nil {
			t.Fatal(err)
		}
		return operation.Value{Time: when.UTC()}
	}
	text := func(words ...string) operation.Value {
		v := operation.Value{List: []operation.Value{}}
		for _, word := range words {
			v.List = append(v.List, operation.Value{Text: word})
		}
		return v
	}
	uuid := []byte{0x12, 0x3e, 0x45, 0x67, 0xe8, 0x9b, 0x12, 0xd3, 0xa4, 0x56, 0x42, 0x66, 0x14, 0x17, 0x40, 0x00}
	for _, c := range []struct {
		parameter, text string
		want            operation.Value
		says            string // the error; empty if there is none
	}{
		{"b", "00ff10", operation.Value{Bytes: []byte{0, 255, 16}}, ""},
		{"b", "0x00FF", operation.Value{Bytes: []byte{0, 255}}, ""},
		{"b", `\x00ff`, operation.Value{Bytes: []byte{0, 255}}, ""},
		{"b", "", operation.Value{Bytes: []byte{}}, ""},
		{"b", "0x", operation.Value{Bytes: []byte{}}, ""},
		{"b", "text:beef", operation.Value{Bytes: []byte("beef")}, ""},
		{"b", "text:", operation.Value{Bytes: []byte{}}, ""},
		{"b", "abc", operation.Value{}, "must be an even number of hexadecimal digits"},
		{"b", "secret", operation.Value{}, "must be hexadecimal digits"},
		{"b", "null", operation.Value{}, "must be hexadecimal digits"},
		{"ob", "NULL", null, ""},
		{"ob", "text:null", operation.Value{Bytes: []byte("null")}, ""},
		{"lb", "00, ff,text:a", operation.Value{List: []operation.Value{{Bytes: []byte{0}}, {Bytes: []byte{255}}, {Bytes: []byte("a")}}}, ""},
		{"lb", `"text:a,b",0x`, operation.Value{List: []operation.Value{{Bytes: []byte("a,b")}, {Bytes: []byte{}}}}, ""},
		{"lb", "00,secret", operation.Value{}, "element 2 must be hexadecimal digits"},
		{"t", "", operation.Value{Text: ""}, ""},
		{"t", " a b ", operation.Value{Text: " a b "}, ""},
		{"t", "null", operation.Value{Text: "null"}, ""},
		{"ot", "null", null, ""},
		{"ot", "text:null", operation.Value{Text: "null"}, ""},
		{"t", "text:text:x", operation.Value{Text: "text:x"}, ""},
		{"t", `"a\nb"`, operation.Value{Text: "a\nb"}, ""},
		{"t", `"secret`, operation.Value{}, "begins with a quotation mark"},
		{"t", `text:"so`, operation.Value{Text: `"so`}, ""},
		{"lt", "", text(), ""},
		{"lt", `a, "b, c" ,,""`, text("a", "b, c", "", ""), ""},
		{"lt", `"null",null`, text("null", "null"), ""},
		{"lt", `"secret`, operation.Value{}, "must be elements separated by commas"},
		{"lt", `"secret"x`, operation.Value{}, "must be elements separated by commas"},
		{"i", "-9223372036854775808", operation.Value{Int: math.MinInt64}, ""},
		{"i", "9223372036854775808", operation.Value{}, "must fit into 64 bits"},
		{"i", "010", operation.Value{Int: 10}, ""},
		{"i", "0x10", operation.Value{}, "must be a whole number"},
		{"i", "1.5", operation.Value{}, "must be a whole number"},
		{"i", "", operation.Value{}, "must be a whole number"},
		{"li", "1,2,-3", operation.Value{List: []operation.Value{{Int: 1}, {Int: 2}, {Int: -3}}}, ""},
		{"li", "1,", operation.Value{}, "element 2 must be a whole number"},
		{"f", "-1.5e3", operation.Value{Float: -1500}, ""},
		{"f", "Infinity", operation.Value{Float: math.Inf(1)}, ""},
		{"f", "1e400", operation.Value{}, "is larger than"},
		{"f", "secret", operation.Value{}, "must be a number"},
		{"y", "TRUE", operation.Value{Bool: true}, ""},
		{"y", "off", operation.Value{}, ""},
		{"y", "secret", operation.Value{}, "must be true or false"},
		{"oy", "null", null, ""},
		{"ow", "2024-07-01T12:00:00.1234567+02:00", at("2024-07-01T10:00:00.123456Z"), ""},
		{"ow", "2024-07-01 12:00:00Z", at("2024-07-01T12:00:00Z"), ""},
		{"ow", "2024-07-01 12:00:00", at("2024-07-01T12:00:00Z"), ""},
		{"ow", "2024-07-01", at("2024-07-01T00:00:00Z"), ""},
		{"ow", "1719835200", at("2024-07-01T12:00:00Z"), ""},
		{"ow", "1719835200.5", at("2024-07-01T12:00:00.5Z"), ""},
		{"ow", "-0.25", at("1969-12-31T23:59:59.75Z"), ""},
		{"ow", "null", null, ""},
		{"ow", "99999999999999", operation.Value{}, "must be a time"},
		{"ow", "1.secret", operation.Value{}, "must be a time"},
		{"ow", "nowhere", operation.Value{}, "must be a time"},
		{"ow", "now-31", operation.Value{}, "must be now, and behind + or - a duration"},
		{"a", "::ffff:192.0.2.1", operation.Value{Addr: netip.MustParseAddr("192.0.2.1")}, ""},
		{"a", "2001:DB8::1", operation.Value{Addr: netip.MustParseAddr("2001:db8::1")}, ""},
		{"a", "fe80::1%eth0", operation.Value{}, "must be an IP address without a zone"},
		{"a", "192.0.2.0/24", operation.Value{}, "must be an IP address"},
		{"u", "123E4567-e89b-12d3-a456-426614174000", operation.Value{Bytes: uuid}, ""},
		{"u", "123e4567e89b12d3a456426614174000", operation.Value{Bytes: uuid}, ""},
		{"u", "123e4567-e89b-12d3-a456-42661417400", operation.Value{}, "must be a UUID"},
		{"u", "123e4567e89b-12d3-a456-4266141740-00", operation.Value{}, "must be a UUID"},
		{"j", "null", operation.Value{Bytes: []byte("null")}, ""},
		{"oj", "null", null, ""},
		{"oj", "text:null", operation.Value{Bytes: []byte("null")}, ""},
		{"j", `{"a": 1}`, operation.Value{Bytes: []byte(`{"a": 1}`)}, ""},
		{"j", "secret", operation.Value{}, "must be JSON"},
		{"lj", `1,"[1,2]"`, operation.Value{List: []operation.Value{{Bytes: []byte("1")}, {Bytes: []byte("[1,2]")}}}, ""},
	} {
		t.Run(c.parameter+"="+c.text, func(t *testing.T) {
			got, err := literal.Parse(op.Parameter(c.parameter), c.text)
			switch {
			case c.says == "" && err != nil:
				t.Fatalf("got the error %v", err)
			case c.says != "" && (err == nil || !strings.HasPrefix(err.Error(), c.says)):
				t.Fatalf("got %v, %v; expected the error %q", got, err, c.says)
			case err != nil && strings.Contains(err.Error(), "secret"):
				t.Fatalf("the error holds the value: %v", err)
			case c.says == "" && !reflect.DeepEqual(got, c.want):
				t.Errorf("got %+v; expected %+v", got, c.want)
			}
		})
	}
}

func TestNow(t *testing.T) {
	p := lookup(t, "shop.do_query").Parameter("ow")
	for text, shift := range map[string]time.Duration{"now": 0, "now-31m": -31 * time.Minute, "now+1h30m": 90 * time.Minute} {
		before := time.Now().Add(shift).Truncate(time.Microsecond)
		v, err := literal.Parse(p, text)
		if err != nil {
			t.Fatal(err)
		}
		if after := time.Now().Add(shift); v.Time.Before(before) || v.Time.After(after) || v.Time.Location() != time.UTC {
			t.Errorf("%s is %s; expected a time from %s to %s", text, v.Time, before, after)
		}
	}
}

// What Format writes, Parse reads as the same value, on one line, without anything that a terminal obeys.
func TestFormatIsReadBack(t *testing.T) {
	op := lookup(t, "shop.do_query")
	random := rand.New(rand.NewPCG(1, 2))
	for range 2000 {
		for _, p := range op.Parameters {
			if p.Name == "small" {
				continue // a float of 32 bits is float to the kinds
			}
			v := anyValue(random, p)
			text := literal.Format(&p.Field, &v)
			for _, r := range text {
				if !strconv.IsPrint(r) {
					t.Fatalf("%s: %q holds %U", p.TypeName(), text, r)
				}
			}
			back, err := literal.Parse(p, text)
			if err != nil {
				t.Fatalf("%s: %q is not read back: %v", p.TypeName(), text, err)
			}
			if !equal(p.Kind, &v, &back) {
				t.Fatalf("%s: %+v is written %q and read as %+v", p.TypeName(), v, text, back)
			}
			if encoded := literal.JSON(&p.Field, &v); !json.Valid(encoded) {
				t.Fatalf("%s: %q is no JSON", p.TypeName(), encoded)
			}
		}
	}
}

func anyValue(random *rand.Rand, p *operation.Parameter) operation.Value {
	if p.List {
		v := operation.Value{List: make([]operation.Value, random.IntN(4))}
		for i := range v.List {
			v.List[i] = anyOne(random, p.Kind)
		}
		return v
	}
	if p.Optional && random.IntN(4) == 0 {
		return operation.Value{Null: true}
	}
	return anyOne(random, p.Kind)
}

func anyOne(random *rand.Rand, kind operation.Kind) operation.Value {
	switch kind {
	case operation.Text:
		return operation.Value{Text: anyText(random)}
	case operation.Int:
		return operation.Value{Int: int64(random.Uint64()) >> random.IntN(64)}
	case operation.Float:
		return operation.Value{Float: []float64{0, random.NormFloat64(), math.Inf(1), math.Inf(-1), math.MaxFloat64, 5e-324, 3}[random.IntN(7)]}
	case operation.Bool:
		return operation.Value{Bool: random.IntN(2) == 0}
	case operation.Time:
		return operation.Value{Time: time.UnixMicro(random.Int64N(3e17) - 6e16).UTC()}
	case operation.Addr:
		raw := anyBytes(random, 4+12*random.IntN(2))
		addr, _ := netip.AddrFromSlice(raw)
		return operation.Value{Addr: addr.Unmap()}
	case operation.UUID:
		return operation.Value{Bytes: anyBytes(random, 16)}
	case operation.JSON:
		raw, _ := json.Marshal([]any{nil, 1.5, anyText(random), []any{anyText(random), nil}, map[string]any{anyText(random): true}}[random.IntN(5)])
		if random.IntN(3) == 0 {
			var spread bytes.Buffer
			_ = json.Indent(&spread, raw, "", "\t")
			raw = spread.Bytes()
		}
		return operation.Value{Bytes: raw}
	}
	return operation.Value{Bytes: anyBytes(random, random.IntN(5))}
}

func anyBytes(random *rand.Rand, n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(random.Uint32())
	}
	return b
}

// anyText is made of what means something somewhere.
func anyText(random *rand.Rand) string {
	parts := []string{"", "a", " ", ",", `"`, `\`, "null", "NULL", "text:", "\n", "\t", "\x1b[31m", "\u009b", "\u200d", "\u202e", "😀", "é", "\U000e0001", "0x", "=", "\ufffd"}
	var b strings.Builder
	for range random.IntN(4) {
		b.WriteString(parts[random.IntN(len(parts))])
	}
	return b.String()
}

func equal(kind operation.Kind, a, b *operation.Value) bool {
	if len(a.List) != len(b.List) || a.Null != b.Null {
		return false
	}
	for i := range a.List {
		if !equal(kind, &a.List[i], &b.List[i]) {
			return false
		}
	}
	if kind == operation.JSON && !a.Null && a.List == nil && len(a.Bytes) > 0 {
		var x, y any
		return json.Unmarshal(a.Bytes, &x) == nil && json.Unmarshal(b.Bytes, &y) == nil && reflect.DeepEqual(x, y)
	}
	return bytes.Equal(a.Bytes, b.Bytes) && a.Text == b.Text && a.Int == b.Int && a.Float == b.Float && a.Bool == b.Bool && a.Time.Equal(b.Time) && a.Addr == b.Addr
}

func TestJSON(t *testing.T) {
	op := lookup(t, "shop.do_query")
	for _, c := range []struct{ parameter, text, want string }{
		{"b", "00ff", `"00ff"`}, {"b", "", `""`}, {"ob", "null", "null"}, {"t", "a\x1b", `"a\u001b"`}, {"t", "null", `"null"`},
		{"i", "-5", "-5"}, {"f", "0.5", "0.5"}, {"f", "NaN", `"NaN"`}, {"f", "-Infinity", `"-Infinity"`}, {"y", "yes", "true"},
		{"ow", "1719835200.5", `"2024-07-01T12:00:00.5Z"`}, {"a", "192.0.2.1", `"192.0.2.1"`}, {"j", `{"a":[1]}`, `{"a":[1]}`},
		{"u", "123e4567e89b12d3a456426614174000", `"123e4567-e89b-12d3-a456-426614174000"`},
		{"lt", `a,"b,c"`, `["a","b,c"]`}, {"li", "", "[]"}, {"lb", "00,0x", `["00",""]`},
	} {
		p := op.Parameter(c.parameter)
		v, err := literal.Parse(p, c.text)
		if err != nil {
			t.Fatal(err)
		}
		if got := string(literal.JSON(&p.Field, &v)); got != c.want {
			t.Errorf("%s %s is %s in JSON; expected %s", p.TypeName(), c.text, got, c.want)
		}
	}
}

func TestValues(t *testing.T) {
	op := lookup(t, "shop.rules_query")
	clock := time.Date(2024, 7, 1, 12, 0, 0, 0, time.UTC)
	right := []string{"hash=text:01234567890123456789", "@port=80", "name=123456789", "address=2001:db8::1", "many=1,2", "deep=-6"}
	with := func(words ...string) []string { return append(append([]string{}, right...), words...) }
	for name, c := range map[string]struct {
		given []string
		says  []string // the mistakes; none if there are none
	}{
		"all":            {right, nil},
		"optional":       {with("colour=blue", "created=now-1h", "left=l"), nil},
		"NULL":           {with("colour=null", "created=null", "left=null", "right=r"), nil},
		"nothing":        {nil, []string{"hash (bytes) is missing", "port (int) is missing", "name (text) is missing", "address (addr) is missing", "many (int[]) is missing", "deep (int) is missing"}},
		"several":        {append(with("colour=green", "nam=x", "port=secret")[2:], "hash=00", "port=0"), []string{"colour (text?) must be one of [red blue]", "nam is no parameter of shop.rules_query; did you mean name?", "port (int) must be a whole number, in decimal digits", "hash (bytes) must have 20 or 32 bytes, not 1", "port is given twice"}},
		"no name":        {with("secret", "secret!=1", "=secret"), []string{"value 7 is not of the form name=value", "value 8 is not of the form name=value", "value 9 is not of the form name=value"}},
		"far off":        {with("wholly_other=secret"), []string{"wholly_other is no parameter of shop.rules_query; it has hash, port, colour, name, address, created, left, right, many, deep"}},
		"derived":        {with("v6=true"), []string{"v6 follows from address; leave it out"}},
		"one of two":     {with("left=a", "right=b"), []string{"right cannot be given together with left"}},
		"in a list":      {append(right[:4:4], "deep=-9", "many=1,10"), []string{"many (int[]) element 2 must be at most 9"}},
		"empty list":     {append(right[:4:4], "deep=-9", "many="), nil},
		"a time too far": {with("created=999999999999"), []string{"created (time?) must be a time between the years 1 and 9999"}},
	} {
		t.Run(name, func(t *testing.T) {
			request, err := literal.Values(op, c.given, clock)
			var mistakes literal.Mistakes
			if errors.As(err, &mistakes) != (len(c.says) > 0) || err != nil && mistakes == nil {
				t.Fatalf("got the error %v", err)
			}
			if err == nil {
				if _, err := op.Values(request, clock, nil); err != nil {
					t.Errorf("the request breaks the contract: %v", err)
				}
				return
			}
			if strings.Contains(err.Error(), "secret") {
				t.Errorf("the error holds a value: %v", err)
			}
			if got := strings.Split(err.Error(), "\n"); !reflect.DeepEqual(got, c.says) {
				t.Errorf("got\n%s\nexpected\n%s", err, strings.Join(c.says, "\n"))
			}
		})
	}
}

// The values arrive in the request, and what the service derives is derived from them.
func TestValuesInTheRequest(t *testing.T) {
	op := lookup(t, "shop.rules_query")
	clock := time.Date(2024, 7, 1, 12, 0, 0, 0, time.UTC)
	request, err := literal.Values(op, []string{"hash=text:01234567890123456789", "port=80", "name=123456789", "address=2001:db8::1", "many=1,2", "deep=-6", "right=r"}, clock)
	if err != nil {
		t.Fatal(err)
	}
	values, err := op.Values(request, clock, nil)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{"hash": "3031323334353637383930313233343536373839", "port": "80", "colour": "null", "name": "123456789", "address": "2001:db8::1",
		"v6": "true", "created": "2024-07-01T12:00:00Z", "left": "null", "right": "r", "many": "1,2", "deep": "-6"}
	for i, p := range op.Parameters {
		if got := literal.Format(&p.Field, &values[i]); got != want[p.Name] {
			t.Errorf("%s is %s; expected %s", p.Name, got, want[p.Name])
		}
	}
	given, err := literal.Values(op, append(literal.ExampleWords(op), "created=now-31m"), clock)
	if err != nil {
		t.Fatal(err)
	}
	created := op.Parameter("created").Get(given)
	if !created.Time.Equal(clock.Add(-31 * time.Minute)) {
		t.Errorf("now-31m is %s", created.Time)
	}
}

func TestMissing(t *testing.T) {
	op := lookup(t, "shop.rules_query")
	_, err := literal.Values(op, []string{"port=0", "name=123456789", "many=", "deep=-6"}, time.Now())
	var mistakes literal.Mistakes
	if !errors.As(err, &mistakes) || !reflect.DeepEqual(mistakes.Missing(), []string{"hash", "address"}) {
		t.Errorf("missing are %v in %v", mistakes.Missing(), err)
	}
}

// The examples are such that the contract takes them, for every operation there is.
func TestExamples(t *testing.T) {
	built, err := storage.Contract()
	if err != nil {
		t.Fatal(err)
	}
	operations := append([]*operation.Operation{lookup(t, "shop.do_query"), lookup(t, "shop.rules_query")}, built.Operations()...)
	for _, op := range operations {
		request, err := literal.Values(op, literal.ExampleWords(op), time.Now())
		if err != nil {
			t.Errorf("%s: %v", op.Key, err)
			continue
		}
		if _, err := op.Values(request, time.Now(), nil); err != nil {
			t.Errorf("%s: %v", op.Key, err)
		}
	}
}

// Whatever is written: it is refused, or it is a value that is written and read back as the same.
func FuzzParse(f *testing.F) {
	op := lookup(f, "shop.do_query")
	for _, seed := range []string{"", "null", "text:a", "0x00", `"a,b",c`, "now-31m", "1719835200.5", "2024-07-01", "::1", `{"a":[1,"\u001b"]}`, "1e5", `"\ud800"`, "a\x00\xff", "-0", "NaN"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		for _, p := range op.Parameters {
			v, err := literal.Parse(p, text)
			if err != nil || p.Kind == operation.Float && strings.Contains(strings.ToLower(text), "nan") {
				continue // NaN is not even equal to itself
			}
			if !valid(p.Kind, &v) {
				continue // the contract refuses it later
			}
			back, err := literal.Parse(p, literal.Format(&p.Field, &v))
			if err != nil || !equal(p.Kind, &v, &back) {
				t.Errorf("%s: %q is %+v, which is written %q and read as %+v, %v", p.TypeName(), text, v, literal.Format(&p.Field, &v), back, err)
			}
		}
	})
}

// valid says whether texts are UTF-8 and times are within the years of the contract.
func valid(kind operation.Kind, v *operation.Value) bool {
	for i := range v.List {
		if !valid(kind, &v.List[i]) {
			return false
		}
	}
	year := v.Time.Year()
	return utf8.ValidString(v.Text) && (kind != operation.JSON || utf8.Valid(v.Bytes)) && (kind != operation.Time || v.List != nil || v.Null || year >= 1 && year <= 9999)
}
