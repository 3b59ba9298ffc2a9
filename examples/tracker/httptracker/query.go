package httptracker

import (
	"math"
	"net/url"
	"strconv"
	"strings"

	"github.com/mortise-storage/mortise/examples/tracker/announce"
)

// MaxScrape is how many info hashes one scrape may ask for.
const MaxScrape = 50

// parameters are what a query string holds, in order. A map will not do: a scrape repeats info_hash
// (BEP 48), and that an announce gives it twice must be seen.
type parameters []parameter

type parameter struct{ name, value string }

// parseQuery splits a query string. Values are percent-decoded bytes, not text: an info hash is
// rarely valid UTF-8. As in HTML forms a plus sign is a space.
func parseQuery(raw string) (parameters, error) {
	var found parameters
	for pair := range strings.SplitSeq(raw, "&") {
		if pair == "" {
			continue
		}
		name, value, _ := strings.Cut(pair, "=")
		name, err := url.QueryUnescape(name)
		if err == nil {
			value, err = url.QueryUnescape(value)
		}
		if err != nil {
			return nil, announce.Refusal("the query string is not percent-encoded correctly")
		}
		found = append(found, parameter{name, value})
	}
	return found, nil
}

// first returns the first value of a name; ok is false if it is not given.
func (p parameters) first(name string) (value string, ok bool) {
	for _, parameter := range p {
		if parameter.name == name {
			return parameter.value, true
		}
	}
	return "", false
}

// all returns every value of a name, in order.
func (p parameters) all(name string) []string {
	var values []string
	for _, parameter := range p {
		if parameter.name == name {
			values = append(values, parameter.value)
		}
	}
	return values
}

// form is how a client wants its peers: compact (BEP 23), which is the default, or as a list of
// dictionaries (BEP 3), with or without peer ids.
type form struct {
	dictionaries bool
	withoutIDs   bool
}

// parseAnnounce reads the parameters of BEP 3 and their extensions. The client's addresses are not
// among them: see addresses.
func parseAnnounce(p parameters) (announce.Request, uint16, form, error) {
	var r announce.Request
	var err error
	if r.InfoHash, err = oneHash(p); err != nil {
		return r, 0, form{}, err
	}
	peerID, _ := p.first("peer_id")
	if len(peerID) != len(r.PeerID) {
		return r, 0, form{}, announce.Refusal("peer_id must be 20 bytes")
	}
	copy(r.PeerID[:], peerID)
	text, _ := p.first("port")
	port, err := strconv.ParseUint(text, 10, 16)
	if err != nil || port == 0 {
		return r, 0, form{}, announce.Refusal("port must be 1 to 65535")
	}
	event, _ := p.first("event")
	if r.Event, err = announce.ParseEvent(event); err != nil {
		return r, 0, form{}, err
	}
	if err := amounts(p, &r); err != nil {
		return r, 0, form{}, err
	}
	if r.Want, err = want(p); err != nil {
		return r, 0, form{}, err
	}
	compact, _ := p.first("compact")
	withoutIDs, _ := p.first("no_peer_id")
	return r, uint16(port), form{dictionaries: compact == "0", withoutIDs: withoutIDs == "1"}, nil
}

// oneHash returns the info hash of an announce, which names one torrent.
func oneHash(p parameters) ([]byte, error) {
	hashes := p.all("info_hash")
	if len(hashes) != 1 {
		return nil, announce.Refusal("info_hash must be given once")
	}
	return rawHash(hashes[0])
}

// rawHash checks the length of an info hash: 20 bytes, or 32 for v2 torrents (BEP 52).
func rawHash(value string) ([]byte, error) {
	if len(value) != announce.HashLength && len(value) != announce.HashLengthV2 {
		return nil, announce.Refusal("info_hash must be 20 or 32 bytes")
	}
	return []byte(value), nil
}

// amounts reads the three byte counts. Only left decides anything, so only left is demanded. What
// does not fit is the largest number: a client that has only a magnet link does not know how much
// is left and sends the biggest number it has.
func amounts(p parameters, r *announce.Request) error {
	for _, amount := range []struct {
		name   string
		into   *int64
		needed bool
	}{
		{"left", &r.Left, true},
		{"uploaded", &r.Uploaded, false},
		{"downloaded", &r.Downloaded, false},
	} {
		text, ok := p.first(amount.name)
		if !ok && !amount.needed {
			continue
		}
		// On overflow ParseUint returns the largest value along with its error.
		number, err := strconv.ParseUint(text, 10, 64)
		if err != nil && number != math.MaxUint64 {
			return announce.Refusal(amount.name + " must be a number of bytes")
		}
		*amount.into = int64(min(number, math.MaxInt64))
	}
	return nil
}

// want reads how many peers the client asks for.
func want(p parameters) (int, error) {
	text, _ := p.first("numwant")
	if text == "" {
		return announce.DefaultWant, nil
	}
	number, err := strconv.ParseInt(text, 10, 32)
	if err != nil {
		return 0, announce.Refusal("numwant must be a number")
	}
	return announce.Want(number), nil
}

// parseScrape returns the info hashes of a scrape (BEP 48), each once. A scrape of everything,
// which is what no info hash means, is refused: it would read the whole database.
func parseScrape(p parameters) ([][]byte, error) {
	given := p.all("info_hash")
	switch {
	case len(given) == 0:
		return nil, announce.Refusal("a scrape must name at least one info_hash")
	case len(given) > MaxScrape:
		return nil, announce.Refusal("a scrape may name at most " + strconv.Itoa(MaxScrape) + " info hashes")
	}
	seen := make(map[string]bool, len(given))
	var hashes [][]byte
	for _, value := range given {
		hash, err := rawHash(value)
		if err != nil {
			return nil, err
		}
		if !seen[value] {
			seen[value] = true
			hashes = append(hashes, hash)
		}
	}
	return hashes, nil
}
