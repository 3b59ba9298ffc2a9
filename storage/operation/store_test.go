package operation_test

import (
	"errors"
	"reflect"
	"testing"
	"time"

	"github.com/mortise-storage/mortise/storage/operation"
)

// A request made of values has these values, those of a message inside of it included.
func TestStoreIntoARequest(t *testing.T) {
	op, _ := load(t, one(`query: "shop.put_query"`, `
		message In {
			bytes id = 1 [(mortise.field) = { length: 2 }];
			optional string note = 2;
			repeated int32 numbers = 3 [(mortise.field) = { max: 10 }];
			Inner inner = 4;
			float ratio = 5;
			google.protobuf.Timestamp when = 6;
		}
		message Inner { optional bytes from = 1 [(mortise.field) = { kind: ADDR }]; bool yes = 2; }
		message Out {}`)).Lookup("shop.put_query")
	null := operation.Value{Null: true}
	request := op.NewRequest()
	for _, c := range []struct {
		parameter string
		value     operation.Value
		want      operation.Value // what the request has afterwards
		says      string
	}{
		{"id", operation.Value{Bytes: []byte("ab")}, operation.Value{Bytes: []byte("ab")}, ""},
		{"id", operation.Value{Bytes: []byte("abc")}, operation.Value{Bytes: []byte("ab")}, "id must have 2 bytes, not 3"},
		{"id", null, operation.Value{Bytes: []byte("ab")}, "id is missing"},
		{"note", null, null, ""},
		{"note", operation.Value{Text: ""}, operation.Value{Text: ""}, ""},
		{"note", null, null, ""},
		{"numbers", operation.Value{List: []operation.Value{{Int: 1}, {Int: 2}}}, operation.Value{List: []operation.Value{{Int: 1}, {Int: 2}}}, ""},
		{"numbers", operation.Value{List: []operation.Value{{Int: 3}}}, operation.Value{List: []operation.Value{{Int: 3}}}, ""},
		{"numbers", operation.Value{List: []operation.Value{{Int: 3}, {Int: 11}}}, operation.Value{List: []operation.Value{{Int: 3}}}, "numbers element 2 must be at most 10"},
		{"from", null, null, ""},
		{"yes", operation.Value{Bool: true}, operation.Value{Bool: true}, ""},
		{"ratio", operation.Value{Float: 0.5}, operation.Value{Float: 0.5}, ""},
		{"when", operation.Value{Time: time.Unix(5, 6000).UTC()}, operation.Value{Time: time.Unix(5, 6000).UTC()}, ""},
	} {
		p := op.Parameter(c.parameter)
		err := p.Store(request, &c.value)
		var bad *operation.ArgumentError
		if c.says == "" && err != nil || c.says != "" && (!errors.As(err, &bad) || err.Error() != c.says) {
			t.Errorf("%s: got %v; expected %q", c.parameter, err, c.says)
		}
		if got := p.Get(request); !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s is %+v; expected %+v", c.parameter, got, c.want)
		}
	}
	values, err := op.Values(request, clock, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i, p := range op.Parameters {
		if got := p.Get(request); !reflect.DeepEqual(got, values[i]) {
			t.Errorf("%s: Get gives %+v, Values %+v", p.Name, got, values[i])
		}
	}
}

// A value that is not there is NULL, and asking for it makes no message on the way.
func TestGetOfNothing(t *testing.T) {
	op := trackerOperation(t, "announce.query")
	request := op.NewRequest()
	if got := op.Parameter("peer_id").Get(request); !got.Null {
		t.Errorf("the peer id of nobody is %+v", got)
	}
	if err := op.Parameter("peer_id").Store(request, &operation.Value{Null: true}); err != nil {
		t.Error(err)
	}
	if size := len(request.ProtoReflect().GetUnknown()); size > 0 || request.ProtoReflect().Has(op.Method.Input().Fields().ByName("requester")) {
		t.Error("NULL was stored as something")
	}
}
