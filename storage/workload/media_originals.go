package workload

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	mediav1 "github.com/mortise-storage/mortise/api/mortise/media/v1"
)

// An original is a file with all that may belong to it. Everything follows from its number, and the
// number can be read out of its hash and its alias.
type original struct {
	n int64
	// at is the number of the alias: the same, but for the second alias of an original.
	at                           int64
	hash                         []byte
	alias, token                 string
	identifier, motion, variants string // identifiers of files
	url                          string
	created, accessed            time.Time
	worker, id                   []byte
	queue                        string
	order                        string
}

const (
	// variantName is the variant that every stored original has.
	variantName = "resize/200/webp"
	// attempts is how often a job may be tried.
	attempts = 5
	// hashDigest is how long the digest is that a hash begins with; a size and a format follow.
	hashDigest = 32
	// aliasDigest is how many of the hexadecimal digits of an alias say nothing of its number, so that
	// neighbours lie far apart; aliasDigits is how many say it.
	aliasDigest, aliasDigits = 8, 16
	aliasSuffix              = ".webp"
)

// stored makes an original of a unit; second is the doubled one with its other alias.
func (d *mediaData) stored(unit, which int64) *original {
	n := unit*unitAliases + which
	if which == second {
		o := d.original(unit*unitAliases + doubled)
		o.at, o.alias, o.token = n, d.aliasOf(n), d.tokenOf(n)
		return o
	}
	return d.original(n)
}

// original makes that with a number. Aliases, tokens and names of queues are at most 30 bytes, which is
// what columns of some schemas hold.
func (d *mediaData) original(n int64) *original {
	o := &original{n: n, at: n, hash: d.hashOf(n), alias: d.aliasOf(n), token: d.tokenOf(n),
		identifier: d.fileOf("original", n), motion: d.fileOf("motion", n), variants: d.fileOf("variant", n),
		url: "https://images.example/" + strconv.FormatInt(n, 36) + "/" + hex.EncodeToString(digest(d.plan.Seed, "url", n, 20)) + ".jpg",
		// A millisecond apart, so that no two have the same time.
		created: d.plan.Now.Add(-time.Duration(n) * time.Millisecond), accessed: d.plan.Now,
		worker: digest(d.plan.Seed, "worker", n, 16), id: d.jobID(n), queue: "mb " + strconv.FormatInt(n, 36)}
	if n%unitAliases == forgotten {
		o.accessed = o.created.Add(-2 * retention)
	}
	o.order = string(o.hash)
	return o
}

// hashOf is a hash as pict-rs makes them: digest, size, format. Here the size is the number.
func (d *mediaData) hashOf(n int64) []byte {
	var number [8]byte
	binary.BigEndian.PutUint64(number[:], uint64(n))
	return append(append(digest(d.plan.Seed, "hash", n, hashDigest), number[2:]...), 1)
}

func (d *mediaData) aliasOf(n int64) string {
	return hex.EncodeToString(digest(d.plan.Seed, "alias", n, aliasDigest/2)) + fmt.Sprintf("%0*x", aliasDigits, n) + aliasSuffix
}

func (d *mediaData) tokenOf(n int64) string {
	return hex.EncodeToString(digest(d.plan.Seed, "token", n, 12))
}

// fileOf is an identifier as file stores give them.
func (d *mediaData) fileOf(kind string, n int64) string {
	name := hex.EncodeToString(digest(d.plan.Seed, kind, n, 16))
	return name[:2] + "/" + name[2:4] + "/" + name[4:6] + "/" + name[6:] + aliasSuffix
}

// jobID is in the order of time, as those that the service makes.
func (d *mediaData) jobID(n int64) []byte {
	id := digest(d.plan.Seed, "job", n, 16)
	binary.BigEndian.PutUint64(id, uint64(n)<<12|0x7000|uint64(id[7]))
	id[6], id[8] = id[6]&0x0f|0x70, id[8]&0x3f|0x80
	return id
}

// ofHash returns the original that has a hash, if it is one of ours.
func (d *mediaData) ofHash(hash []byte) *original {
	if len(hash) != hashDigest+7 {
		return nil
	}
	n := int64(binary.BigEndian.Uint64(append(make([]byte, 2), hash[hashDigest:hashDigest+6]...)))
	if o := d.original(n); string(o.hash) == string(hash) {
		return o
	}
	return nil
}

// ofAlias returns the original that has an alias.
func (d *mediaData) ofAlias(alias string) *original {
	name, ok := strings.CutSuffix(alias, aliasSuffix)
	if !ok || len(name) != aliasDigest+aliasDigits {
		return nil
	}
	n, err := strconv.ParseInt(name[aliasDigest:], 16, 64)
	if err != nil || d.aliasOf(n) != alias {
		return nil
	}
	if n < d.units*unitAliases {
		return d.stored(n/unitAliases, n%unitAliases)
	}
	return d.original(n)
}

// details of a file, a hundred bytes as real ones.
func (d *mediaData) details(n int64) string {
	x := random(d.plan.Seed, "details", n)
	return fmt.Sprintf(`{"width":%d,"height":%d,"frames":null,"content_type":"image/webp","created_at":"2026-01-02T03:04:05Z","format":"Image"}`,
		1+below(x, 4096), 1+below(scramble(x), 4096))
}

// claimKey is what a claim is known by in some schemas.
func (o *original) claimKey() string {
	return base64.StdEncoding.EncodeToString(o.hash) + variantName
}

// request makes a request about the original, all of whose requests keep their order.
func (o *original) request(method string, message proto.Message) Request {
	return Request{Method: method, Message: message, Order: o.order}
}

func (d *mediaData) createHash(o *original) Request {
	return o.request(mediav1.Operations_HashCreate_FullMethodName,
		&mediav1.HashCreateParameters{Hash: o.hash, Identifier: o.identifier, CreatedAt: timestamppb.New(o.created)})
}

func (d *mediaData) dropHash(o *original) Request {
	return o.request(mediav1.Operations_HashCleanup_FullMethodName, &mediav1.HashRequest{Hash: o.hash})
}

func (d *mediaData) relateDetails(o *original) Request {
	return o.request(mediav1.Details_Relate_FullMethodName, &mediav1.RelateDetailsRequest{Identifier: o.identifier, Details: d.details(o.n)})
}

func (d *mediaData) dropDetails(o *original) Request {
	return o.request(mediav1.Details_Cleanup_FullMethodName, &mediav1.IdentifierRequest{Identifier: o.identifier})
}

func (d *mediaData) createAlias(o *original) Request {
	return o.request(mediav1.Operations_AliasCreate_FullMethodName, &mediav1.AliasCreateParameters{Alias: o.alias, DeleteToken: o.token, Hash: o.hash})
}

func (d *mediaData) dropAlias(o *original) Request {
	return o.request(mediav1.Aliases_Cleanup_FullMethodName, &mediav1.AliasRequest{Alias: o.alias})
}

func (d *mediaData) relateVariant(o *original) Request {
	return o.request(mediav1.Operations_VariantRelate_FullMethodName,
		&mediav1.VariantRelateParameters{Hash: o.hash, Variant: variantName, Identifier: o.variants, Now: timestamppb.New(o.accessed)})
}

func (d *mediaData) dropVariant(o *original) Request {
	return o.request(mediav1.Operations_VariantRemove_FullMethodName, &mediav1.VariantRequest{Hash: o.hash, Variant: variantName})
}

func (d *mediaData) relateVariantDetails(o *original) Request {
	return o.request(mediav1.Details_Relate_FullMethodName, &mediav1.RelateDetailsRequest{Identifier: o.variants, Details: d.details(o.n)})
}

func (d *mediaData) dropVariantDetails(o *original) Request {
	return o.request(mediav1.Details_Cleanup_FullMethodName, &mediav1.IdentifierRequest{Identifier: o.variants})
}

func (d *mediaData) relateURL(o *original) Request {
	return o.request(mediav1.Operations_ProxyRelate_FullMethodName,
		&mediav1.ProxyRelateParameters{Url: o.url, Alias: o.alias, Now: timestamppb.New(o.accessed)})
}

func (d *mediaData) dropURL(o *original) Request {
	return o.request(mediav1.Proxies_Remove_FullMethodName, &mediav1.AliasRequest{Alias: o.alias})
}

func (d *mediaData) relateMotion(o *original) Request {
	return o.request(mediav1.Hashes_RelateMotionIdentifier_FullMethodName, &mediav1.HashAndIdentifier{Hash: o.hash, Identifier: o.motion})
}

func (d *mediaData) relateBlurhash(o *original) Request {
	return o.request(mediav1.Hashes_RelateBlurhash_FullMethodName, &mediav1.RelateBlurhashRequest{Hash: o.hash, Blurhash: blurhash})
}

const blurhash = "LEHV6nWB2yk8pyo0adR*.7kCMdnj"

func (d *mediaData) push(o *original, queue string, retry int64) Request {
	return o.request(mediav1.Operations_QueuePush_FullMethodName, &mediav1.QueuePushParameters{Queue: queue, Job: o.job(),
		JobId: o.id, Retry: retry, Now: timestamppb.New(o.created)})
}

// job is a job's content as pict-rs writes them.
func (o *original) job() string { return `{"Identifier":{"identifier":"` + o.identifier + `"}}` }
