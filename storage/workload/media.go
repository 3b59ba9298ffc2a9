package workload

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	mediav1 "github.com/mortise-storage/mortise/api/mortise/media/v1"
	"github.com/mortise-storage/mortise/storage/media"
)

// Media is the workload of the media section: originals with their aliases, variants, details and
// proxied URLs, and a queue of jobs.
type Media struct{}

// Section returns the section's name.
func (Media) Section() string { return media.Section }

// Things says what a size counts.
func (Media) Things() string { return "aliases" }

// Keys says what keys of own rows are.
func (Media) Keys() string { return "aliases" }

// Quiet puts background work off.
func (Media) Quiet() map[string]string {
	return map[string]string{"prometheus_reporting_interval": "0", "uploads.expire_interval": "100000h"}
}

// New plans the data.
func (Media) New(plan Plan) Data {
	plan.Keys = slices.DeleteFunc(slices.Clone(plan.Keys), func(key []byte) bool { return !utf8.Valid(key) || bytes.IndexByte(key, 0) >= 0 })
	d := &mediaData{plan: plan}
	d.units = (plan.Size + unitAliases - 1) / unitAliases
	for _, s := range d.unitSteps() {
		if plan.Has(s.method) && (s.drop != "" && plan.Has(s.drop) || !plan.Tidy) {
			d.steps = append(d.steps, s)
		}
	}
	return d
}

// Originals come in units of four, with five aliases. What is special about each lets calls that write
// leave those alone that others read.
const (
	unitHashes, unitAliases = 4, 5
	// The first original of a unit has two aliases, a still image and a blurhash, the second is the one
	// that is touched, the third was not used for long, and so was its URL; the URL of the last is
	// touched.
	doubled, touched, forgotten, proxied = 0, 1, 2, 3
	// second is the number of the alias beside the first one of the doubled original.
	second = 4
)

// retention is how long servers keep variants that nobody uses.
const retention = 7 * 24 * time.Hour

// mediaData is the plan of one media server's data.
type mediaData struct {
	plan  Plan
	units int64
	// steps are the requests that store a unit.
	steps []mediaStep
}

// A mediaStep is one of the requests that store a unit.
type mediaStep struct {
	method string
	make   func(unit int64) Request
	// drop is the method that removes it again; empty if none does.
	drop string
	undo func(unit int64) Request
}

// Section returns the name of the section.
func (*mediaData) Section() string { return media.Section }

// Rows counts all that is stored.
func (d *mediaData) Rows() int64 { return d.units * int64(len(d.steps)) }

// Together is the number of a unit's requests: an alias needs its hash.
func (d *mediaData) Together() int64 { return max(int64(len(d.steps)), 1) }

// String says what is stored.
func (d *mediaData) String() string {
	if d.plan.Size == 0 {
		return fmt.Sprintf("the operator's own rows, looked up by %d aliases", len(d.plan.Keys))
	}
	count := map[string]int64{}
	for _, s := range d.steps {
		count[s.method] += d.units
	}
	var parts []string
	for _, of := range [][2]string{
		{mediav1.Operations_HashCreate_FullMethodName, "originals"}, {mediav1.Operations_AliasCreate_FullMethodName, "aliases"},
		{mediav1.Operations_VariantRelate_FullMethodName, "variants"}, {mediav1.Details_Relate_FullMethodName, "details"},
		{mediav1.Operations_ProxyRelate_FullMethodName, "proxied URLs"}, {mediav1.Operations_QueuePush_FullMethodName, "jobs"},
	} {
		if n := count[of[0]]; n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, of[1]))
		}
	}
	return strings.Join(parts, ", ")
}

// Fill returns the i-th request. Units are in another order than that of their numbers.
func (d *mediaData) Fill(i int64) Request {
	each := d.Together()
	return d.steps[i%each].make(spread(i/each, d.units))
}

// Aged is 0: what was not used for long is stored so.
func (*mediaData) Aged() int64 { return 0 }

// Age is never asked for.
func (*mediaData) Age(int64) Request { return Request{} }

// Empty returns what removes the i-th thing. In a unit the last comes first, because originals cannot go
// before their aliases.
func (d *mediaData) Empty(i int64) []Request {
	each := d.Together()
	step := d.steps[each-1-i%each]
	if step.undo == nil {
		return nil
	}
	return []Request{step.undo(spread(i/each, d.units))}
}

// unitSteps are the steps of a set that has all queries. Those that come later need those before.
func (d *mediaData) unitSteps() []mediaStep {
	var steps []mediaStep
	step := func(method string, make func(o *original) Request, which int64, drop string, undo func(o *original) Request) {
		s := mediaStep{method: method, drop: drop, make: func(unit int64) Request { return make(d.stored(unit, which)) }}
		if undo != nil {
			s.undo = func(unit int64) Request { return undo(d.stored(unit, which)) }
		}
		steps = append(steps, s)
	}
	for k := range int64(unitHashes) {
		step(mediav1.Operations_HashCreate_FullMethodName, d.createHash, k, mediav1.Operations_HashCleanup_FullMethodName, d.dropHash)
		step(mediav1.Details_Relate_FullMethodName, d.relateDetails, k, mediav1.Details_Cleanup_FullMethodName, d.dropDetails)
		step(mediav1.Operations_AliasCreate_FullMethodName, d.createAlias, k, mediav1.Aliases_Cleanup_FullMethodName, d.dropAlias)
		step(mediav1.Operations_VariantRelate_FullMethodName, d.relateVariant, k, mediav1.Operations_VariantRemove_FullMethodName, d.dropVariant)
		step(mediav1.Details_Relate_FullMethodName, d.relateVariantDetails, k, mediav1.Details_Cleanup_FullMethodName, d.dropVariantDetails)
	}
	step(mediav1.Operations_AliasCreate_FullMethodName, d.createAlias, second, mediav1.Aliases_Cleanup_FullMethodName, d.dropAlias)
	for _, k := range []int64{forgotten, proxied} {
		step(mediav1.Operations_ProxyRelate_FullMethodName, d.relateURL, k, mediav1.Proxies_Remove_FullMethodName, d.dropURL)
	}
	step(mediav1.Hashes_RelateMotionIdentifier_FullMethodName, d.relateMotion, doubled, mediav1.Operations_HashCleanup_FullMethodName, nil)
	step(mediav1.Hashes_RelateBlurhash_FullMethodName, d.relateBlurhash, doubled, mediav1.Operations_HashCleanup_FullMethodName, nil)
	// A job in a queue that no case takes from: what a claim has to pass by.
	step(mediav1.Operations_QueuePush_FullMethodName, func(o *original) Request { return d.push(o, "others", attempts) }, doubled, "", nil)
	return steps
}
