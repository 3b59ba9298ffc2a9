package swarmdemo

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/anacrolix/torrent/metainfo"
)

func TestPayload(t *testing.T) {
	dir := t.TempDir()
	p, err := makePayload(dir, 3*pieceLength+1)
	if err != nil {
		t.Fatal(err)
	}
	if sum, err := hashFile(filepath.Join(dir, fileName)); err != nil || sum != p.sha256 {
		t.Errorf("the file has %s, %v; the payload says %s", sum, err, p.sha256)
	}
	for _, url := range []string{"http://127.0.0.1:1/announce", "udp://127.0.0.1:1/announce"} {
		torrent, err := p.torrent(url)
		if err != nil {
			t.Fatal(err)
		}
		read, err := metainfo.Load(bytes.NewReader(torrent))
		if err != nil {
			t.Fatal(err)
		}
		info, err := read.UnmarshalInfo()
		if err != nil {
			t.Fatal(err)
		}
		if read.Announce != url || read.HashInfoBytes() != p.hash {
			t.Errorf("%s: torrent of %s with hash %v", url, read.Announce, read.HashInfoBytes())
		}
		if info.Private == nil || !*info.Private || info.NumPieces() != 4 || info.TotalLength() != p.size {
			t.Errorf("%s: %+v", url, info)
		}
	}
}

func TestVerify(t *testing.T) {
	dir := t.TempDir()
	p, err := makePayload(dir, 100)
	if err != nil {
		t.Fatal(err)
	}
	m := &member{name: "one", dir: dir}
	if err := m.verify(p); err != nil || !m.verified {
		t.Errorf("the file itself: %v", err)
	}
	other := &member{name: "other", dir: t.TempDir()}
	if err := os.WriteFile(other.file(), make([]byte, 100), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := other.verify(p); err == nil || other.verified {
		t.Error("another file was taken for the same")
	}
}
