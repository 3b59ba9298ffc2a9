package swarmdemo

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"time"
)

// transmission is the daemon of that program.
type transmission struct {
	launcher *launcher
	path     string
}

// transmissionControl is the way to the daemon's RPC interface.
type transmissionControl struct {
	url     string
	session string // against forged requests; the daemon tells it in its first answer
	added   bool
}

const sessionHeader = "X-Transmission-Session-Id"

func (transmission) title() string { return "Transmission" }

func (t transmission) start(_ context.Context, m *member) error {
	port, err := freePort("127.0.0.1")
	if err != nil {
		return err
	}
	m.control = &transmissionControl{url: fmt.Sprintf("http://127.0.0.1:%d/transmission/rpc", port)}
	config := filepath.Join(filepath.Dir(m.dir), filepath.Base(m.dir)+".config")
	if err := os.MkdirAll(config, 0o755); err != nil {
		return err
	}
	m.process, err = t.launcher.start(exec.Command(t.path,
		"--foreground", "--config-dir", config, "--download-dir", m.dir, "--no-incomplete-dir", "--no-watch-dir", "--no-blocklist",
		"--no-dht", "--no-lpd", "--no-utp", "--no-portmap", "--no-global-seedratio",
		"--bind-address-ipv4", m.address.String(), "--bind-address-ipv6", "::1", "--peerport", strconv.Itoa(int(m.port)),
		"--rpc-bind-address", "127.0.0.1", "--port", strconv.Itoa(port), "--no-auth", "--allowed", "127.0.0.1"), nil, m.logPath)
	return err
}

// progress adds the torrent when the daemon is up, and asks how far it is. The daemon tells the
// speed of a peer, not what came from it altogether.
func (transmission) progress(ctx context.Context, m *member) (progress, error) {
	control := m.control.(*transmissionControl)
	if err := control.add(ctx, m.torrent); err != nil {
		return progress{}, err
	}
	var answer struct {
		Torrents []struct {
			Left  int64   `json:"leftUntilDone"`
			Done  float64 `json:"percentDone"`
			Peers []struct {
				Address string `json:"address"`
				Rate    int64  `json:"rateToClient"`
			} `json:"peers"`
		} `json:"torrents"`
	}
	err := control.call(ctx, &answer, "torrent-get", map[string]any{"fields": []string{"leftUntilDone", "percentDone", "peers"}})
	if err != nil {
		return progress{}, err
	}
	if len(answer.Torrents) != 1 {
		return progress{}, errors.New("the daemon has no torrent yet")
	}
	torrent := answer.Torrents[0]
	now := progress{Complete: torrent.Left == 0 && torrent.Done == 1, Sources: map[string]int64{}}
	for _, peer := range torrent.Peers {
		address, err := netip.ParseAddr(peer.Address)
		if err == nil && peer.Rate > 0 {
			now.Sources[address.Unmap().String()] = 0
		}
	}
	return now, nil
}

func (transmission) leave(m *member) error { return m.process.signal(syscall.SIGTERM) }

func (transmission) stop(m *member) { m.process.stop(syscall.SIGTERM, 10*time.Second) }

// add gives the daemon its torrent, once.
func (c *transmissionControl) add(ctx context.Context, path string) error {
	if c.added {
		return nil
	}
	torrent, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	err = c.call(ctx, &struct{}{}, "torrent-add", map[string]any{"metainfo": base64.StdEncoding.EncodeToString(torrent)})
	c.added = err == nil
	return err
}

func (c *transmissionControl) call(ctx context.Context, arguments any, method string, params map[string]any) error {
	body, err := json.Marshal(map[string]any{"method": method, "arguments": params})
	if err != nil {
		return err
	}
	answer := struct {
		Result    string `json:"result"`
		Arguments any    `json:"arguments"`
	}{Arguments: arguments}
	header := http.Header{sessionHeader: {c.session}}
	err = postJSON(ctx, c.url, header, body, &answer)
	if refused := (*statusError)(nil); errors.As(err, &refused) && refused.code == http.StatusConflict {
		c.session = refused.header.Get(sessionHeader)
		header.Set(sessionHeader, c.session)
		err = postJSON(ctx, c.url, header, body, &answer)
	}
	if err == nil && answer.Result != "success" {
		err = fmt.Errorf("%s: %s", method, answer.Result)
	}
	return err
}
