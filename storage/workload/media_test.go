package workload

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	mediav1 "github.com/mortise-storage/mortise/api/mortise/media/v1"
	"github.com/mortise-storage/mortise/storage/operation"
)

func mediaContract(t *testing.T) *operation.Contract {
	t.Helper()
	c, err := operation.Load(mediav1.File_mortise_media_v1_media_proto)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func mediaPlanned(size int64, seed uint64) *mediaData {
	return Media{}.New(Plan{Size: size, Seed: seed, Now: now, Has: all}).(*mediaData)
}

func TestAllOfMediaFollowsFromTheSeed(t *testing.T) {
	first, again, other := requests(mediaPlanned(500, 1)), requests(mediaPlanned(500, 1)), requests(mediaPlanned(500, 2))
	if len(first) != len(again) {
		t.Fatalf("%d requests, then %d", len(first), len(again))
	}
	different := 0
	for i := range first {
		if first[i].Method != again[i].Method || !proto.Equal(first[i].Message, again[i].Message) {
			t.Fatalf("request %d is not the same again: %s", i, Describe(first[i].Message))
		}
		if !proto.Equal(first[i].Message, other[i].Message) {
			different++
		}
	}
	if different < len(first)*3/4 {
		t.Errorf("with another seed only %d of %d requests differ", different, len(first))
	}
}

func TestRequestsFitTheContractOfMedia(t *testing.T) {
	c := mediaContract(t)
	for _, data := range []Data{mediaPlanned(500, 1), mediaPlanned(1, 1),
		Media{}.New(Plan{Keys: [][]byte{[]byte("one.webp"), []byte("two.webp")}, Now: now, Has: all})} {
		for _, r := range requests(data) {
			op := c.Method(r.Method)
			if op == nil {
				continue // a composed method, which checks its requests itself
			}
			if _, err := op.Values(r.Message, now, nil); err != nil {
				t.Errorf("%s: %v in %s", op.Key, err, Describe(r.Message))
			}
		}
	}
}

func TestEverythingOfMediaIsMeasured(t *testing.T) {
	c, d := mediaContract(t), mediaPlanned(500, 1)
	measured, names := map[string]bool{}, map[string]bool{}
	for _, one := range d.Cases() {
		measured[one.Method] = true
		name := fmt.Sprint(one.Method, one.Direct, one.Variant)
		if names[name] {
			t.Errorf("two cases are %s", name)
		}
		names[name] = true
	}
	for _, op := range c.Operations() {
		// LISTEN would stay with a connection that others use afterwards.
		if !measured[op.FullMethod] && !op.Spec.GetListens() {
			t.Errorf("no case is about %s", op.Key)
		}
	}
	for _, service := range c.Services() {
		for i := range service.Methods().Len() {
			m := service.Methods().Get(i)
			// A stream is a sequence of operations, each of which is measured.
			if method := fmt.Sprintf("/%s/%s", service.FullName(), m.Name()); !measured[method] && !m.IsStreamingServer() {
				t.Errorf("no case is about %s", method)
			}
		}
	}
}

// Groups of queries that are missing are neither filled nor called.
func TestGroupsThatAreMissing(t *testing.T) {
	c := mediaContract(t)
	for _, missing := range []string{"queue", "proxies", "uploads", "variants", "details", "settings"} {
		d := Media{}.New(Plan{Size: 100, Now: now, Has: func(method string) bool {
			op := c.Method(method)
			return op != nil && op.Group != missing
		}}).(*mediaData)
		for _, r := range requests(d) {
			if op := c.Method(r.Method); op != nil && op.Group == missing {
				t.Errorf("%s is called", op.Key)
			}
		}
		if d.Rows()%d.Together() != 0 || d.Rows() == 0 {
			t.Errorf("without %s there are %d requests, of which %d belong together", missing, d.Rows(), d.Together())
		}
	}
}

// What is needed comes before what needs it, and goes after it.
func TestUnitsAreInOrder(t *testing.T) {
	d := mediaPlanned(50, 1)
	hashes, aliases := map[string]bool{}, map[string]string{}
	for i := range d.Rows() {
		if i%d.Together() == 0 {
			clear(hashes) // others may not be committed yet
		}
		switch m := d.Fill(i).Message.(type) {
		case *mediav1.HashCreateParameters:
			hashes[string(m.GetHash())] = true
		case *mediav1.AliasCreateParameters:
			if aliases[m.GetAlias()] = string(m.GetHash()); !hashes[string(m.GetHash())] {
				t.Fatalf("the hash of alias %s does not belong together with it", m.GetAlias())
			}
		case *mediav1.VariantRelateParameters:
			if !hashes[string(m.GetHash())] {
				t.Fatal("the hash of a variant does not belong together with it")
			}
		case *mediav1.ProxyRelateParameters:
			if !hashes[aliases[m.GetAlias()]] {
				t.Fatal("the alias of a URL does not belong together with it")
			}
		}
	}
	if len(aliases) != 50 {
		t.Errorf("%d aliases", len(aliases))
	}
	for i := range d.Rows() {
		for _, r := range d.Empty(i) {
			switch m := r.Message.(type) {
			case *mediav1.AliasRequest:
				if r.Method == mediav1.Aliases_Cleanup_FullMethodName {
					delete(aliases, m.GetAlias())
				}
			case *mediav1.HashRequest:
				for alias, hash := range aliases {
					if hash == string(m.GetHash()) {
						t.Fatalf("a hash is removed before its alias %s", alias)
					}
				}
			}
		}
	}
	if len(aliases) != 0 {
		t.Errorf("%d aliases are left", len(aliases))
	}
}

func TestOriginalsAreKnownAgain(t *testing.T) {
	d := mediaPlanned(500, 3)
	aliases, hashes := map[string]bool{}, map[string]bool{}
	for unit := range d.units {
		for _, which := range []int64{doubled, touched, forgotten, proxied, second} {
			o := d.stored(unit, which)
			aliases[o.alias], hashes[string(o.hash)] = true, true
			if got := d.ofAlias(o.alias); got == nil || got.n != o.n || got.token != o.token {
				t.Fatalf("%s is of %+v, not of number %d", o.alias, got, o.n)
			}
			if got := d.ofHash(o.hash); got == nil || got.n != o.n {
				t.Fatalf("%x is of %+v, not of number %d", o.hash, got, o.n)
			}
			if len(o.alias) > 30 || len(o.token) > 30 || len(o.queue) > 30 || !json.Valid([]byte(d.details(o.n))) || !json.Valid([]byte(o.job())) || !json.Valid([]byte(o.result())) {
				t.Fatalf("%+v", o)
			}
		}
	}
	if len(aliases) != 500 || len(hashes) != 400 {
		t.Errorf("%d aliases of %d originals", len(aliases), len(hashes))
	}
	for _, foreign := range []string{"", "photo.webp", strings.Repeat("0", aliasDigest+aliasDigits) + aliasSuffix} {
		if d.ofAlias(foreign) != nil || d.ofHash([]byte(foreign)) != nil {
			t.Errorf("%q is one of ours", foreign)
		}
	}
}

// Turns leave nothing behind, and do not meet.
func TestPassingOriginalsDoNotMeet(t *testing.T) {
	d := mediaPlanned(300, 1)
	stored := d.units * unitAliases
	seen := map[string]string{}
	for _, c := range d.Cases() {
		if !c.Bounded {
			continue
		}
		for n := range int64(20) {
			turn := c.Turn(n)
			name := fmt.Sprint(c.Method, c.Direct, c.Variant, n)
			order := turn.Call.Order
			if other := seen[order]; other != "" && other != name {
				t.Fatalf("%s and %s use the same original", name, other)
			}
			seen[order] = name
			if o := d.ofHash([]byte(order)); o == nil || o.n < stored {
				t.Fatalf("%s is about a stored original", name)
			}
			for _, r := range slices.Concat(turn.Before, turn.After) {
				if r.Order != order {
					t.Fatalf("%s: %s is about another original", name, r.Method)
				}
			}
			if len(turn.Before) > 0 && len(turn.After) == 0 && !c.Stays {
				t.Errorf("%s leaves what it needs, and does not say so", name)
			}
		}
	}
	if len(seen) == 0 {
		t.Error("no case has originals of its own")
	}
}

func TestAnswersOfMediaThatCannotBeRight(t *testing.T) {
	d := mediaPlanned(100, 1)
	o, other := d.stored(3, second), d.stored(4, doubled)
	details, elsewhere := d.details(o.n), d.details(other.n)
	spaced := strings.ReplaceAll(details, `":`, `" : `)
	right := func(change func(r *mediav1.Resolved)) proto.Message {
		r := &mediav1.Resolved{Hash: o.hash, Identifier: &o.identifier, Details: &details}
		change(r)
		return r
	}
	alias, variant := &mediav1.AliasRequest{Alias: o.alias}, &mediav1.ResolveVariantRequest{Alias: o.alias, Variant: variantName}
	for name, tt := range map[string]struct {
		call, row proto.Message
		want      string
	}{
		"as stored":         {alias, right(func(*mediav1.Resolved) {}), ""},
		"JSON with spaces":  {alias, right(func(r *mediav1.Resolved) { r.Details = &spaced }), ""},
		"another hash":      {alias, right(func(r *mediav1.Resolved) { r.Hash = other.hash }), "another hash"},
		"another file":      {alias, right(func(r *mediav1.Resolved) { r.Identifier = &other.identifier }), "another file"},
		"no file":           {alias, right(func(r *mediav1.Resolved) { r.Identifier = nil }), "another file"},
		"other details":     {alias, right(func(r *mediav1.Resolved) { r.Details = &elsewhere }), "other details"},
		"the original":      {variant, right(func(*mediav1.Resolved) {}), "another file"},
		"the variant":       {variant, right(func(r *mediav1.Resolved) { r.Identifier = &o.variants }), ""},
		"an identifier":     {&mediav1.HashRequest{Hash: o.hash}, &mediav1.IdentifierResponse{Identifier: o.variants}, "another file"},
		"a token":           {alias, &mediav1.DeleteTokenResponse{DeleteToken: other.token}, "another token"},
		"a foreign alias":   {&mediav1.AliasRequest{Alias: "photo.webp"}, right(func(r *mediav1.Resolved) { r.Hash = nil }), ""},
		"a hash":            {alias, &mediav1.HashResponse{Hash: other.hash}, "another hash"},
		"the variant's own": {&mediav1.VariantRequest{Hash: o.hash, Variant: variantName}, &mediav1.IdentifierResponse{Identifier: o.variants}, ""},
	} {
		got := d.wrongAnswer(Turn{Call: Request{Message: tt.call}}, &Answer{Rows: []proto.Message{tt.row}})
		if (got == "") != (tt.want == "") || !strings.Contains(got, tt.want) {
			t.Errorf("%s: %q; expected %q", name, got, tt.want)
		}
	}
}

func TestAnswersOfMediaThatDiffer(t *testing.T) {
	d := mediaPlanned(100, 1)
	job := func(id byte, text string) proto.Message { return &mediav1.Job{Id: []byte{id}, Job: text} }
	aliases := func(all ...string) proto.Message {
		l := &mediav1.AliasList{}
		for _, alias := range all {
			l.Aliases = append(l.Aliases, &mediav1.Alias{Alias: alias})
		}
		return l
	}
	yes := true
	for name, tt := range map[string]struct {
		a, b proto.Message
		want string
	}{
		"another id":          {job(1, `{"a": 1}`), job(2, `{"a":1}`), ""},
		"another job":         {job(1, `{"a": 1}`), job(1, `{"a": 2}`), "A has"},
		"an id in an answer":  {&mediav1.PushResponse{JobId: []byte{1}, Queued: true}, &mediav1.PushResponse{JobId: []byte{2}, Queued: true}, ""},
		"not queued":          {&mediav1.PushResponse{JobId: []byte{1}, Queued: true}, &mediav1.PushResponse{}, "queued"},
		"order of aliases":    {aliases("a", "b"), aliases("b", "a"), ""},
		"an alias more":       {aliases("a", "b"), aliases("a"), "A has"},
		"a touch is not told": {&mediav1.Resolved{Touched: &yes}, &mediav1.Resolved{}, ""},
		"a hash is missing":   {&mediav1.Resolved{Hash: []byte{1}}, &mediav1.Resolved{}, "A has"},
	} {
		got := d.differentContents(Turn{}, &Answer{Rows: []proto.Message{tt.a}}, &Answer{Rows: []proto.Message{tt.b}})
		if (got == "") != (tt.want == "") || !strings.Contains(got, tt.want) {
			t.Errorf("%s: %q; expected %q", name, got, tt.want)
		}
	}
}

// A file of keys is one section's; the others have nothing to call.
func TestKeysOfAnotherSection(t *testing.T) {
	hash := slices.Repeat([]byte{0xfe}, 20)
	for name, tt := range map[string]struct {
		domain Domain
		keys   [][]byte
		cases  bool
	}{
		"an alias to media":           {Media{}, [][]byte{[]byte("mine.webp")}, true},
		"an info hash to media":       {Media{}, [][]byte{hash}, false},
		"an info hash to tracker":     {Tracker{}, [][]byte{hash}, true},
		"an alias to tracker":         {Tracker{}, [][]byte{[]byte("mine.webp")}, false},
		"both to media":               {Media{}, [][]byte{hash, []byte("mine.webp")}, true},
		"no key to media":             {Media{}, nil, false},
		"a key that is no text":       {Media{}, [][]byte{{'a', 0}}, false},
		"an info hash of version two": {Tracker{}, [][]byte{append(hash, hash[:12]...)}, true},
	} {
		cases := tt.domain.New(Plan{Keys: tt.keys, Now: now, Has: all}).Cases()
		if (len(cases) > 0) != tt.cases {
			t.Errorf("%s: %d cases", name, len(cases))
		}
		for _, c := range cases {
			if turn := c.Turn(3); turn.Call.Message == nil {
				t.Errorf("%s: %s has no call", name, c.Method)
			}
		}
	}
}
