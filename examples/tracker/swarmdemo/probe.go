package swarmdemo

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"

	"github.com/anacrolix/torrent/bencode"
	"github.com/anacrolix/torrent/tracker/udp"
)

// scrapeHTTP asks the tracker about the torrent as a client would (BEP 48).
func (d *demo) scrapeHTTP(ctx context.Context) (udp.ScrapeInfohashResult, error) {
	address := fmt.Sprintf("http://%s/scrape?info_hash=%s", d.tracker.HTTPAddrs()[0], url.QueryEscape(string(d.payload.hash[:])))
	body, err := get(ctx, address)
	if err != nil {
		return udp.ScrapeInfohashResult{}, err
	}
	var answer struct {
		Failure string                              `bencode:"failure reason"`
		Files   map[string]udp.ScrapeInfohashResult `bencode:"files"`
	}
	if err := bencode.NewDecoder(bytes.NewReader(body)).Decode(&answer); err != nil {
		return udp.ScrapeInfohashResult{}, err
	}
	if answer.Failure != "" {
		return udp.ScrapeInfohashResult{}, errors.New(answer.Failure)
	}
	return answer.Files[string(d.payload.hash[:])], nil
}

// scrapeUDP is the same by UDP (BEP 15).
func (d *demo) scrapeUDP(ctx context.Context) (udp.ScrapeInfohashResult, error) {
	client, err := udp.NewConnClient(udp.NewConnClientOpts{Network: "udp4", Host: d.tracker.UDPAddrs()[0].String()})
	if err != nil {
		return udp.ScrapeInfohashResult{}, err
	}
	defer client.Close()
	answer, err := client.Client.Scrape(ctx, []udp.InfoHash{d.payload.hash})
	if err != nil {
		return udp.ScrapeInfohashResult{}, err
	}
	if len(answer) != 1 {
		return udp.ScrapeInfohashResult{}, fmt.Errorf("%d swarms in the answer", len(answer))
	}
	return answer[0], nil
}

// saveMetrics keeps the page of metrics, which goes with the tracker, and returns where.
func (d *demo) saveMetrics(ctx context.Context) (string, error) {
	page, err := get(ctx, fmt.Sprintf("http://%s/metrics", d.tracker.HTTPAddrs()[0]))
	if err != nil {
		return "", fmt.Errorf("reading the page of metrics: %w", err)
	}
	path := filepath.Join(d.options.State, "metrics.txt")
	return path, os.WriteFile(path, page, 0o644)
}

// get returns the body that a URL answers with.
func get(ctx context.Context, address string) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return nil, &statusError{response.StatusCode, response.Header}
	}
	return io.ReadAll(response.Body)
}
