package swarmdemo

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/anacrolix/torrent/bencode"
	"github.com/anacrolix/torrent/metainfo"
)

// fileName is what the shared file is called, everywhere.
const fileName = "mortise-demo.bin"

// pieceLength is small, so that even a short file has many pieces to swap.
const pieceLength = 128 << 10

// payload is the file that is shared, and the part of its torrent that all clients have in common.
type payload struct {
	dir    string // the folder the file lies in
	size   int64
	sha256 string
	info   []byte // the bencoded info dictionary
	hash   metainfo.Hash
}

// makePayload writes a file of random bytes into dir and describes it.
func makePayload(dir string, size int64) (*payload, error) {
	path := filepath.Join(dir, fileName)
	file, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, err
	}
	sum := sha256.New()
	_, err = io.CopyN(io.MultiWriter(file, sum), rand.Reader, size)
	if closeErr := file.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		return nil, fmt.Errorf("writing the file to be shared: %w", err)
	}
	// A private torrent (BEP 27) has no peers but those that the tracker names: its clients must
	// use neither the distributed hash table nor peer exchange nor local discovery.
	private := true
	info := metainfo.Info{PieceLength: pieceLength, Private: &private}
	if err := info.BuildFromFilePath(path); err != nil {
		return nil, fmt.Errorf("hashing the file to be shared: %w", err)
	}
	encoded, err := bencode.Marshal(info)
	if err != nil {
		return nil, err
	}
	return &payload{
		dir: dir, size: size, sha256: hex.EncodeToString(sum.Sum(nil)),
		info: encoded, hash: metainfo.HashBytes(encoded),
	}, nil
}

// torrent returns a torrent file that names one announce URL. The info dictionary, and so the swarm,
// is the same whatever the URL.
func (p *payload) torrent(announceURL string) ([]byte, error) {
	return bencode.Marshal(metainfo.MetaInfo{Announce: announceURL, InfoBytes: p.info})
}

// hashFile returns the SHA-256 of a file in hexadecimal.
func hashFile(path string) (string, error) {
	file, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer file.Close()
	sum := sha256.New()
	if _, err := io.Copy(sum, file); err != nil {
		return "", err
	}
	return hex.EncodeToString(sum.Sum(nil)), nil
}
