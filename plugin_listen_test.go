package mortise_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"errors"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	goplugin "github.com/hashicorp/go-plugin"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health/grpc_health_v1"
	reflectionv1 "google.golang.org/grpc/reflection/grpc_reflection_v1"
	"google.golang.org/grpc/status"

	mortise "github.com/mortise-storage/mortise"
	trackerv1 "github.com/mortise-storage/mortise/api/mortise/tracker/v1"
)

// A listener is a process of `mortise serve --listen`.
type listener struct {
	cmd    *exec.Cmd
	stderr lockedBuilder
}

func startListener(t *testing.T, args ...string) *listener {
	t.Helper()
	l := &listener{cmd: exec.Command(program(t), append([]string{"serve"}, args...)...)}
	l.cmd.Stderr = &l.stderr
	if err := l.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if l.cmd.ProcessState == nil {
			_ = l.cmd.Process.Kill()
			_ = l.cmd.Wait() // it was killed, which is what Wait reports
		}
	})
	return l
}

// line waits for a line of standard error with a prefix, and returns the rest of it.
func (l *listener) line(t *testing.T, prefix string) (rest string) {
	t.Helper()
	eventually(t, prefix, func() bool {
		for line := range strings.Lines(l.stderr.text()) {
			if after, ok := strings.CutPrefix(line, prefix); ok && strings.HasSuffix(after, "\n") {
				rest = strings.TrimSpace(after)
				return true
			}
		}
		return false
	})
	return rest
}

// end sends a signal and waits for the process's end.
func (l *listener) end(t *testing.T, sig os.Signal) {
	t.Helper()
	if err := l.cmd.Process.Signal(sig); err != nil {
		t.Fatal(err)
	}
	if err := l.cmd.Wait(); err != nil && sig != os.Kill {
		t.Errorf("%v: %v: %s", sig, err, l.stderr.text())
	}
}

func dial(t *testing.T, target string, security credentials.TransportCredentials) *grpc.ClientConn {
	t.Helper()
	conn, err := grpc.NewClient(target, grpc.WithTransportCredentials(security))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

func TestListenOnASocket(t *testing.T) {
	config := exampleConfig(t, newDatabase(t))
	socket := filepath.Join(newFolder(t), "new", "mortise.sock")
	args := []string{"--config", config, "--listen", "unix://" + socket, "--debug-reattach"}
	first := startListener(t, args...)
	if address := first.line(t, "listening on "); address != "unix://"+socket {
		t.Errorf("listening on %s", address)
	}
	info, err := os.Stat(socket)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode of the socket: %v, %v", info.Mode(), err)
	}
	conn := dial(t, "unix://"+socket, insecure.NewCredentials())
	mustPut(t, trackerv1.NewDataClient(conn), "over", "a socket")
	health, err := grpc_health_v1.NewHealthClient(conn).Check(limited(t), &grpc_health_v1.HealthCheckRequest{})
	if err != nil || health.GetStatus() != grpc_health_v1.HealthCheckResponse_SERVING {
		t.Errorf("health: %v, %v", health, err)
	}
	expectReflection(t, conn, "mortise.plugin.v1.Plugin", "mortise.tracker.v1.Data", "grpc.health.v1.Health")
	expectReattach(t, first.line(t, "go-plugin reattach: "))

	second := startListener(t, args...)
	if err := second.cmd.Wait(); err == nil {
		t.Error("a second server was let in")
	}
	expectParts(t, "the second server", second.stderr.text(), "another server listens on "+socket)
	mustPut(t, trackerv1.NewDataClient(conn), "after", "the second server")

	first.end(t, os.Kill)
	if _, err := os.Stat(socket); err != nil {
		t.Fatalf("no stale socket to replace: %v", err)
	}
	third := startListener(t, args...)
	third.line(t, "listening on ")
	mustPut(t, trackerv1.NewDataClient(dial(t, "unix://"+socket, insecure.NewCredentials())), "after", "the kill")
	third.end(t, os.Interrupt)
	expectGone(t, socket)
}

// expectReflection checks that tools like grpcurl find the services, and their descriptors.
func expectReflection(t *testing.T, conn *grpc.ClientConn, services ...string) {
	t.Helper()
	stream, err := reflectionv1.NewServerReflectionClient(conn).ServerReflectionInfo(limited(t))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = stream.CloseSend() }()
	ask := func(request *reflectionv1.ServerReflectionRequest) *reflectionv1.ServerReflectionResponse {
		t.Helper()
		if err := stream.Send(request); err != nil {
			t.Fatal(err)
		}
		response, err := stream.Recv()
		if err != nil {
			t.Fatal(err)
		}
		return response
	}
	listed := ask(&reflectionv1.ServerReflectionRequest{MessageRequest: &reflectionv1.ServerReflectionRequest_ListServices{}}).String()
	expectParts(t, "the list of services", listed, services...)
	for _, service := range services {
		answer := ask(&reflectionv1.ServerReflectionRequest{MessageRequest: &reflectionv1.ServerReflectionRequest_FileContainingSymbol{FileContainingSymbol: service}})
		if len(answer.GetFileDescriptorResponse().GetFileDescriptorProto()) == 0 {
			t.Errorf("no descriptor of %s: %v", service, answer.GetErrorResponse())
		}
	}
}

// expectReattach attaches to a process by the printed line, as a host under a debugger would.
func expectReattach(t *testing.T, line string) {
	t.Helper()
	var said struct {
		Protocol             string
		ProtocolVersion, Pid int
		Addr                 struct{ Network, String string }
		Test                 bool
	}
	if err := json.Unmarshal([]byte(line), &said); err != nil {
		t.Fatal(err)
	}
	client := goplugin.NewClient(&goplugin.ClientConfig{
		HandshakeConfig: mortise.Handshake, Plugins: mortise.VersionedPlugins()[mortise.ProtocolVersion],
		AllowedProtocols: []goplugin.Protocol{goplugin.ProtocolGRPC}, Logger: hclog.NewNullLogger(),
		Reattach: &goplugin.ReattachConfig{Protocol: goplugin.Protocol(said.Protocol), ProtocolVersion: said.ProtocolVersion, Pid: said.Pid,
			Addr: &net.UnixAddr{Net: said.Addr.Network, Name: said.Addr.String}, Test: said.Test},
	})
	protocol, err := client.Client()
	if err != nil {
		t.Fatal(err)
	}
	defer protocol.Close()
	raw, err := protocol.Dispense(mortise.PluginName)
	if err != nil {
		t.Fatal(err)
	}
	mustPut(t, trackerv1.NewDataClient(raw.(*grpc.ClientConn)), "over", "go-plugin")
}

func TestListenOnTCPWithMutualTLS(t *testing.T) {
	dir := t.TempDir()
	authority := newAuthority(t)
	serverCert, serverKey := authority.issue(t, dir, "server", net.IPv4(127, 0, 0, 1))
	clientCert, clientKey := authority.issue(t, dir, "client")
	strangerCert, strangerKey := newAuthority(t).issue(t, dir, "stranger")
	ca := filepath.Join(dir, "ca.pem")
	writePEM(t, ca, "CERTIFICATE", authority.der)
	l := startListener(t, "--config", exampleConfig(t, newDatabase(t)), "--listen", "tcp://127.0.0.1:0",
		"--tls-cert", serverCert, "--tls-key", serverKey, "--tls-client-ca", ca)
	address := strings.TrimPrefix(l.line(t, "listening on "), "tcp://")

	roots := x509.NewCertPool()
	roots.AddCert(authority.certificate)
	with := func(cert, key string) trackerv1.DataClient {
		config := &tls.Config{RootCAs: roots}
		if cert != "" {
			pair, err := tls.LoadX509KeyPair(cert, key)
			if err != nil {
				t.Fatal(err)
			}
			config.Certificates = []tls.Certificate{pair}
		}
		return trackerv1.NewDataClient(dial(t, address, credentials.NewTLS(config)))
	}
	mustPut(t, with(clientCert, clientKey), "over", "TLS")
	for name, data := range map[string]trackerv1.DataClient{
		"no certificate":      with("", ""),
		"another authority's": with(strangerCert, strangerKey),
		"no TLS":              trackerv1.NewDataClient(dial(t, address, insecure.NewCredentials())),
	} {
		if err := put(limited(t), data, "over", "TLS"); status.Code(err) != codes.Unavailable {
			t.Errorf("%s: %v", name, err)
		}
	}
	l.end(t, syscall.SIGTERM)
}

func TestListenRefusesWhatIsNotSafe(t *testing.T) {
	config := exampleConfig(t, newDatabase(t))
	file := writeConfig(t, "not a socket")
	for name, c := range map[string]struct {
		args   []string
		says   string
		status int
	}{
		"TCP without TLS":      {[]string{"--listen", "tcp://127.0.0.1:0"}, "needs mutual TLS", 2},
		"not a loopback":       {[]string{"--listen", "tcp://0.0.0.0:0", "--insecure"}, "no loopback address", 2},
		"a name":               {[]string{"--listen", "tcp://localhost:0", "--insecure"}, "no loopback address", 2},
		"TLS without client":   {[]string{"--listen", "tcp://127.0.0.1:0", "--tls-cert", "c", "--tls-key", "k"}, "all three", 2},
		"unknown network":      {[]string{"--listen", "udp://127.0.0.1:0"}, "expected unix:///", 2},
		"relative path":        {[]string{"--listen", "unix://mortise.sock"}, "expected unix:///", 2},
		"path too long":        {[]string{"--listen", "unix:///" + strings.Repeat("x", 108)}, "103 bytes", 2},
		"a file in the place":  {[]string{"--listen", "unix://" + file}, "is no socket", 1},
		"no certificate there": {[]string{"--listen", "tcp://127.0.0.1:0", "--tls-cert", "/nowhere/c", "--tls-key", "k", "--tls-client-ca", "a"}, "/nowhere/c", 2},
	} {
		t.Run(name, func(t *testing.T) {
			l := startListener(t, append([]string{"--config", config}, c.args...)...)
			err := l.cmd.Wait()
			var ended *exec.ExitError
			if !errors.As(err, &ended) || ended.ExitCode() != c.status {
				t.Errorf("exit: %v, want %d", err, c.status)
			}
			expectParts(t, "standard error", l.stderr.text(), c.says)
		})
	}
	if text, err := os.ReadFile(file); err != nil || string(text) != "not a socket" {
		t.Errorf("the file in the socket's place: %q, %v", text, err)
	}
	l := startListener(t, "--config", config, "--listen", "tcp://127.0.0.1:0", "--insecure")
	address := strings.TrimPrefix(l.line(t, "listening on "), "tcp://")
	mustPut(t, trackerv1.NewDataClient(dial(t, address, insecure.NewCredentials())), "over", "loopback")
	l.end(t, syscall.SIGTERM)
}

// An authority issues certificates.
type authority struct {
	certificate *x509.Certificate
	der         []byte
	key         *ecdsa.PrivateKey
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	key := newKey(t)
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "authority"},
		NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return &authority{certificate, der, key}
}

// issue writes a certificate and its key.
func (a *authority) issue(t *testing.T, dir, name string, addresses ...net.IP) (cert, key string) {
	t.Helper()
	private := newKey(t)
	template := &x509.Certificate{SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: name}, IPAddresses: addresses,
		NotAfter: time.Now().Add(time.Hour), ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth}}
	der, err := x509.CreateCertificate(rand.Reader, template, a.certificate, private.Public(), a.key)
	if err != nil {
		t.Fatal(err)
	}
	encoded, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	cert, key = filepath.Join(dir, name+".pem"), filepath.Join(dir, name+".key")
	writePEM(t, cert, "CERTIFICATE", der)
	writePEM(t, key, "PRIVATE KEY", encoded)
	return cert, key
}

func newKey(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func writePEM(t *testing.T, path, kind string, der []byte) {
	t.Helper()
	if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
}
