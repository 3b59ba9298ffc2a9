package swarmdemo

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"strconv"
	"sync"
	"syscall"
	"time"

	alog "github.com/anacrolix/log"
	"github.com/anacrolix/torrent"
	"github.com/anacrolix/torrent/metainfo"
	"github.com/anacrolix/torrent/storage"
	"golang.org/x/time/rate"
)

// ClientCommand is the hidden subcommand by which the demo runs itself again as a client.
const ClientCommand = "swarm-client"

// anacrolix is the library github.com/anacrolix/torrent, in a process of its own: this program.
type anacrolix struct {
	launcher *launcher
	self     string // path of this program
}

// report is the last line that the process wrote about itself.
type report struct {
	mu   sync.Mutex
	last progress
}

func (anacrolix) title() string { return "anacrolix/torrent" }

func (a anacrolix) start(_ context.Context, m *member) error {
	reader, writer := io.Pipe()
	latest := &report{}
	m.control = latest
	go func() {
		lines := bufio.NewScanner(reader)
		for lines.Scan() {
			var now progress
			if json.Unmarshal(lines.Bytes(), &now) == nil {
				latest.mu.Lock()
				latest.last = now
				latest.mu.Unlock()
			}
		}
		_, _ = io.Copy(io.Discard, reader)
	}()
	cmd := exec.Command(a.self, ClientCommand, m.torrent, m.dir,
		netip.AddrPortFrom(m.address, m.port).String(), strconv.FormatBool(m.seed))
	var err error
	m.process, err = a.launcher.start(cmd, writer, m.logPath)
	if err != nil {
		_ = writer.Close()
		return err
	}
	go func() {
		<-m.process.ended
		_ = writer.Close()
	}()
	return nil
}

func (anacrolix) progress(_ context.Context, m *member) (progress, error) {
	latest := m.control.(*report)
	latest.mu.Lock()
	defer latest.mu.Unlock()
	return latest.last, nil
}

func (anacrolix) leave(m *member) error { return m.process.signal(syscall.SIGTERM) }

// stop closes the process's standard input, which is its sign that it may go.
func (anacrolix) stop(m *member) { m.process.stop(syscall.SIGTERM, 5*time.Second) }

// uploadRate is how fast a client sends, bytes per second: slow enough that the others have time to
// find each other and swap pieces.
const uploadRate = 3 << 20

// Client runs a client until it is signalled and its standard input ends: args are the
// torrent file, the folder of the data, the address to listen on and whether it only seeds. It is
// what ClientCommand does.
func Client(ctx context.Context, args []string, out io.Writer, in io.Reader) error {
	if len(args) != 4 {
		return fmt.Errorf("%s is run by the demo itself", ClientCommand)
	}
	address, err := netip.ParseAddrPort(args[2])
	if err != nil {
		return err
	}
	info, err := metainfo.LoadFromFile(args[0])
	if err != nil {
		return err
	}
	from := newReceived()
	client, err := newClient(args[1], address, from)
	if err != nil {
		return err
	}
	defer client.Close()
	shared, err := client.AddTorrent(info)
	if err != nil {
		return err
	}
	if args[3] != "true" {
		shared.DownloadAll()
	}
	for ctx.Err() == nil {
		if err := tell(out, shared, from); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
		case <-time.After(100 * time.Millisecond):
		}
	}
	// The library says goodbye to the tracker in the background, once the torrent is dropped. The
	// demo closes the input when it has seen that.
	shared.Drop()
	_, _ = io.Copy(io.Discard, in)
	return nil
}

// tell writes one line about the download.
func tell(out io.Writer, t *torrent.Torrent, from *received) error {
	complete := t.Complete().Bool()
	return json.NewEncoder(out).Encode(progress{Complete: complete, Sources: from.copy()})
}

// received counts the data of the file by the address it came from.
type received struct {
	mu    sync.Mutex
	bytes map[string]int64
}

func newReceived() *received { return &received{bytes: map[string]int64{}} }

// add is called by the library for each message with data that was still missing.
func (r *received) add(e torrent.ReceivedUsefulDataEvent) {
	address, err := netip.ParseAddrPort(e.Peer.RemoteAddr.String())
	if err != nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.bytes[address.Addr().String()] += int64(len(e.Message.Piece))
}

func (r *received) copy() map[string]int64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return maps.Clone(r.bytes)
}

// newClient returns a client that finds peers through trackers alone and uses one address for all
// it does, so that the others know it by that.
func newClient(dir string, address netip.AddrPort, counted *received) (*torrent.Client, error) {
	local := address.Addr().String()
	from := &net.Dialer{LocalAddr: &net.TCPAddr{IP: address.Addr().AsSlice()}}
	config := torrent.NewDefaultClientConfig()
	config.NoDHT, config.DisablePEX, config.DisableWebtorrent, config.DisableWebseeds = true, true, true, true
	config.NoDefaultPortForwarding, config.DisableIPv6, config.DisableUTP = true, true, true
	config.ListenHost = func(string) string { return local }
	config.ListenPort = int(address.Port())
	config.DialForPeerConns = false // by the dialer below instead
	config.TrackerDialContext = from.DialContext
	config.TrackerListenPacket = func(network, _ string) (net.PacketConn, error) {
		return net.ListenPacket("udp4", net.JoinHostPort(local, "0"))
	}
	config.Seed = true
	config.UploadRateLimiter = rate.NewLimiter(uploadRate, 64<<10)
	config.Callbacks.ReceivedUsefulData = append(config.Callbacks.ReceivedUsefulData, counted.add)
	config.DefaultStorage = storage.NewFileOpts(storage.NewFileClientOpts{
		ClientBaseDir: dir, PieceCompletion: storage.NewMapPieceCompletion(),
	})
	config.Logger = alog.Default.WithFilterLevel(alog.Warning)
	client, err := torrent.NewClient(config)
	if err != nil {
		return nil, err
	}
	client.AddDialer(torrent.NetworkDialer{Network: "tcp4", Dialer: from})
	return client, nil
}

// selfPath returns the path of the running program.
func selfPath() (string, error) { return os.Executable() }
