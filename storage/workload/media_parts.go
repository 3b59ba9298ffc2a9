package workload

import (
	"strconv"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	mediav1 "github.com/mortise-storage/mortise/api/mortise/media/v1"
)

// A part is something that an original may have. Parts are stored in their order, and removed in the
// opposite one.
type part int

const (
	aHash part = iota
	itsDetails
	anAlias
	aVariant
	variantDetails
	aURL
	aClaim
	anUpload
	aResult
	aSetting
	aMark
	aJob
	// anotherJob is one behind it in the queue.
	anotherJob
	// tenJobs are those that a call pushes.
	tenJobs
	// lastJob is one that may be tried once.
	lastJob
	// taken says that the worker holds the job.
	taken
	parts
)

// several is how many jobs a call pushes at most.
const several = 10

// A partOf is how a part is stored and removed, and by which methods.
type partOf struct {
	put, drop func(o *original) []Request
	// needs are the methods of put, and drops those of drop.
	needs, drops []string
}

func (d *mediaData) partOf(p part) partOf {
	one := func(put, drop func(o *original) Request) partOf {
		of := partOf{put: func(o *original) []Request { return []Request{put(o)} }}
		if drop != nil {
			of.drop = func(o *original) []Request { return []Request{drop(o)} }
		}
		o := d.original(0)
		of.needs = []string{put(o).Method}
		if drop != nil {
			of.drops = []string{drop(o).Method}
		}
		return of
	}
	switch p {
	case aHash:
		return one(d.createHash, d.dropHash)
	case itsDetails:
		return one(d.relateDetails, d.dropDetails)
	case anAlias:
		return one(d.createAlias, d.dropAlias)
	case aVariant:
		return one(d.relateVariant, d.dropVariant)
	case variantDetails:
		return one(d.relateVariantDetails, d.dropVariantDetails)
	case aURL:
		return one(d.relateURL, d.dropURL)
	case aClaim:
		return one(d.claim, d.release)
	case anUpload:
		return one(d.createUpload, d.claimUpload)
	case aResult:
		return one(d.completeUpload, nil)
	case aSetting:
		return one(d.set, d.unset)
	case aMark:
		return one(d.mark, nil)
	case lastJob:
		return d.jobs(1, 1)
	case anotherJob:
		of := d.jobs(1, attempts)
		of.put = func(o *original) []Request {
			another := *o
			another.id = digest(d.plan.Seed, "another job", o.n, 16)
			return []Request{d.push(&another, o.queue, attempts)}
		}
		return of
	case tenJobs:
		return d.jobs(several, attempts)
	case taken:
		return one(d.take, nil)
	}
	return d.jobs(1, attempts)
}

// jobs are a job in a queue of its own, and up to n that are taken out again. They go by being taken and
// acknowledged as a whole, since their ids are known only to who pushed them.
func (d *mediaData) jobs(n, retry int64) partOf {
	of := partOf{needs: []string{mediav1.Operations_QueuePush_FullMethodName},
		drops: []string{mediav1.Operations_QueueClaim_FullMethodName, mediav1.Operations_QueueAckWorker_FullMethodName}}
	of.put = func(o *original) []Request { return []Request{d.push(o, o.queue, retry)} }
	of.drop = func(o *original) []Request {
		var all []Request
		for range n {
			all = append(all, d.take(o))
		}
		return append(all, o.request(mediav1.Operations_QueueAckWorker_FullMethodName, &mediav1.AckWorkerParameters{Queue: o.queue, Worker: o.worker}))
	}
	return of
}

func (d *mediaData) take(o *original) Request {
	return o.request(mediav1.Operations_QueueClaim_FullMethodName,
		&mediav1.QueueClaimParameters{Queue: o.queue, Worker: o.worker, Now: timestamppb.New(d.plan.Now)})
}

func (d *mediaData) claim(o *original) Request {
	return o.request(mediav1.Operations_VariantClaim_FullMethodName, &mediav1.VariantClaimParameters{Key: o.claimKey(),
		Now: timestamppb.New(d.plan.Now.Add(ahead)), StaleBefore: d.longAgo(), Hash: o.hash, Variant: variantName})
}

func (d *mediaData) release(o *original) Request {
	return o.request(mediav1.Operations_VariantRelease_FullMethodName, &mediav1.ClaimParameters{Key: o.claimKey(), Hash: o.hash, Variant: variantName})
}

func (d *mediaData) createUpload(o *original) Request {
	return o.request(mediav1.Operations_UploadCreate_FullMethodName, &mediav1.UploadCreateParameters{UploadId: o.id, Now: timestamppb.New(d.plan.Now)})
}

func (d *mediaData) completeUpload(o *original) Request {
	return o.request(mediav1.Operations_UploadComplete_FullMethodName,
		&mediav1.UploadCompleteParameters{UploadId: o.id, Result: o.result(), Now: timestamppb.New(d.plan.Now)})
}

func (d *mediaData) claimUpload(o *original) Request {
	return o.request(mediav1.Uploads_Claim_FullMethodName, &mediav1.UploadRequest{UploadId: o.id})
}

// result is an upload's, as pict-rs writes it.
func (o *original) result() string {
	return `{"Success":{"alias":"` + o.alias + `","token":"` + o.token + `"}}`
}

// settingOf is the key of a setting that only benchmarks have.
func settingOf(o *original) string { return "mortise bench " + strconv.FormatInt(o.n, 36) }

func (d *mediaData) set(o *original) Request {
	return o.request(mediav1.Settings_Set_FullMethodName, &mediav1.SetRequest{Key: settingOf(o), Value: digest(d.plan.Seed, "value", o.n, 24)})
}

func (d *mediaData) unset(o *original) Request {
	return o.request(mediav1.Settings_Remove_FullMethodName, &mediav1.SettingRequest{Key: settingOf(o)})
}

func (d *mediaData) mark(o *original) Request {
	return o.request(mediav1.StoreMigration_MarkMigrated_FullMethodName,
		&mediav1.MarkMigratedRequest{OldIdentifier: o.identifier, NewIdentifier: o.motion})
}

// longAgo is a time before which nothing is.
func (d *mediaData) longAgo() *timestamppb.Timestamp {
	return timestamppb.New(d.plan.Now.AddDate(-20, 0, 0))
}

// passing makes an original that is there only for a turn. Each case has numbers of its own.
func (d *mediaData) passing(purpose int, n int64) *original {
	o := d.original(d.units*unitAliases + int64(purpose) + mostPurposes*n)
	o.accessed = d.plan.Now
	return o
}

// mostPurposes is above the number of cases with passing originals.
const mostPurposes = 128

// A passer makes cases of calls about passing originals.
type passer struct {
	*mediaData
	purpose int
	cases   []*Case
}

// add makes a case: there are parts that a turn begins with, and left are those that the call may leave
// there besides. A case of which the operator's queries cannot store what is needed is left out; one
// that leaves something behind which no query removes says so.
func (p *passer) add(c Case, there, left []part, call func(o *original) proto.Message) *Case {
	p.purpose++
	c.Writes, c.Bounded = true, true
	purpose := p.purpose
	usable := !c.Direct || p.plan.Has(c.Method)
	for _, one := range there {
		for _, method := range p.partOf(one).needs {
			usable = usable && p.plan.Has(method)
		}
	}
	drops := p.drops(there, left, &c)
	c.Turn = func(n int64) Turn {
		o := p.passing(purpose, n)
		t := Turn{Call: o.request(c.Method, call(o))}
		for _, one := range there {
			t.Before = append(t.Before, p.partOf(one).put(o)...)
		}
		for _, drop := range drops {
			t.After = append(t.After, drop(o)...)
		}
		return t
	}
	if usable {
		p.cases = append(p.cases, &c)
	}
	return &c
}

// drops are what removes parts, the last one first.
func (p *passer) drops(there, left []part, c *Case) (drops []func(o *original) []Request) {
	wanted := map[part]bool{}
	for _, one := range append(append([]part{}, there...), left...) {
		wanted[one] = true
	}
	for one := parts - 1; one >= 0; one-- {
		if !wanted[one] {
			continue
		}
		of, can := p.partOf(one), true
		for _, method := range of.drops {
			can = can && p.plan.Has(method)
		}
		switch {
		case one == aMark || !can:
			c.Stays = true
		case of.drop != nil:
			drops = append(drops, of.drop)
		}
	}
	return drops
}
