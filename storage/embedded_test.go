package storage_test

import (
	"context"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	mortise "github.com/mortise-storage/mortise"
	trackerv1 "github.com/mortise-storage/mortise/api/mortise/tracker/v1"
	"github.com/mortise-storage/mortise/internal/testdb"
	"github.com/mortise-storage/mortise/storage"
)

// TestEmbeddedServerIsStartedAgain kills the embedded server under a storage. What was acknowledged
// is there again as soon as calls are answered again.
func TestEmbeddedServerIsStartedAgain(t *testing.T) {
	folder, err := testdb.Folder()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(folder) })
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	t.Setenv("MORTISE_DATABASE", storage.Embedded)
	config, problems := loadText(t, strings.Replace(reloadFile, "SELECT 'old'::bytea AS value WHERE @context::text <> '' AND @key::bytea IS NOT NULL",
		"SELECT value FROM tracker_kv WHERE context = @context AND name = @key", 1))
	if err := problems.Err(); err != nil {
		t.Fatal(err)
	}
	config.Storage.EmbeddedDir = filepath.Join(folder, "data")
	s, err := storage.Open(ctx, config.Storage, storage.Options{Schema: mortise.Schema})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if found, err := s.Settled(ctx); err != nil || found.Err() != nil {
		t.Fatal(found, err)
	}
	data := trackerv1.NewDataClient(s.Conn())
	entry := &trackerv1.PutRequest{Context: "c", Entries: []*trackerv1.Entry{{Key: []byte("k"), Value: []byte("kept")}}}
	if _, err := data.Put(ctx, entry); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(folder, "data", "cluster", "postmaster.pid"))
	if err != nil {
		t.Fatal(err)
	}
	first, _, _ := strings.Cut(string(text), "\n")
	pid, err := strconv.Atoi(first)
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		answer, err := data.Load(ctx, &trackerv1.LoadRequest{Context: "c", Key: []byte("k")})
		if err == nil {
			if string(answer.GetValue()) != "kept" {
				t.Errorf("value is %q", answer.GetValue())
			}
			current, err := os.ReadFile(filepath.Join(folder, "data", "cluster", "postmaster.pid"))
			if err == nil && !strings.HasPrefix(string(current), first+"\n") {
				return
			}
		}
		select {
		case <-ctx.Done():
			t.Fatalf("the server is not back: %v", err)
		case <-tick.C:
		}
	}
}
