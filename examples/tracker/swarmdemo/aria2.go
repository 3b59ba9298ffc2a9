package swarmdemo

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"strconv"
	"syscall"
	"time"
)

// aria2 is the download program of that name. It speaks to UDP trackers only where its DHT is on,
// which here it is not, so it announces by HTTP.
type aria2 struct {
	launcher *launcher
	path     string
}

// aria2Control is the way to aria2's JSON-RPC interface.
type aria2Control struct{ url, secret string }

func (aria2) title() string { return "aria2" }

func (a aria2) start(ctx context.Context, m *member) error {
	port, err := freePort("127.0.0.1")
	if err != nil {
		return err
	}
	control := aria2Control{fmt.Sprintf("http://127.0.0.1:%d/jsonrpc", port), rand.Text()}
	m.control = control
	m.process, err = a.launcher.start(exec.Command(a.path,
		"--no-conf", "--dir="+m.dir, "--interface="+m.address.String(), "--listen-port="+strconv.Itoa(int(m.port)),
		"--enable-dht=false", "--enable-dht6=false", "--bt-enable-lpd=false", "--enable-peer-exchange=false", "--disable-ipv6=true",
		"--seed-ratio=0.0", "--file-allocation=none", "--follow-torrent=false",
		"--enable-rpc", "--rpc-listen-all=false", "--rpc-listen-port="+strconv.Itoa(port), "--rpc-secret="+control.secret,
		"--stop-with-process="+strconv.Itoa(os.Getpid()), "--enable-color=false", "--summary-interval=0", "--console-log-level=notice",
		"--torrent-file="+m.torrent), nil, m.logPath)
	return err
}

// progress asks for the state of the one download and for its peers. aria2 tells the speed of a
// peer, not what came from it altogether.
func (aria2) progress(ctx context.Context, m *member) (progress, error) {
	control := m.control.(aria2Control)
	var downloads []struct {
		GID       string `json:"gid"`
		Total     string `json:"totalLength"`
		Completed string `json:"completedLength"`
	}
	if err := control.call(ctx, &downloads, "aria2.tellActive"); err != nil {
		return progress{}, err
	}
	if len(downloads) != 1 {
		return progress{}, fmt.Errorf("aria2 has %d active downloads", len(downloads))
	}
	var peers []struct {
		IP    string `json:"ip"`
		Speed string `json:"downloadSpeed"`
	}
	if err := control.call(ctx, &peers, "aria2.getPeers", downloads[0].GID); err != nil {
		return progress{}, err
	}
	now := progress{Complete: downloads[0].Completed == downloads[0].Total && downloads[0].Total != "0", Sources: map[string]int64{}}
	for _, peer := range peers {
		address, err := netip.ParseAddr(peer.IP)
		if err == nil && peer.Speed != "0" {
			now.Sources[address.String()] = 0
		}
	}
	return now, nil
}

func (aria2) leave(m *member) error { return m.process.signal(syscall.SIGINT) }

func (aria2) stop(m *member) { m.process.stop(syscall.SIGINT, 5*time.Second) }

// call makes one call of JSON-RPC 2.0.
func (c aria2Control) call(ctx context.Context, result any, method string, params ...any) error {
	body, err := json.Marshal(map[string]any{
		"jsonrpc": "2.0", "id": "1", "method": method, "params": append([]any{"token:" + c.secret}, params...),
	})
	if err != nil {
		return err
	}
	answer := struct {
		Result any              `json:"result"`
		Error  *json.RawMessage `json:"error"`
	}{Result: result}
	if err := postJSON(ctx, c.url, nil, body, &answer); err != nil {
		return err
	}
	if answer.Error != nil {
		return fmt.Errorf("%s: %s", method, *answer.Error)
	}
	return nil
}

// postJSON sends a body and decodes the answer.
func postJSON(ctx context.Context, url string, header http.Header, body []byte, answer any) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return err
	}
	for name, values := range header {
		request.Header[name] = values
	}
	request.Header.Set("Content-Type", "application/json")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return &statusError{response.StatusCode, response.Header}
	}
	return json.NewDecoder(response.Body).Decode(answer)
}

// statusError is an HTTP answer that is not 200.
type statusError struct {
	code   int
	header http.Header
}

func (e *statusError) Error() string { return http.StatusText(e.code) }

// freePort returns a port that nobody listens on at the moment.
func freePort(host string) (int, error) {
	listener, err := net.Listen("tcp", net.JoinHostPort(host, "0"))
	if err != nil {
		return 0, err
	}
	defer listener.Close()
	return listener.Addr().(*net.TCPAddr).Port, nil
}
