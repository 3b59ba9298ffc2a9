package workload

import (
	"encoding/base64"
	"slices"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	mediav1 "github.com/mortise-storage/mortise/api/mortise/media/v1"
)

const (
	// page is the usual number of originals on a page.
	page = 20
	// outdated is how many variants or aliases are asked for at once that nobody used for long.
	outdated = 100
)

// Cases are those for which the operator gave the queries.
func (d *mediaData) Cases() []*Case {
	if d.plan.Size == 0 {
		return d.served(d.ownReads())
	}
	p := &passer{mediaData: d}
	var all []*Case
	all = append(all, d.reads()...)
	all = append(all, d.pages()...)
	all = append(all, d.touches()...)
	p.operations()
	p.queueOperations()
	all = append(all, p.cases...)
	all = append(all, d.upkeep()...)
	p.cases = nil
	p.methods()
	p.queueMethods()
	all = append(all, d.readMethods()...)
	return d.served(append(all, p.cases...))
}

// served leaves out what has no query: operations of none, and methods of a group that is off.
func (d *mediaData) served(all []*Case) []*Case {
	var rest []*Case
	for _, c := range all {
		if d.plan.Has(c.Method) || !c.Direct && d.hasGroup(c.Method) {
			rest = append(rest, c)
		}
	}
	return rest
}

// any chooses a stored original by what is special about it in its unit; each is chosen as often.
func (d *mediaData) any(purpose string, n, which int64) *original {
	return d.stored(below(random(d.plan.Seed, purpose, n), max(d.units, 1)), which)
}

// read makes a case of a call that changes nothing, about a stored original.
func (d *mediaData) read(method string, which int64, call func(o *original) proto.Message) *Case {
	return &Case{Method: method, Direct: true, Differ: d.differentContents, Wrong: d.wrongAnswer, Turn: func(n int64) Turn {
		return Turn{Call: Request{Method: method, Message: call(d.any(method, n, which))}}
	}}
}

func byHash(o *original) proto.Message  { return &mediav1.HashRequest{Hash: o.hash} }
func byAlias(o *original) proto.Message { return &mediav1.AliasRequest{Alias: o.alias} }
func byURL(o *original) proto.Message   { return &mediav1.URLRequest{Url: o.url} }
func byFile(o *original) proto.Message  { return &mediav1.IdentifierRequest{Identifier: o.identifier} }
func byVariant(o *original) proto.Message {
	return &mediav1.VariantRequest{Hash: o.hash, Variant: variantName}
}

func (d *mediaData) reads() []*Case {
	return []*Case{
		d.read(mediav1.Hashes_Identifier_FullMethodName, doubled, byHash),
		d.read(mediav1.Hashes_MotionIdentifier_FullMethodName, doubled, byHash),
		d.read(mediav1.Hashes_Blurhash_FullMethodName, doubled, byHash),
		d.read(mediav1.Operations_HashGet_FullMethodName, doubled, byHash),
		d.read(mediav1.Aliases_DeleteToken_FullMethodName, second, byAlias),
		d.read(mediav1.Aliases_Hash_FullMethodName, second, byAlias),
		d.read(mediav1.Aliases_ForHash_FullMethodName, doubled, byHash),
		d.read(mediav1.Operations_AliasResolve_FullMethodName, second, byAlias),
		d.read(mediav1.Operations_AliasSiblings_FullMethodName, second, byAlias),
		d.read(mediav1.Variants_Identifier_FullMethodName, doubled, byVariant),
		d.read(mediav1.Variants_ForHash_FullMethodName, doubled, byHash),
		d.read(mediav1.Operations_VariantResolve_FullMethodName, second, func(o *original) proto.Message {
			return &mediav1.VariantResolveParameters{Alias: o.alias, Variant: variantName}
		}),
		d.read(mediav1.Details_Get_FullMethodName, doubled, byFile),
		d.read(mediav1.Proxies_Related_FullMethodName, forgotten, byURL),
		d.read(mediav1.Operations_ProxyResolve_FullMethodName, forgotten, func(o *original) proto.Message {
			return &mediav1.ProxyResolveParameters{Url: o.url}
		}),
		d.read(mediav1.Access_AliasAt_FullMethodName, forgotten, byAlias),
		d.read(mediav1.Access_VariantAt_FullMethodName, forgotten, byVariant),
		d.read(mediav1.Operations_VariantAccessContains_FullMethodName, forgotten, byVariant),
		d.read(mediav1.StoreMigration_IsMigrated_FullMethodName, doubled, byFile),
		d.read(mediav1.Operations_VariantClaimed_FullMethodName, doubled, func(o *original) proto.Message {
			return &mediav1.ClaimedParameters{Key: o.claimKey(), StaleBefore: d.longAgo(), Hash: o.hash, Variant: variantName}
		}),
	}
}

// ownReads look up rows of the operator's own by their aliases, and read what needs no key. Keys that
// cannot be aliases are those of another section.
func (d *mediaData) ownReads() []*Case {
	if len(d.plan.Keys) == 0 {
		return nil
	}
	return append(d.ownLookups(), slices.DeleteFunc(append(d.pages(), d.upkeep()...), func(c *Case) bool {
		return !slices.Contains([]string{mediav1.Operations_HashFirstPage_FullMethodName, mediav1.Operations_AliasAccessOlder_FullMethodName,
			mediav1.Operations_VariantAccessOlder_FullMethodName, mediav1.Hashes_Count_FullMethodName, mediav1.Queue_Length_FullMethodName,
			mediav1.StoreMigration_IsContinuing_FullMethodName}, c.Method)
	})...)
}

func (d *mediaData) ownLookups() []*Case {
	own := func(method string, direct bool, call func(alias string) proto.Message) *Case {
		return &Case{Method: method, Direct: direct, MayBeAbsent: true, Differ: d.differentContents, Turn: func(n int64) Turn {
			alias := string(d.plan.Keys[below(random(d.plan.Seed, method, n), int64(len(d.plan.Keys)))])
			return Turn{Call: Request{Method: method, Message: call(alias)}}
		}}
	}
	request := func(alias string) proto.Message { return &mediav1.AliasRequest{Alias: alias} }
	return []*Case{
		own(mediav1.Aliases_Hash_FullMethodName, true, request), own(mediav1.Aliases_DeleteToken_FullMethodName, true, request),
		own(mediav1.Operations_AliasResolve_FullMethodName, true, request), own(mediav1.Operations_AliasSiblings_FullMethodName, true, request),
		own(mediav1.Aliases_Resolve_FullMethodName, false, request), own(mediav1.Aliases_Identifier_FullMethodName, false, request),
		own(mediav1.Variants_Resolve_FullMethodName, false, func(alias string) proto.Message {
			return &mediav1.ResolveVariantRequest{Alias: alias, Variant: variantName}
		}),
	}
}

func (d *mediaData) pages() []*Case {
	page := int64(page)
	ordered := func(o *original) proto.Message {
		return &mediav1.PageParameters{CreatedAt: timestamppb.New(o.created), Hash: o.hash, Limit: page}
	}
	byHashOnly := func(o *original) proto.Message { return &mediav1.PageByHashParameters{Hash: o.hash, Limit: page} }
	all := []*Case{
		d.read(mediav1.Hashes_Bound_FullMethodName, doubled, byHash),
		d.read(mediav1.Operations_HashBoundByDate_FullMethodName, doubled, func(o *original) proto.Message {
			return &mediav1.BoundByDateParameters{Before: timestamppb.New(o.created)}
		}),
		d.read(mediav1.Operations_HashFirstPage_FullMethodName, doubled, func(*original) proto.Message { return &mediav1.FirstPageParameters{Limit: page} }),
		d.read(mediav1.Operations_HashPage_FullMethodName, doubled, ordered),
		d.read(mediav1.Operations_HashPrev_FullMethodName, doubled, ordered),
		d.read(mediav1.Operations_HashPageByHash_FullMethodName, doubled, byHashOnly),
		d.read(mediav1.Operations_HashPrevByHash_FullMethodName, doubled, byHashOnly),
		{Method: mediav1.Operations_HashDescribe_FullMethodName, Direct: true, Differ: d.differentContents, Turn: func(n int64) Turn {
			return Turn{Call: Request{Method: mediav1.Operations_HashDescribe_FullMethodName, Message: &mediav1.DescribeParameters{Hashes: d.someHashes(n)}}}
		}},
		d.read(mediav1.Operations_AliasAccessOlder_FullMethodName, doubled, func(*original) proto.Message {
			return &mediav1.OlderAliasesParameters{Before: timestamppb.New(d.plan.Now.Add(-retention)), Limit: outdated}
		}),
		d.read(mediav1.Operations_VariantAccessOlder_FullMethodName, doubled, func(*original) proto.Message {
			return &mediav1.OlderVariantsParameters{Before: timestamppb.New(d.plan.Now.Add(-retention)), Limit: outdated}
		}),
	}
	for _, c := range all[len(all)-2:] {
		c.Alone = true // one job for all
	}
	return all
}

// someHashes are those of one page, each once.
func (d *mediaData) someHashes(n int64) [][]byte {
	var all [][]byte
	seen := map[int64]bool{}
	for i := range int64(page) {
		o := d.any("page", n*page+i, (n+i)%unitHashes)
		if !seen[o.n] {
			seen[o.n] = true
			all = append(all, o.hash)
		}
	}
	return all
}

// touches record when what is stored was used. Those that are touched are others than those whose time
// is read.
func (d *mediaData) touches() []*Case {
	at := timestamppb.New(d.plan.Now.Add(ahead))
	all := []*Case{
		d.read(mediav1.Access_Alias_FullMethodName, proxied, func(o *original) proto.Message {
			return &mediav1.AccessedAliasRequest{Alias: o.alias, Accessed: at}
		}),
		d.read(mediav1.Access_Variant_FullMethodName, touched, func(o *original) proto.Message {
			return &mediav1.AccessedVariantRequest{Hash: o.hash, Variant: variantName, Accessed: at}
		}),
		d.read(mediav1.Operations_VariantResolve_FullMethodName, touched, func(o *original) proto.Message {
			return &mediav1.VariantResolveParameters{Alias: o.alias, Variant: variantName, Accessed: at}
		}),
		d.read(mediav1.Operations_ProxyResolve_FullMethodName, proxied, func(o *original) proto.Message {
			return &mediav1.ProxyResolveParameters{Url: o.url, Accessed: at}
		}),
	}
	for i, c := range all {
		c.Writes = true
		if i < 2 {
			c.Differ, c.Wrong = nil, nil
		} else {
			c.Variant = "touch"
		}
	}
	return all
}

// readMethods are the composed methods that read, and those that touch.
func (d *mediaData) readMethods() []*Case {
	method := func(name, variant string, which int64, call func(o *original) proto.Message) *Case {
		c := d.read(name, which, call)
		c.Direct, c.Variant = false, variant
		return c
	}
	variant := func(touch bool) func(o *original) proto.Message {
		return func(o *original) proto.Message {
			return &mediav1.ResolveVariantRequest{Alias: o.alias, Variant: variantName, Touch: touch}
		}
	}
	url := func(touch bool) func(o *original) proto.Message {
		return func(o *original) proto.Message { return &mediav1.ResolveURLRequest{Url: o.url, Touch: touch} }
	}
	all := []*Case{
		method(mediav1.Variants_Resolve_FullMethodName, "touch", touched, variant(true)),
		method(mediav1.Proxies_Resolve_FullMethodName, "touch", proxied, url(true)),
		method(mediav1.Aliases_Resolve_FullMethodName, "", second, byAlias),
		method(mediav1.Aliases_Identifier_FullMethodName, "", second, byAlias),
		method(mediav1.Aliases_Siblings_FullMethodName, "", second, byAlias),
		method(mediav1.Variants_Resolve_FullMethodName, "", second, variant(false)),
		method(mediav1.Proxies_Resolve_FullMethodName, "", forgotten, url(false)),
		method(mediav1.Hashes_Info_FullMethodName, "", doubled, byHash),
		method(mediav1.Hashes_Contents_FullMethodName, "", doubled, func(o *original) proto.Message { return &mediav1.ContentsRequest{Hash: o.hash} }),
		method(mediav1.Variants_Wait_FullMethodName, "there", doubled, func(o *original) proto.Message {
			return &mediav1.WaitVariantRequest{Hash: o.hash, Variant: variantName}
		}),
		method(mediav1.Access_ContainsVariant_FullMethodName, "", forgotten, byVariant),
		method(mediav1.Hashes_Page_FullMethodName, "", doubled, func(o *original) proto.Message {
			slug := base64.URLEncoding.EncodeToString(o.hash)
			return &mediav1.PageRequest{Slug: &slug, Limit: page}
		}),
		method(mediav1.Hashes_Page_FullMethodName, "first", doubled, func(*original) proto.Message { return &mediav1.PageRequest{Limit: page} }),
		method(mediav1.Hashes_PageByDate_FullMethodName, "", doubled, func(o *original) proto.Message {
			return &mediav1.PageByDateRequest{Before: timestamppb.New(o.created), Limit: page}
		}),
		method(mediav1.Hashes_Ordered_FullMethodName, "", doubled, func(o *original) proto.Message {
			return &mediav1.OrderedRequest{Bound: &mediav1.OrderedHash{Hash: o.hash, CreatedAt: timestamppb.New(o.created)}, Limit: page}
		}),
		{Method: mediav1.Hashes_Describe_FullMethodName, Differ: d.differentContents, Turn: func(n int64) Turn {
			return Turn{Call: Request{Method: mediav1.Hashes_Describe_FullMethodName, Message: &mediav1.DescribeRequest{Hashes: d.someHashes(n)}}}
		}},
		{Method: mediav1.Repo_Capabilities_FullMethodName, Differ: never, Turn: func(int64) Turn {
			return Turn{Call: Request{Method: mediav1.Repo_Capabilities_FullMethodName, Message: &mediav1.CapabilitiesRequest{}}}
		}},
		{Method: mediav1.Repo_Check_FullMethodName, Writes: true, Stays: true, Turn: func(int64) Turn {
			return Turn{Call: Request{Method: mediav1.Repo_Check_FullMethodName, Message: &mediav1.CheckRequest{}}}
		}},
	}
	all[0].Writes, all[1].Writes = true, true
	return all
}
