//go:build !unix || aix || solaris

package embedded

import "context"

// Server is a running PostgreSQL server. On this operating system there never is one.
type Server struct{}

// Start returns ErrUnsupported.
func Start(context.Context, Options) (*Server, error) { return nil, ErrUnsupported }

// Beside returns ErrUnsupported.
func Beside(string) (string, error) { return "", ErrUnsupported }

// FindBinaries returns ErrUnsupported.
func FindBinaries() (dir, version string, err error) { return "", "", ErrUnsupported }

// ConnString returns the empty string.
func (*Server) ConnString() string { return "" }

// AdminConnString returns the empty string.
func (*Server) AdminConnString() string { return "" }

// PID returns 0.
func (*Server) PID() int { return 0 }

// Done returns a closed channel.
func (*Server) Done() <-chan struct{} {
	done := make(chan struct{})
	close(done)
	return done
}

// Stop does nothing.
func (*Server) Stop(context.Context) error { return nil }

// Restart returns ErrUnsupported.
func (*Server) Restart(context.Context) error { return ErrUnsupported }

// Kill returns ErrUnsupported.
func (*Server) Kill() error { return ErrUnsupported }
