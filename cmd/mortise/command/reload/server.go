package reload

import (
	"crypto/tls"
	"crypto/x509"
	"os"
	"path/filepath"
	"strings"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/mortise-storage/mortise/cmd/mortise/command"
)

// A server is where the flags lead to, and how it is talked to.
type server struct {
	// Address is unix:///path/to/socket or tcp://host:port, as `serve --listen` takes it.
	Address string
	// CertFile, KeyFile and CAFile are PEM files for mutual TLS, which TCP needs unless Insecure.
	CertFile, KeyFile, CAFile string
	Insecure                  bool
}

// dial makes the connection, which is opened by its first call.
func (s *server) dial() (*grpc.ClientConn, error) {
	network, rest, _ := strings.Cut(s.Address, "://")
	switch {
	case s.Address == "":
		return nil, command.Misused("no server is named; give --address unix:///path/to/socket or tcp://host:port, as it was given to `mortise serve --listen`")
	case network == "unix" && filepath.IsAbs(rest):
		return connect(s.Address, insecure.NewCredentials()) // the socket's mode says who may call
	case network != "tcp" || rest == "":
		return nil, command.Misused("expected unix:///path/to/socket or tcp://host:port, not %q", s.Address)
	case s.Insecure:
		return connect("dns:///"+rest, insecure.NewCredentials())
	}
	security, err := s.mutualTLS()
	if err != nil {
		return nil, err
	}
	return connect("dns:///"+rest, security)
}

func connect(target string, security credentials.TransportCredentials) (*grpc.ClientConn, error) {
	conn, err := grpc.NewClient(target, grpc.WithTransportCredentials(security))
	if err != nil {
		return nil, command.Misused("the address cannot be used: %w", err)
	}
	return conn, nil
}

func (s *server) mutualTLS() (credentials.TransportCredentials, error) {
	if s.CertFile == "" || s.KeyFile == "" || s.CAFile == "" {
		return nil, command.Misused("tcp:// needs --tls-cert, --tls-key and --tls-ca, or --insecure for a server that was started so")
	}
	certificate, err := tls.LoadX509KeyPair(s.CertFile, s.KeyFile)
	if err != nil {
		return nil, command.Misused("TLS certificate and key: %w", err)
	}
	pem, err := os.ReadFile(s.CAFile)
	if err != nil {
		return nil, command.Misused("--tls-ca: %w", err)
	}
	authorities := x509.NewCertPool()
	if !authorities.AppendCertsFromPEM(pem) {
		return nil, command.Misused("--tls-ca: %s holds no PEM certificate", s.CAFile)
	}
	return credentials.NewTLS(&tls.Config{Certificates: []tls.Certificate{certificate}, RootCAs: authorities, MinVersion: tls.VersionTLS13}), nil
}
