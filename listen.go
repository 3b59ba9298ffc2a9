package mortise

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	goplugin "github.com/hashicorp/go-plugin"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/reflection"
	reflectionv1 "google.golang.org/grpc/reflection/grpc_reflection_v1"

	"github.com/mortise-storage/mortise/storage"
)

// ListenOptions say where ServeListen listens.
type ListenOptions struct {
	ServeOptions
	// Address is unix:///path/to/socket or tcp://host:port.
	Address string
	// CertFile, KeyFile and ClientCAFile are PEM files for mutual TLS: the server's certificate and
	// key, and the authorities whose clients are let in. TCP needs them.
	CertFile, KeyFile, ClientCAFile string
	// Insecure allows TCP without TLS, on a loopback address only.
	Insecure bool
	// Ready is called when calls are accepted, with the address (the port chosen for port 0) and
	// what go-plugin needs to attach to this process as if it had started it, for debugging a host.
	Ready func(address, reattach string)
}

// ServeListen serves the API over plain gRPC to hosts that did not start the process, with gRPC's
// health service and reflection, until SIGINT or SIGTERM comes or ctx ends.
//
// A Unix socket has mode 0600: who may open it may call. One that a dead server left behind is
// replaced, that of a live one is not. TCP is served with mutual TLS, because calls change data and
// there is no other check of who calls.
func ServeListen(ctx context.Context, options ListenOptions) error {
	level := new(slog.LevelVar)
	if options.Logger == nil {
		options.Logger = NewLogger(os.Stderr, level)
	}
	return logged(options.Logger, serveListen(ctx, options, level))
}

func serveListen(ctx context.Context, options ListenOptions, level *slog.LevelVar) error {
	security, err := transportSecurity(options)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrOptions, err)
	}
	// The socket comes first, so that a second server is refused before it touches the database.
	listener, err := listen(options.Address)
	if err != nil {
		return err
	}
	defer listener.Close()
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	defer stop()
	c, err := openCore(ctx, options.ServeOptions, level)
	if err != nil {
		return err
	}
	defer c.close()
	server := grpc.NewServer(append(c.serverOptions(), security...)...)
	c.register(ProtocolVersion, server)
	grpc_health_v1.RegisterHealthServer(server, &healthService{storage: c.storage})
	reflectionv1.RegisterServerReflectionServer(server, reflection.NewServerV1(reflection.ServerOptions{
		Services: server, DescriptorResolver: newResolver(options.Contracts)}))
	drained := make(chan struct{})
	go func() {
		defer close(drained)
		<-ctx.Done()
		c.drain(server)
	}()
	if options.Ready != nil {
		options.Ready(addressOf(listener), reattachLine(listener))
	}
	err = server.Serve(listener)
	stop()
	<-drained
	return err
}

// transportSecurity makes the server's credentials, and refuses what would let anybody in.
func transportSecurity(o ListenOptions) ([]grpc.ServerOption, error) {
	network, address, err := splitAddress(o.Address)
	if err != nil {
		return nil, err
	}
	given := 0
	for _, file := range []string{o.CertFile, o.KeyFile, o.ClientCAFile} {
		if file != "" {
			given++
		}
	}
	switch {
	case given == 3:
		return mutualTLS(o)
	case given > 0:
		return nil, errors.New("mutual TLS needs all three: certificate, key and client CA")
	case network == "unix":
		return nil, nil
	case !o.Insecure:
		return nil, errors.New("TCP needs mutual TLS (certificate, key and client CA): whoever can connect can change data; for trying out on a loopback address it can be declared insecure")
	case !isLoopback(address):
		return nil, fmt.Errorf("%s is no loopback address: without TLS it is not listened on", address)
	}
	return nil, nil
}

func isLoopback(address string) bool {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return false
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.Unmap().IsLoopback()
}

func mutualTLS(o ListenOptions) ([]grpc.ServerOption, error) {
	certificate, err := tls.LoadX509KeyPair(o.CertFile, o.KeyFile)
	if err != nil {
		return nil, fmt.Errorf("TLS certificate and key: %w", err)
	}
	pem, err := os.ReadFile(o.ClientCAFile)
	if err != nil {
		return nil, fmt.Errorf("client CA: %w", err)
	}
	authorities := x509.NewCertPool()
	if !authorities.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("client CA: %s holds no PEM certificate", o.ClientCAFile)
	}
	return []grpc.ServerOption{grpc.Creds(credentials.NewTLS(&tls.Config{
		Certificates: []tls.Certificate{certificate},
		ClientAuth:   tls.RequireAndVerifyClientCert,
		ClientCAs:    authorities,
		MinVersion:   tls.VersionTLS13,
	}))}, nil
}

// splitAddress reads unix:///path and tcp://host:port.
func splitAddress(address string) (network, rest string, err error) {
	network, rest, found := strings.Cut(address, "://")
	switch {
	case found && network == "unix" && filepath.IsAbs(rest):
		if len(rest) > longestSocket {
			return "", "", fmt.Errorf("listen: the path of a socket may have %d bytes, this one has %d", longestSocket, len(rest))
		}
		return network, rest, nil
	case found && network == "tcp" && rest != "":
		return network, rest, nil
	}
	return "", "", fmt.Errorf("listen: expected unix:///path/to/socket or tcp://host:port, not %q", address)
}

func listen(address string) (net.Listener, error) {
	network, rest, err := splitAddress(address)
	if err != nil {
		return nil, err
	}
	if network == "tcp" {
		return net.Listen(network, rest)
	}
	if err := os.MkdirAll(filepath.Dir(rest), 0o700); err != nil {
		return nil, fmt.Errorf("listen: %w", err)
	}
	if err := removeStale(rest); err != nil {
		return nil, fmt.Errorf("listen: %w", err)
	}
	return listenPrivately(rest)
}

// removeStale removes a socket on which nobody listens, and nothing else.
func removeStale(path string) error {
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if info.Mode().Type() != fs.ModeSocket {
		return fmt.Errorf("%s exists and is no socket; give another path", path)
	}
	conn, err := net.DialTimeout("unix", path, time.Second)
	switch {
	case err == nil:
		conn.Close()
		return fmt.Errorf("another server listens on %s", path)
	case errors.Is(err, syscall.ECONNREFUSED):
		return os.Remove(path)
	}
	return err
}

func addressOf(listener net.Listener) string {
	return listener.Addr().Network() + "://" + listener.Addr().String()
}

// reattachLine is go-plugin's ReattachConfig as JSON, with the names that other programs of its kind
// use for it. Test keeps a host from killing a process that it did not start.
func reattachLine(listener net.Listener) string {
	type address struct{ Network, String string }
	line, _ := json.Marshal(map[string]any{
		"Protocol":        goplugin.ProtocolGRPC,
		"ProtocolVersion": ProtocolVersion,
		"Pid":             os.Getpid(),
		"Test":            true,
		"Addr":            address{listener.Addr().Network(), listener.Addr().String()},
	})
	return string(line)
}

// healthService answers gRPC's health checks, for the server as a whole and for each of its services
// alike: all of them need the database.
type healthService struct {
	grpc_health_v1.UnimplementedHealthServer
	storage *storage.Storage
}

// Check asks the storage.
func (s *healthService) Check(ctx context.Context, _ *grpc_health_v1.HealthCheckRequest) (*grpc_health_v1.HealthCheckResponse, error) {
	status := grpc_health_v1.HealthCheckResponse_NOT_SERVING
	if state, _ := s.storage.Health(ctx); state == storage.Serving {
		status = grpc_health_v1.HealthCheckResponse_SERVING
	}
	return &grpc_health_v1.HealthCheckResponse{Status: status}, nil
}
