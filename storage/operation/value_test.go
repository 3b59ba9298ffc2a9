package operation_test

import (
	"errors"
	"fmt"
	"math"
	"net/netip"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/timestamppb"

	trackerv1 "github.com/mortise-storage/mortise/api/mortise/tracker/v1"
	"github.com/mortise-storage/mortise/storage/operation"
)

var clock = time.Date(2024, 7, 1, 12, 0, 0, 123456000, time.UTC)

func trackerOperation(t *testing.T, key string) *operation.Operation {
	t.Helper()
	contract, err := operation.Load(trackerv1.File_mortise_tracker_v1_tracker_proto)
	if err != nil {
		t.Fatal(err)
	}
	op, ok := contract.Lookup("tracker." + key)
	if !ok {
		t.Fatalf("no operation %s", key)
	}
	return op
}

func TestValuesOfAPeer(t *testing.T) {
	op := trackerOperation(t, "peer.add_query")
	agent := "agent"
	request := &trackerv1.PutPeerRequest{InfoHash: make([]byte, 32), IsSeeder: true, IsV6: true, HostValues: &trackerv1.HostValues{UserAgent: &agent},
		Peer: &trackerv1.Peer{PeerId: make([]byte, 20), Address: netip.MustParseAddr("::ffff:192.0.2.1").AsSlice(), Port: 65535}}
	values, err := op.Values(request, clock, nil)
	if err != nil {
		t.Fatal(err)
	}
	at := func(name string) operation.Value { return values[op.Parameter(name).Index] }
	if got := at("address").Addr; got != netip.MustParseAddr("192.0.2.1") {
		t.Errorf("address %s", got)
	}
	if at("is_v6").Bool || at("is_v6").Null {
		t.Error("the family is not that of the address after unmapping")
	}
	if got := at("created"); got.Null || !got.Time.Equal(clock) {
		t.Errorf("created %v", got)
	}
	if at("port").Int != 65535 || !at("is_seeder").Bool || at("user_agent").Text != "agent" || !at("event").Null || !at("left").Null {
		t.Errorf("values %+v", values)
	}

	request.Created = timestamppb.New(time.Date(2020, 1, 2, 3, 4, 5, 678901999, time.FixedZone("", 3600)))
	request.Peer.Address = netip.MustParseAddr("2001:db8::1").AsSlice()
	again, err := op.Values(request, clock, values)
	if err != nil {
		t.Fatal(err)
	}
	if got := again[op.Parameter("created").Index].Time; got.Format(time.RFC3339Nano) != "2020-01-02T02:04:05.678901Z" {
		t.Errorf("created %s: expected UTC and microseconds", got.Format(time.RFC3339Nano))
	}
	if !again[op.Parameter("is_v6").Index].Bool {
		t.Error("the family is not IPv6")
	}
	if &again[0] != &values[0] {
		t.Error("the memory of the buffer is not used again")
	}
}

func TestEmptyBytesAreNotNull(t *testing.T) {
	op := trackerOperation(t, "data.add_query")
	for name, c := range map[string]struct {
		request *trackerv1.DataAddParameters
		null    bool
	}{
		"unset": {&trackerv1.DataAddParameters{}, true},
		"empty": {&trackerv1.DataAddParameters{Value: []byte{}}, false},
	} {
		values, err := op.Values(c.request, clock, nil)
		if err != nil {
			t.Fatal(err)
		}
		if key := values[op.Parameter("key").Index]; key.Null || key.Bytes == nil {
			t.Errorf("%s: the empty key is %+v", name, key)
		}
		if value := values[op.Parameter("value").Index]; value.Null != c.null {
			t.Errorf("%s: the value is %+v", name, value)
		}
	}
}

// The rules that an annotation can lay down, on the way in.
func TestArgumentRules(t *testing.T) {
	op, _ := load(t, one(`query: "shop.put_query"`, `
		message In {
			optional string word = 1 [(mortise.field) = { values: ["red", "blue"] }];
			optional string short = 2 [(mortise.field) = { min_length: 2 max_length: 3 }];
			optional bytes blob = 3 [(mortise.field) = { max_length: 4 }];
			optional int32 number = 4 [(mortise.field) = { min: -1 max: 10 }];
			optional bytes id = 5 [(mortise.field) = { kind: UUID }];
			repeated bytes hashes = 6 [(mortise.field) = { length: [2, 4] }];
			oneof either { string left = 7; string right = 8; }
			google.protobuf.Timestamp when = 9;
			bytes needed = 10 [(mortise.field) = { kind: ADDR }];
		} message Out {}`)).Lookup("shop.put_query")
	for name, c := range map[string]struct {
		set  map[string]any
		says string // the error; empty if there is none
	}{
		"all unset":          {map[string]any{}, ""},
		"a word":             {map[string]any{"word": "red"}, ""},
		"another word":       {map[string]any{"word": "green"}, "word must be one of [red blue]"},
		"two characters":     {map[string]any{"short": "äö"}, ""},
		"one character":      {map[string]any{"short": "ä"}, "short must have at least 2 characters, not 1"},
		"four characters":    {map[string]any{"short": "äöüß"}, "short must have at most 3 characters, not 4"},
		"NUL":                {map[string]any{"short": "a\x00"}, "short must not contain the character NUL"},
		"no UTF-8":           {map[string]any{"short": "a\xff"}, "short must be valid UTF-8"},
		"four bytes":         {map[string]any{"blob": []byte("1234")}, ""},
		"five bytes":         {map[string]any{"blob": []byte("12345")}, "blob must have at most 4 bytes, not 5"},
		"lowest":             {map[string]any{"number": int32(-1)}, ""},
		"too low":            {map[string]any{"number": int32(-2)}, "number must be at least -1"},
		"too high":           {map[string]any{"number": int32(11)}, "number must be at most 10"},
		"UUID":               {map[string]any{"id": make([]byte, 16)}, ""},
		"no UUID":            {map[string]any{"id": make([]byte, 15)}, "id must be 16 bytes"},
		"list":               {map[string]any{"hashes": [][]byte{{1, 2}, {1, 2, 3, 4}}}, ""},
		"list, bad element":  {map[string]any{"hashes": [][]byte{{1, 2}, {1, 2, 3}}}, "hashes element 2 must have 2 or 4 bytes, not 3"},
		"one of two":         {map[string]any{"right": "r"}, ""},
		"time":               {map[string]any{"when": int64(1)}, ""},
		"time out of bounds": {map[string]any{"when": int64(math.MaxInt64)}, "when must be a time between the years 1 and 9999"},
		"address of 3 bytes": {map[string]any{"needed": []byte{1, 2, 3}}, "needed must be an IP address of 4 or 16 bytes"},
	} {
		t.Run(name, func(t *testing.T) {
			request := op.NewRequest().ProtoReflect()
			set(request, "needed", []byte{1, 2, 3, 4})
			for field, v := range c.set {
				set(request, field, v)
			}
			_, err := op.Values(request.Interface(), clock, nil)
			var bad *operation.ArgumentError
			switch {
			case c.says == "" && err != nil:
				t.Errorf("got %v", err)
			case c.says != "" && (!errors.As(err, &bad) || !strings.HasPrefix(err.Error(), c.says)):
				t.Errorf("got %v; expected %q", err, c.says)
			}
		})
	}
}

func set(m protoreflect.Message, name string, v any) {
	fd := m.Descriptor().Fields().ByName(protoreflect.Name(name))
	switch v := v.(type) {
	case [][]byte:
		list := m.Mutable(fd).List()
		for _, one := range v {
			list.Append(protoreflect.ValueOfBytes(one))
		}
	case int64:
		if fd.Message() == nil {
			m.Set(fd, protoreflect.ValueOfInt64(v))
			return
		}
		when := m.Mutable(fd).Message()
		when.Set(when.Descriptor().Fields().ByName("seconds"), protoreflect.ValueOfInt64(v))
	default:
		m.Set(fd, protoreflect.ValueOf(v))
	}
}

// The same rules, and NULL and ranges, on the way out.
func TestStore(t *testing.T) {
	op, _ := load(t, one(`query: "shop.get_query" result: ROW`, `
		message In {}
		message Out {
			int64 count = 1 [(mortise.field) = { min: 0 clamp: true null_is_zero: true }];
			int64 score = 2 [(mortise.field) = { max: 10 clamp: true }];
			int32 small = 3;
			uint32 port = 4 [(mortise.field) = { min: 1 max: 65535 }];
			optional string note = 5;
			bytes id = 6 [(mortise.field) = { length: 2 }];
			repeated int64 list = 7;
			Inner inner = 8;
			google.protobuf.Timestamp when = 9;
			bytes addr = 10 [(mortise.field) = { kind: ADDR }];
			string json = 11 [(mortise.field) = { kind: JSON }];
			double ratio = 12;
			bool yes = 13;
			repeated google.protobuf.Timestamp times = 14;
		}
		message Inner { string text = 1; }`)).Lookup("shop.get_query")
	null := operation.Value{Null: true}
	for name, c := range map[string]struct {
		column  string
		value   operation.Value
		want    string // the row as text
		clamped bool
		says    string
	}{
		"count":                  {"count", operation.Value{Int: 7}, "count:7", false, ""},
		"count below zero":       {"count", operation.Value{Int: -7}, "", true, ""},
		"count NULL":             {"count", null, "", false, ""},
		"score above":            {"score", operation.Value{Int: 11}, "score:10", true, ""},
		"score NULL":             {"score", null, "", false, "column score is NULL"},
		"32 bits":                {"small", operation.Value{Int: math.MinInt32}, "small:-2147483648", false, ""},
		"more than 32 bits":      {"small", operation.Value{Int: math.MaxInt32 + 1}, "", false, "column small must fit into 32 bits"},
		"port":                   {"port", operation.Value{Int: 65535}, "port:65535", false, ""},
		"port 0":                 {"port", operation.Value{}, "", false, "column port must be at least 1"},
		"port too high":          {"port", operation.Value{Int: 65536}, "", false, "column port must be at most 65535"},
		"port beyond 32 bits":    {"port", operation.Value{Int: 1<<32 + 1}, "", false, "column port must fit into 32 bits"},
		"note":                   {"note", operation.Value{Text: ""}, `note:""`, false, ""},
		"note NULL":              {"note", null, "", false, ""},
		"id":                     {"id", operation.Value{Bytes: []byte("ab")}, `id:"ab"`, false, ""},
		"id of 3 bytes":          {"id", operation.Value{Bytes: []byte("abc")}, "", false, "column id must have 2 bytes, not 3"},
		"list":                   {"list", operation.Value{List: []operation.Value{{Int: 1}, {Int: 2}}}, "list:1 list:2", false, ""},
		"list NULL":              {"list", null, "", false, ""},
		"in a message":           {"text", operation.Value{Text: "t"}, `inner:{text:"t"}`, false, ""},
		"time":                   {"when", operation.Value{Time: time.Unix(5, 6000).UTC()}, "when:{seconds:5 nanos:6000}", false, ""},
		"time too late":          {"when", operation.Value{Time: time.Date(20000, 1, 1, 0, 0, 0, 0, time.UTC)}, "", false, "column when must be a time"},
		"times":                  {"times", operation.Value{List: []operation.Value{{Time: time.Unix(5, 0).UTC()}}}, "times:{seconds:5}", false, ""},
		"address":                {"addr", operation.Value{Addr: netip.MustParseAddr("192.0.2.1")}, `addr:"\xc0\x00\x02\x01"`, false, ""},
		"no address":             {"addr", operation.Value{}, "", false, "column addr must be an IP address"},
		"JSON":                   {"json", operation.Value{Bytes: []byte("{}")}, `json:"{}"`, false, ""},
		"number with a fraction": {"ratio", operation.Value{Float: 0.5}, "ratio:0.5", false, ""},
		"truth":                  {"yes", operation.Value{Bool: true}, "yes:true", false, ""},
	} {
		t.Run(name, func(t *testing.T) {
			row := op.NewRow()
			var column *operation.Column
			for _, candidate := range op.Columns {
				if candidate.Name == c.column {
					column = candidate
				}
			}
			clamped, err := column.Store(row, &c.value)
			if (err == nil) != (c.says == "") || err != nil && !strings.HasPrefix(err.Error(), c.says) {
				t.Fatalf("got %v; expected %q", err, c.says)
			}
			text := strings.Join(strings.Fields(row.(interface{ String() string }).String()), " ")
			if clamped != c.clamped || text != c.want {
				t.Errorf("clamped %v, row %s; expected %v, %s", clamped, text, c.clamped, c.want)
			}
		})
	}
}

// A row does not refer to the memory that the value was in.
func TestStoreCopies(t *testing.T) {
	op := trackerOperation(t, "data.get_query")
	memory := []byte("value")
	row := op.NewRow()
	if _, err := op.Columns[0].Store(row, &operation.Value{Bytes: memory}); err != nil {
		t.Fatal(err)
	}
	memory[0] = 'X'
	if got := row.(*trackerv1.LoadResponse).GetValue(); string(got) != "value" {
		t.Errorf("the row holds %q", got)
	}
}

func TestEmptyAndLane(t *testing.T) {
	del := trackerOperation(t, "data.del_query")
	for n, want := range map[int]bool{0: true, 1: false} {
		if got := del.Empty(&trackerv1.DeleteRequest{Key: make([][]byte, n)}); got != want {
			t.Errorf("a list of %d is empty: %v", n, got)
		}
	}
	add := trackerOperation(t, "peer.add_query")
	if add.Empty(&trackerv1.PutPeerRequest{}) {
		t.Error("an operation without a list has nothing to do")
	}
	values, err := add.Values(&trackerv1.PutPeerRequest{InfoHash: []byte("01234567890123456789"), Peer: &trackerv1.Peer{PeerId: make([]byte, 20), Address: make([]byte, 4), Port: 1}}, clock, nil)
	if err != nil {
		t.Fatal(err)
	}
	if lane, ok := add.Lane(values); !ok || string(lane.Bytes) != "01234567890123456789" {
		t.Errorf("lane %q, %v", lane.Bytes, ok)
	}
	if _, ok := del.Lane(nil); ok {
		t.Error("an operation without a lane has one")
	}
}

// What a request asks for: fields without presence count when they are not zero.
func TestAsked(t *testing.T) {
	op, _ := load(t, one(`query: "shop.put_query"`, `message In { optional int64 limit = 1; bool deep = 2; repeated string tags = 3; } message Out {}`)).Lookup("shop.put_query")
	asked := func(change func(protoreflect.Message)) string {
		request := op.NewRequest().ProtoReflect()
		change(request)
		values, err := op.Values(request.Interface(), clock, nil)
		if err != nil {
			t.Fatal(err)
		}
		var names []string
		for i, p := range op.Parameters {
			if p.Asked(&values[i]) {
				names = append(names, p.Name)
			}
		}
		return strings.Join(names, " ")
	}
	field := func(m protoreflect.Message, name string) protoreflect.FieldDescriptor {
		return m.Descriptor().Fields().ByName(protoreflect.Name(name))
	}
	for want, change := range map[string]func(protoreflect.Message){
		"":      func(protoreflect.Message) {},
		"limit": func(m protoreflect.Message) { m.Set(field(m, "limit"), protoreflect.ValueOfInt64(0)) },
		"deep":  func(m protoreflect.Message) { m.Set(field(m, "deep"), protoreflect.ValueOfBool(true)) },
		"tags": func(m protoreflect.Message) {
			m.Mutable(field(m, "tags")).List().Append(protoreflect.ValueOfString(""))
		},
	} {
		if got := asked(change); got != want {
			t.Errorf("asked for %q; expected %q", got, want)
		}
	}
}

func TestNewResponse(t *testing.T) {
	load := trackerOperation(t, "data.get_query")
	if got := load.NewResponse(nil); !proto.Equal(got, &trackerv1.LoadResponse{}) {
		t.Errorf("without a row: %v", got)
	}
	row := &trackerv1.LoadResponse{Value: []byte("v")}
	if got := load.NewResponse([]proto.Message{row}); !proto.Equal(got, row) {
		t.Errorf("with a row: %v", got)
	}
}

// Arguments that should be JSON are read as such before anything is sent, alone and in lists.
func TestJSONArguments(t *testing.T) {
	op, _ := load(t, one(`query: "shop.put_query"`, `message In {
		string one = 1 [(mortise.field) = { kind: JSON }];
		optional bytes maybe = 2 [(mortise.field) = { kind: JSON }];
		repeated string many = 3 [(mortise.field) = { kind: JSON }];
	} message Out {}`)).Lookup("shop.put_query")
	for name, c := range map[string]struct {
		one   string
		maybe []byte
		many  []string
		says  string
	}{
		"an object":        {one: `{"a": [1, null]}`},
		"a string":         {one: `"text"`, many: []string{"1", "true"}},
		"none":             {one: "", says: "one must be JSON"},
		"half":             {one: `{"a": `, says: "one must be JSON"},
		"two":              {one: "1 2", says: "one must be JSON"},
		"an optional one":  {one: "1", maybe: []byte("{"), says: "maybe must be JSON"},
		"one in a list":    {one: "1", many: []string{"1", "x"}, says: "many element 2 must be JSON"},
		"an optional good": {one: "1", maybe: []byte("[]")},
	} {
		t.Run(name, func(t *testing.T) {
			m := op.NewRequest().ProtoReflect()
			fields := m.Descriptor().Fields()
			m.Set(fields.ByName("one"), protoreflect.ValueOfString(c.one))
			if c.maybe != nil {
				m.Set(fields.ByName("maybe"), protoreflect.ValueOfBytes(c.maybe))
			}
			list := m.Mutable(fields.ByName("many")).List()
			for _, one := range c.many {
				list.Append(protoreflect.ValueOfString(one))
			}
			_, err := op.Values(m.Interface(), clock, nil)
			if said := fmt.Sprint(err); (err == nil) != (c.says == "") || err != nil && said != c.says {
				t.Errorf("got %v; expected %q", err, c.says)
			}
		})
	}
}
