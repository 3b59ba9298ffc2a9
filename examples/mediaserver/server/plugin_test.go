package server

import (
	"bytes"
	"context"
	"image"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/mortise-storage/mortise"
	"github.com/mortise-storage/mortise/examples/mediaserver/host"
	"github.com/mortise-storage/mortise/examples/mediaserver/host/hosttest"
	"github.com/mortise-storage/mortise/internal/testdb"
)

// plugged makes a stand on the built plugin, in a process of its own.
func plugged(t *testing.T) *hosttest.Stand {
	t.Helper()
	dir := t.TempDir()
	program := filepath.Join(dir, "mortise")
	// The plugin is built in its own module: the examples' does not list what its commands need.
	build := exec.CommandContext(t.Context(), "go", "build", "-o", program, "./cmd/mortise")
	build.Dir = "../../.."
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("building the plugin: %v\n%s", err, out)
	}
	config := filepath.Join(dir, "queries.yaml")
	if err := os.WriteFile(config, []byte(mortise.ExampleQueries), 0o600); err != nil {
		t.Fatal(err)
	}
	dsn := testdb.Database(t, mortise.Schema)
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	plugin, err := mortise.Connect(ctx, mortise.ConnectOptions{Program: program, Config: config, Env: []string{"MORTISE_DATABASE=" + dsn}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(plugin.Close)
	return hosttest.On(t, plugin.Conn(), dsn, plugin.Close)
}

// TestThroughPlugin does everything once over the wire: what a client may do, what waits, what streams,
// what fails, and what happens when the plugin is gone.
func TestThroughPlugin(t *testing.T) {
	s := plugged(t)
	site := serve(t, s, host.Options{AllowedFetch: loopback, ClaimWait: time.Minute}, Options{})
	s.Work(site.host)
	content := hosttest.PNG(t, 1, 80, 60)
	first := site.upload(content)[0]
	second := claimed(t, site, site.post("/image/backgrounded", content))
	if first.File == second.File || len(s.Files()) != 1 {
		t.Errorf("%+v and %+v, files %v", first, second, s.Files())
	}
	got := site.get("/image/process.webp?src=" + first.File + "&resize=20")
	if config, format, err := image.DecodeConfig(bytes.NewReader(got.body)); err != nil || format != "webp" || config.Width != 20 {
		t.Errorf("status %d, %s %+v, %v", got.status, format, config, err)
	}
	web := publish(t, hosttest.PNG(t, 2, 40, 30))
	for range 2 {
		if got := site.get(proxied("/image/original?", web.URL+"/picture.png")); got.status != http.StatusOK || web.hits.Load() != 1 {
			t.Errorf("status %d, %d fetches", got.status, web.hits.Load())
		}
	}
	site.get("/image/delete/wrong/"+first.File).expect(t, http.StatusForbidden, "invalid-delete-token", nil)
	if page := pageOf(t, site, "limit=1"); len(page.Hashes) != 1 || page.Next == "" {
		t.Errorf("%+v", page)
	}
	var failed backgroundedBody
	site.post("/image/backgrounded", []byte("no image")).expect(t, http.StatusAccepted, "", &failed)
	claim := "/image/backgrounded/claim?upload_id=" + failed.Uploads[0].UploadID.String()
	site.get(claim).expect(t, http.StatusUnprocessableEntity, "unsupported-file", nil)
	site.get(claim).expect(t, http.StatusBadRequest, "already-claimed", nil)
	site.get("/healthz").empty(t, http.StatusOK)

	s.Drain()
	aging(t, s, site.host.PushOutdatedVariants, 8*24*time.Hour)
	aging(t, s, site.host.PushOutdatedProxies, 0)
	site.internal(http.MethodPost, "/internal/purge?alias="+second.File, nil).expect(t, http.StatusOK, "", nil)
	s.Drain()
	s.Empty()
}
