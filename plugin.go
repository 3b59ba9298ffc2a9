// Package mortise is a storage plugin whose every query belongs to its operator.
//
// A host (a BitTorrent tracker, a media server, a job platform) starts the program as a child
// process and calls it over gRPC. What a call does is a query that the operator wrote, in one YAML
// file, for tables of their own; Mortise binds the parameters, runs the query on PostgreSQL or
// CockroachDB and maps the result. The operations and their meaning are the contract, annotated
// .proto files under api/.
//
// The package is what surrounds the storage (package storage) with a process: it reads the
// configuration (Load), is the plugin's side of the process border (Serve, or ServeListen for hosts
// that do not start it themselves) and the host's (Connect). It must not know any domain.
//
// # Life cycle
//
// The plugin answers calls once its queries were checked against the database. Queries that do not
// fit keep it from starting, with all problems told to the host; a database that does not answer does
// not: calls are then answered UNAVAILABLE until it does. It ends on SIGTERM, when its host asks for
// it, and by itself when its host dies, each time after the calls under way. An answer is given only
// after the database has committed, so that even SIGKILL loses nothing that was acknowledged.
package mortise

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strconv"
	"strings"

	goplugin "github.com/hashicorp/go-plugin"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// ProtocolVersion is the newest version of the protocol between host and plugin: the handshake and
// the meaning of the API. It is raised when an older counterpart could not work any more; what is
// only added needs no new version.
const ProtocolVersion = 1

// Handshake is what host and plugin must agree on before anything else. The cookie is no secret: it
// keeps people from starting a plugin by accident.
var Handshake = goplugin.HandshakeConfig{
	ProtocolVersion:  ProtocolVersion,
	MagicCookieKey:   "MORTISE_PLUGIN",
	MagicCookieValue: "d5b7c0a2-mortise-storage-over-grpc",
}

// PluginName is the name under which go-plugin dispenses the API.
const PluginName = "storage"

// VersionedPlugins is for hosts that use go-plugin themselves instead of Connect: dispensing
// PluginName gives the *grpc.ClientConn on which the generated clients of the API work.
func VersionedPlugins() map[int]goplugin.PluginSet { return versions(nil) }

// versions are the protocol versions that this code speaks. serve is nil on the host's side.
func versions(serve func(version int, registrar grpc.ServiceRegistrar)) map[int]goplugin.PluginSet {
	return map[int]goplugin.PluginSet{
		ProtocolVersion: {PluginName: &grpcPlugin{version: ProtocolVersion, serve: serve}},
	}
}

// grpcPlugin is the API in go-plugin's terms.
type grpcPlugin struct {
	goplugin.NetRPCUnsupportedPlugin
	version int
	serve   func(version int, registrar grpc.ServiceRegistrar)
}

// GRPCServer registers the services in the plugin.
func (p *grpcPlugin) GRPCServer(_ *goplugin.GRPCBroker, server *grpc.Server) error {
	if p.serve == nil {
		return errors.New("this side is the host")
	}
	p.serve(p.version, server)
	return nil
}

// GRPCClient returns the connection, in the host.
func (p *grpcPlugin) GRPCClient(_ context.Context, _ *goplugin.GRPCBroker, conn *grpc.ClientConn) (any, error) {
	return conn, nil
}

// ServeOptions say what is served. The zero value serves the built-in contract from a file that
// ConfigFile must name.
type ServeOptions struct {
	// ConfigFile is the operator's file; it is loaded unless Config is given. When it or a file that it
	// includes changes, on SIGHUP, and when Reload is called, it is loaded again; one with problems
	// changes nothing.
	ConfigFile string
	// Config is the operator's file, loaded.
	Config *Config
	// Contracts are further annotated files, served beside the built-in ones (see CompileContract).
	Contracts []protoreflect.FileDescriptor
	// Schema is what an embedded server is given when it starts; empty is the default Schema. Other
	// servers are never given one here.
	Schema string
	// Logger gets the log; nil is standard error, in a form that fits who reads it.
	Logger *slog.Logger
	// Version is the program's version, as Info tells it.
	Version string
	// Register adds services of the program's own.
	Register func(grpc.ServiceRegistrar)
}

// ErrNoHost means that Serve was called in a process that no host has started.
var ErrNoHost = errors.New("not started by a host")

// ErrOptions means that ServeListen was given options with which it would not be safe, or not
// possible, to listen.
var ErrOptions = errors.New("cannot listen like that")

// ErrRefused means that the operator's file has problems, or does not fit the database. The problems
// themselves were logged, each in an entry of its own.
var ErrRefused = errors.New("the configuration cannot be served")

// Serve is the plugin's side of the process border: it serves the host that has started this
// process, until the host asks it to end or dies, SIGTERM comes, or ctx ends. SIGINT is ignored: a
// terminal sends it to the whole process group, and when to end is the host's decision.
//
// What keeps it from serving is logged, so that the host sees it, and returned.
//
// It takes over standard output, which belongs to the handshake, and is to be called once in a
// process, from main. Afterwards the process should end: go-plugin leaves goroutines behind.
func Serve(ctx context.Context, options ServeOptions) error {
	if os.Getenv(Handshake.MagicCookieKey) != Handshake.MagicCookieValue {
		return noHost()
	}
	stdout, stderr := os.Stdout, os.Stderr
	os.Stdout = stderr // until the handshake, and for whatever prints before it
	defer func() { os.Stdout, os.Stderr = stdout, stderr }()
	level := new(slog.LevelVar)
	if options.Logger == nil {
		options.Logger = NewLogger(stderr, level)
	}
	adviseOnVersion(options.Logger)

	ctx, stop := untilToldToEnd(ctx, options.Logger)
	defer stop()
	sockets, err := shortSocketDir()
	if err != nil {
		return logged(options.Logger, err)
	}
	defer sockets.remove()
	c, err := openCore(ctx, options, level)
	if err != nil {
		return logged(options.Logger, err)
	}
	defer c.close()
	return logged(options.Logger, c.serveHost(ctx, stdout))
}

// logged logs an error on its way out.
func logged(logger *slog.Logger, err error) error {
	if err != nil {
		logger.Error("the plugin cannot serve: " + err.Error())
	}
	return err
}

// noHost says what is wrong with the cookie.
func noHost() error {
	if os.Getenv(Handshake.MagicCookieKey) != "" {
		return fmt.Errorf("%w: the environment variable %s is set, but not to what hosts of Mortise set it to; "+
			"the host was written for another plugin, or for an incompatible release of this one", ErrNoHost, Handshake.MagicCookieKey)
	}
	return ErrNoHost
}

// serveHost runs go-plugin's server. It prints the handshake on stdout, which is given back to it for
// no longer than that: afterwards it puts a pipe to the host in the place of os.Stdout by itself.
func (c *core) serveHost(ctx context.Context, stdout *os.File) error {
	served := false
	goplugin.Serve(&goplugin.ServeConfig{
		HandshakeConfig: Handshake,
		VersionedPlugins: versions(func(version int, registrar grpc.ServiceRegistrar) {
			c.register(version, registrar)
			os.Stdout = stdout
		}),
		Logger: newHCLog(c.logger, slog.LevelWarn),
		GRPCServer: func(options []grpc.ServerOption) *grpc.Server {
			served = true
			server := grpc.NewServer(append(options, c.serverOptions()...)...)
			go func() {
				<-ctx.Done()
				c.drain(server)
			}()
			return server
		},
	})
	if !served {
		return errors.New("the socket for the host could not be made; the log says why")
	}
	// If the host asked for the end, calls were cut off just now, and their statements are ending.
	c.calls.wait(drainLimit)
	return nil
}

// adviseOnVersion says who must change if the host speaks none of our versions. The host notices
// too, from the handshake; but only here both lists are known.
func adviseOnVersion(logger *slog.Logger) {
	offered := os.Getenv("PLUGIN_PROTOCOL_VERSIONS")
	if offered == "" {
		return // a host older than negotiation takes version 1
	}
	var theirs []int
	for _, text := range strings.Split(offered, ",") {
		if v, err := strconv.Atoi(text); err == nil {
			theirs = append(theirs, v)
		}
	}
	if len(theirs) == 0 || slices.Contains(theirs, ProtocolVersion) {
		return
	}
	logger.Error(versionAdvice(ProtocolVersion, theirs))
}

// versionAdvice is the text for a host and a plugin that have no protocol version in common.
func versionAdvice(plugin int, host []int) string {
	who := "use an older release of the host, or a newer one of the plugin"
	if plugin > slices.Max(host) {
		who = "use a newer release of the host, or an older one of the plugin"
	}
	return fmt.Sprintf("host and plugin speak different protocol versions: the plugin %d, the host %s; %s",
		plugin, strings.Trim(fmt.Sprint(host), "[]"), who)
}
