package workload

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	mediav1 "github.com/mortise-storage/mortise/api/mortise/media/v1"
)

// untold are fields that an operator's query need not tell.
var untold = []protoreflect.Name{"affected", "touched", "retry", "queue_time", "attempts_left", "removed", "deleted"}

// tells compares what every query tells.
func tells(turn Turn, a, b *Answer) string {
	return compareBut(withoutIDs(a), withoutIDs(b), untold...)
}

// differentContents compares JSON by its meaning, because databases may write it in another way, and
// leaves ids out that they make.
func (d *mediaData) differentContents(turn Turn, a, b *Answer) string {
	return tells(turn, withPlainJSON(a), withPlainJSON(b))
}

// differentIDs compares only whether there is one: schemas may make their own.
func differentIDs(_ Turn, a, b *Answer) string {
	if len(a.Rows) != len(b.Rows) {
		return fmt.Sprintf("A has %d rows, B %d", len(a.Rows), len(b.Rows))
	}
	return ""
}

// differentAttempts compares how many are left, where 0 may also be told by no row.
func differentAttempts(_ Turn, a, b *Answer) string {
	left := func(answer *Answer) int64 {
		if len(answer.Rows) == 0 {
			return 0
		}
		return answer.Rows[0].(*mediav1.Attempts).GetRetry()
	}
	if left(a) != left(b) {
		return fmt.Sprintf("A leaves %d attempts, B %d", left(a), left(b))
	}
	return ""
}

// withoutIDs forgets the ids of jobs, that each service or database makes for itself.
func withoutIDs(a *Answer) *Answer {
	c := cloned(a)
	for _, row := range c.Rows {
		switch m := row.(type) {
		case *mediav1.Job:
			m.Id = nil
		case *mediav1.NextResponse:
			if m.Job != nil {
				m.Job.Id = nil
			}
		case *mediav1.PushResponse:
			m.JobId = nil
		case *mediav1.PushManyResponse:
			for _, result := range m.GetResults() {
				result.JobId = nil
			}
		case *mediav1.DescribeResponse:
			for _, of := range m.GetHashes() {
				of.Aliases = sortedStrings(of.Aliases)
			}
		case *mediav1.AliasList:
			m.Aliases = sortedMessages(m.Aliases)
		case *mediav1.VariantList:
			m.Variants = sortedMessages(m.Variants)
		case *mediav1.ContentsResponse:
			m.Aliases, m.Variants = sortedMessages(m.Aliases), sortedMessages(m.Variants)
		}
	}
	return c
}

// withPlainJSON writes JSON in one way.
func withPlainJSON(a *Answer) *Answer {
	c := cloned(a)
	for _, row := range c.Rows {
		rewriteJSON(row.ProtoReflect())
	}
	return c
}

func rewriteJSON(m protoreflect.Message) {
	m.Range(func(field protoreflect.FieldDescriptor, value protoreflect.Value) bool {
		switch {
		case field.IsList() && field.Message() != nil:
			for i := range value.List().Len() {
				rewriteJSON(value.List().Get(i).Message())
			}
		case field.IsList():
		case field.Message() != nil:
			rewriteJSON(value.Message())
		case field.Name() == "details" || field.Name() == "job" || field.Name() == "result":
			if field.Kind() == protoreflect.StringKind {
				m.Set(field, protoreflect.ValueOfString(plainJSON(value.String())))
			}
		}
		return true
	})
}

// plainJSON returns what JSON says in one form, or the text itself if it is none.
func plainJSON(text string) string {
	var said any
	if json.Unmarshal([]byte(text), &said) != nil {
		return text
	}
	plain, err := json.Marshal(said)
	if err != nil {
		return text
	}
	return string(plain)
}

// wrongAnswer holds what is said of an original against what was stored.
func (d *mediaData) wrongAnswer(turn Turn, answer *Answer) string {
	o, variant := d.asked(turn.Call.Message)
	if o == nil || len(answer.Rows) != 1 {
		return ""
	}
	file := o.identifier
	if variant {
		file = o.variants
	}
	switch row := answer.Rows[0].(type) {
	case *mediav1.Resolved:
		switch {
		case !bytes.Equal(row.GetHash(), o.hash):
			return "another hash: " + Describe(row)
		case row.GetIdentifier() != file:
			return "another file: " + Describe(row)
		case plainJSON(row.GetDetails()) != plainJSON(d.details(o.n)):
			return "other details: " + Describe(row)
		case row.Alias != nil && row.GetAlias() != o.alias:
			return "another alias: " + Describe(row)
		}
	case *mediav1.IdentifierResponse:
		if row.GetIdentifier() != file {
			return "another file: " + Describe(row)
		}
	case *mediav1.HashResponse:
		if _, isAlias := turn.Call.Message.(*mediav1.AliasRequest); isAlias && !bytes.Equal(row.GetHash(), o.hash) {
			return "another hash: " + Describe(row)
		}
	case *mediav1.DeleteTokenResponse:
		if row.GetDeleteToken() != o.token {
			return "another token" // which is not told
		}
	}
	return ""
}

// asked is what a call asks about, and whether about its variant.
func (d *mediaData) asked(call proto.Message) (o *original, variant bool) {
	switch m := call.(type) {
	case *mediav1.AliasRequest:
		return d.ofAlias(m.GetAlias()), false
	case *mediav1.HashRequest:
		return d.ofHash(m.GetHash()), false
	case *mediav1.VariantRequest:
		return d.ofHash(m.GetHash()), true
	case *mediav1.WaitVariantRequest:
		return d.ofHash(m.GetHash()), true
	case *mediav1.VariantResolveParameters:
		return d.ofAlias(m.GetAlias()), true
	case *mediav1.ResolveVariantRequest:
		return d.ofAlias(m.GetAlias()), true
	}
	return nil, false
}

func sortedStrings(all []string) []string {
	return slices.Sorted(slices.Values(all))
}

// sortedMessages are in the order of their contents.
func sortedMessages[M proto.Message](all []M) []M {
	return slices.SortedFunc(slices.Values(all), func(a, b M) int { return strings.Compare(wire(a), wire(b)) })
}

func wire(m proto.Message) string {
	raw, _ := proto.MarshalOptions{Deterministic: true}.Marshal(m)
	return string(raw)
}
