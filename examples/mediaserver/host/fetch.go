package host

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"syscall"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	mediav1 "github.com/mortise-storage/mortise/api/mortise/media/v1"
)

const (
	maxURL       = 2048
	maxRedirects = 5
	dialTimeout  = 10 * time.Second
)

// errForbidden is the cause of a connection that was not made.
var errForbidden = errors.New("fetching from this address is not allowed")

// newFetcher returns a client that reaches allowed addresses only. The address is checked when the
// connection is made, after names were resolved and for each redirection, so that no name and no
// answer of a server leads anywhere else. No proxy of the environment is used: it would make the
// connection instead.
func newFetcher(allowed []netip.Prefix) *http.Client {
	dialer := &net.Dialer{Timeout: dialTimeout, Control: func(_, address string, _ syscall.RawConn) error {
		to, err := netip.ParseAddrPort(address)
		if err != nil || !mayFetch(to.Addr(), allowed) {
			return errForbidden
		}
		return nil
	}}
	return &http.Client{
		Transport: &http.Transport{
			DialContext: dialer.DialContext, TLSHandshakeTimeout: dialTimeout,
			MaxIdleConns: 16, IdleConnTimeout: 30 * time.Second, MaxResponseHeaderBytes: 64 << 10,
		},
		CheckRedirect: func(_ *http.Request, via []*http.Request) error {
			if len(via) > maxRedirects {
				return fmt.Errorf("more than %d redirections", maxRedirects)
			}
			return nil
		},
	}
}

// special are networks of public look that lead elsewhere, after the registries of special-purpose
// addresses (RFC 6890): shared and benchmark addresses, documentation, and the ways to write an
// IPv4 address as an IPv6 one.
var special = parsePrefixes(
	"0.0.0.0/8", "100.64.0.0/10", "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "198.18.0.0/15",
	"198.51.100.0/24", "203.0.113.0/24", "240.0.0.0/4",
	"::/96", "64:ff9b::/96", "64:ff9b:1::/48", "100::/64", "2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20", "5f00::/16",
)

func parsePrefixes(texts ...string) []netip.Prefix {
	prefixes := make([]netip.Prefix, len(texts))
	for i, text := range texts {
		prefixes[i] = netip.MustParsePrefix(text)
	}
	return prefixes
}

// mayFetch says whether an address may be connected to.
func mayFetch(address netip.Addr, allowed []netip.Prefix) bool {
	address = address.Unmap().WithZone("")
	contains := func(p netip.Prefix) bool { return p.Contains(address) }
	if allowed != nil {
		return slices.ContainsFunc(allowed, contains)
	}
	return address.IsGlobalUnicast() && !address.IsPrivate() && !slices.ContainsFunc(special, contains)
}

// normalURL returns the form of a URL under which its file is remembered: without fragment, scheme and
// host in lower case, no default port.
func normalURL(text string) (string, error) {
	u, err := url.Parse(strings.TrimSpace(text))
	if err != nil || len(text) > maxURL || !utf8.ValidString(text) || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" || u.User != nil {
		return "", failure(InvalidURL, "only http and https URLs of at most %d bytes, without user and password, are fetched", maxURL)
	}
	u.Fragment, u.RawFragment = "", ""
	u.Host = strings.ToLower(u.Host)
	if u.Scheme == "http" {
		u.Host = strings.TrimSuffix(u.Host, ":80")
	} else {
		u.Host = strings.TrimSuffix(u.Host, ":443")
	}
	if u.Path == "" {
		u.Path = "/"
	}
	return u.String(), nil
}

// fetch opens the file behind a URL. The reader ends when the host's fetch timeout is over.
func (h *Host) fetch(ctx context.Context, address string) (io.ReadCloser, error) {
	ctx, cancel := context.WithTimeout(ctx, h.options.FetchTimeout)
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		cancel()
		return nil, &Error{Code: InvalidURL, Message: "the URL is not valid", Cause: err}
	}
	request.Header.Set("Accept", "image/*")
	request.Header.Set("User-Agent", "mortise-mediaserver")
	response, err := h.fetcher.Do(request)
	if err != nil {
		cancel()
		if errors.Is(err, errForbidden) {
			return nil, &Error{Code: InvalidURL, Message: "this server does not fetch from that address", Cause: err}
		}
		return nil, downloadFailed(err)
	}
	if response.StatusCode != http.StatusOK {
		response.Body.Close()
		cancel()
		return nil, failure(DownloadFailed, "the other server answered with status %d", response.StatusCode)
	}
	return &fetched{body: response.Body, cancel: cancel}, nil
}

// downloadFailed leaves the URL out, which may hold what is not for a log.
func downloadFailed(err error) *Error {
	var about *url.Error
	if errors.As(err, &about) {
		err = about.Err
	}
	return &Error{Code: DownloadFailed, Message: "the file could not be fetched", Cause: err}
}

// fetched is the content of a URL. Its errors are those of a download.
type fetched struct {
	body   io.ReadCloser
	cancel context.CancelFunc
}

func (f *fetched) Read(p []byte) (int, error) {
	n, err := f.body.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		err = downloadFailed(err)
	}
	return n, err
}

func (f *fetched) Close() error {
	defer f.cancel()
	return f.body.Close()
}

// Download fetches a URL and takes its file in. Errors: InvalidURL, DownloadFailed, and those of Ingest.
func (h *Host) Download(ctx context.Context, address string, o IngestOptions) (up Uploaded, err error) {
	err = h.download(ctx, address, func(content io.Reader) (err error) {
		up, err = h.Ingest(ctx, content, o)
		return err
	})
	return up, err
}

// DownloadBackground fetches a URL and has a worker take its file in, as Background.
func (h *Host) DownloadBackground(ctx context.Context, address string, o IngestOptions) (id uuid.UUID, err error) {
	err = h.download(ctx, address, func(content io.Reader) (err error) {
		id, err = h.Background(ctx, content, o)
		return err
	})
	return id, err
}

func (h *Host) download(ctx context.Context, address string, take func(io.Reader) error) error {
	if err := h.writable(); err != nil {
		return err
	}
	address, err := normalURL(address)
	if err != nil {
		return err
	}
	content, err := h.fetch(ctx, address)
	if err != nil {
		return err
	}
	defer content.Close()
	return take(content)
}

// Find returns the original of a source. An unknown URL is fetched, taken in and remembered; the access
// is recorded.
//
// Errors: AliasNotFound, LostFile; for a URL those of Download too.
func (h *Host) Find(ctx context.Context, s Source) (File, error) {
	if s.URL == "" {
		return h.Original(ctx, s.Alias)
	}
	return h.ByURL(ctx, s.URL)
}

// ByURL is Find for a URL.
func (h *Host) ByURL(ctx context.Context, address string) (File, error) {
	address, err := normalURL(address)
	if err != nil {
		return File{}, err
	}
	file, err := h.related(ctx, address, true)
	if !errors.Is(err, &Error{Code: ProxyNotFound}) {
		return file, err
	}
	up, err := h.Download(ctx, address, IngestOptions{})
	if err != nil {
		return File{}, err
	}
	if err := h.relate(ctx, address, up); err != nil {
		return File{}, err
	}
	return h.related(ctx, address, false) // relating counts as an access
}

// relate remembers what was fetched from a URL. Who comes second gives up the name that it made: the
// file, if it is the same, stays with the other one.
func (h *Host) relate(ctx context.Context, address string, up Uploaded) error {
	_, err := h.proxies.Relate(ctx, &mediav1.RelateURLRequest{Url: address, Alias: up.Alias})
	if err == nil {
		return nil
	}
	if status.Code(err) == codes.AlreadyExists {
		return h.Delete(ctx, up.Alias, up.DeleteToken)
	}
	return errors.Join(repoFailure(err), h.Discard(ctx, up))
}
