package host_test

import (
	"bytes"
	"errors"
	"testing"

	"github.com/mortise-storage/mortise/examples/mediaserver/host"
	"github.com/mortise-storage/mortise/examples/mediaserver/host/hosttest"
)

func TestIngestAndDelete(t *testing.T) {
	s := hosttest.Open(t)
	h := s.Host(host.Options{})
	file := hosttest.PNG(t, 1, 40, 30)
	up, err := h.Ingest(t.Context(), bytes.NewReader(file), host.IngestOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if up.Details.Width != 40 || up.Details.Height != 30 || up.Details.ContentType != "image/png" || up.DeleteToken == "" {
		t.Errorf("%+v", up)
	}
	original, err := h.Original(t.Context(), up.Alias)
	if err != nil || len(original.Hash) != 39 {
		t.Fatalf("%+v, %v", original, err)
	}
	if err := h.Delete(t.Context(), up.Alias, "another"); host.CodeOf(err) != host.InvalidToken {
		t.Errorf("a wrong token: %v", err)
	}
	if err := h.Delete(t.Context(), up.Alias, up.DeleteToken); err != nil {
		t.Error(err)
	}
	if _, err := h.Original(t.Context(), up.Alias); !errors.Is(err, &host.Error{Code: host.AliasNotFound}) {
		t.Errorf("a deleted alias: %v", err)
	}
	s.Work(h)
	s.Drain()
	s.Empty()
}
