package mortise_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	mortise "github.com/mortise-storage/mortise"
	mediav1 "github.com/mortise-storage/mortise/api/mortise/media/v1"
	"github.com/mortise-storage/mortise/storage/fault"
)

// smallBatches are changes of the example with which a short stream has many messages.
var smallBatches = []string{"        batch_size: 1000\n", "        batch_size: 1\n"}

const streamed = 7

// album connects to a plugin with a few hashes, which are streamed one in each message.
func album(t *testing.T) (*mortise.Host, mediav1.HashesClient) {
	h := mustConnect(t, mortise.ConnectOptions{Config: exampleConfig(t, newDatabase(t), smallBatches...)})
	hashes := mediav1.NewHashesClient(h.Conn())
	for i := range streamed {
		_, err := hashes.Create(limited(t), &mediav1.CreateHashRequest{Hash: []byte{byte(i)}, Identifier: fmt.Sprint("file ", i)})
		if err != nil {
			t.Fatal(err)
		}
	}
	return h, hashes
}

// receive reads a stream to its end, and counts what it brings.
func receive(stream mediav1.Hashes_ListClient, seen map[string]int) (cursor *mediav1.OrderedHash, err error) {
	for {
		batch, err := stream.Recv()
		if err != nil {
			return cursor, err
		}
		for _, one := range batch.GetHashes() {
			seen[string(one.GetHash())]++
		}
		cursor = batch.GetCursor()
	}
}

func expectEachOnce(t *testing.T, seen map[string]int) {
	t.Helper()
	for i := range streamed {
		if n := seen[string([]byte{byte(i)})]; n != 1 {
			t.Errorf("hash %d came %d times", i, n)
		}
	}
}

func TestStreamOverThePlugin(t *testing.T) {
	_, hashes := album(t)
	stream, err := hashes.List(limited(t), &mediav1.ListHashesRequest{})
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]int{}
	if _, err := receive(stream, seen); !errors.Is(err, io.EOF) {
		t.Fatal(err)
	}
	expectEachOnce(t, seen)
}

// A stream whose plugin dies ends with an error that says so, and goes on behind what was received.
func TestStreamGoesOnAfterAKill(t *testing.T) {
	h, hashes := album(t)
	stream, err := hashes.List(limited(t), &mediav1.ListHashesRequest{})
	if err != nil {
		t.Fatal(err)
	}
	first, err := stream.Recv()
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]int{string(first.GetHashes()[0].GetHash()): 1}
	pid := h.PID()
	mustKill(t, pid)
	eventually(t, "another process", func() bool { return h.PID() != pid && h.PID() != 0 })
	// What was on its way may still arrive, up to the whole of a stream as short as this one.
	cursor, err := receive(stream, seen)
	if cursor == nil && !errors.Is(err, io.EOF) {
		cursor = first.GetCursor()
	}
	if !errors.Is(err, io.EOF) {
		expectFault(t, err, codes.Unavailable, fault.Unavailable)
		rest, err := hashes.List(limited(t), &mediav1.ListHashesRequest{From: cursor})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := receive(rest, seen); !errors.Is(err, io.EOF) {
			t.Fatal(err)
		}
	}
	expectEachOnce(t, seen)
}

// A caller that gives a stream up is told nothing else, and the host can be closed at once.
func TestStreamGivenUp(t *testing.T) {
	h, hashes := album(t)
	ctx, cancel := context.WithCancel(limited(t))
	stream, err := hashes.List(ctx, &mediav1.ListHashesRequest{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := stream.Recv(); err != nil {
		t.Fatal(err)
	}
	cancel()
	if _, err := receive(stream, map[string]int{}); !errors.Is(err, io.EOF) && status.Code(err) != codes.Canceled {
		t.Error(err)
	}
	h.Close()
	if _, err := hashes.List(limited(t), &mediav1.ListHashesRequest{}); fault.ReasonOf(err) != fault.Closed {
		t.Errorf("a stream of a host that is closed: %v", err)
	}
}
