package mortise_test

import (
	"bufio"
	"errors"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/hashicorp/go-hclog"
	goplugin "github.com/hashicorp/go-plugin"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/emptypb"

	mortise "github.com/mortise-storage/mortise"
	pluginv1 "github.com/mortise-storage/mortise/api/mortise/plugin/v1"
)

// What keeps a plugin from starting must be in the host's error, so that an operator who only sees
// the host's log can repair it.
func TestFailedStartsSayWhy(t *testing.T) {
	unfit := exampleConfig(t, emptyDatabase(t))
	misspelt := exampleConfig(t, newDatabase(t), "    ping_query: |", "    pong_query: |")
	notExecutable := writeConfig(t, "")
	for name, c := range map[string]struct {
		options mortise.ConnectOptions
		says    []string
		is      error
	}{
		"no program":      {mortise.ConnectOptions{Program: "/nowhere/mortise"}, []string{"/nowhere/mortise", "install it"}, fs.ErrNotExist},
		"not in PATH":     {mortise.ConnectOptions{Program: "no-such-mortise"}, []string{"no-such-mortise", "install it"}, exec.ErrNotFound},
		"no permission":   {mortise.ConnectOptions{Program: notExecutable}, []string{notExecutable, "permission denied"}, fs.ErrPermission},
		"another program": {mortise.ConnectOptions{Program: "false"}, []string{"exit status 1", "says nothing"}, nil},
		"newer plugin": {mortise.ConnectOptions{Program: self(t), Env: role("impostor")},
			[]string{"the plugin 7", "the host 1", "use a newer release of the host"}, nil},
		"no file named": {mortise.ConnectOptions{Env: []string{"MORTISE_CONFIG="}}, []string{"exit status 1", "--config", "MORTISE_CONFIG"}, nil},
		"no file":       {mortise.ConnectOptions{Config: "/nowhere/queries.yaml"}, []string{"/nowhere/queries.yaml", "does not exist"}, nil},
		"unknown key": {mortise.ConnectOptions{Config: misspelt},
			[]string{misspelt + ":", "tracker.pong_query", "did you mean ping_query?"}, nil},
		"tables missing": {mortise.ConnectOptions{Config: unfit},
			[]string{unfit + ":", "tracker.peer.add_query", "tracker.data.get_query", `relation "tracker_kv" does not exist`, "42P01"}, nil},
		"bad connection string": {mortise.ConnectOptions{Config: exampleConfig(t, "host=db password=hush port=one")}, []string{"connection_string"}, nil},
		"contract":              {mortise.ConnectOptions{Config: misspelt, Args: []string{"--contract", "/nowhere/notes.proto"}}, []string{"contract", "notes.proto"}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			if c.options.Program == "" {
				c.options.Program = program(t)
			}
			h, err := mortise.Connect(limited(t), c.options)
			if err == nil {
				h.Close()
				t.Fatal("it started")
			}
			expectParts(t, "the error", err.Error(), c.says...)
			if c.is != nil && !errors.Is(err, c.is) {
				t.Errorf("%v is not %v", err, c.is)
			}
			if strings.Contains(err.Error(), "hush") {
				t.Errorf("the error has the password: %v", err)
			}
		})
	}
}

// clientConfig is how a host uses go-plugin that does not use Connect.
func clientConfig(t *testing.T, stderr io.Writer, config string, env ...string) *goplugin.ClientConfig {
	t.Helper()
	cmd := exec.Command(program(t), "serve", "--config", config)
	cmd.Env = append(os.Environ(), env...)
	return &goplugin.ClientConfig{
		HandshakeConfig:  mortise.Handshake,
		VersionedPlugins: mortise.VersionedPlugins(),
		AllowedProtocols: []goplugin.Protocol{goplugin.ProtocolGRPC},
		Cmd:              cmd,
		SkipHostEnv:      true,
		AutoMTLS:         true,
		Stderr:           stderr,
		Logger:           hclog.NewNullLogger(),
	}
}

func TestOtherHostsOfGoPlugin(t *testing.T) {
	client := goplugin.NewClient(clientConfig(t, io.Discard, exampleConfig(t, newDatabase(t))))
	defer client.Kill()
	protocol, err := client.Client()
	if err != nil {
		t.Fatal(err)
	}
	if err := protocol.Ping(); err != nil {
		t.Error(err)
	}
	raw, err := protocol.Dispense(mortise.PluginName)
	if err != nil {
		t.Fatal(err)
	}
	health, err := pluginv1.NewPluginClient(raw.(*grpc.ClientConn)).Health(limited(t), &pluginv1.HealthRequest{})
	if err != nil || health.GetState() != pluginv1.HealthResponse_SERVING {
		t.Errorf("Health: %v, %v", health, err)
	}
}

func TestNewerHostIsToldWhoMustChange(t *testing.T) {
	var stderr lockedBuilder
	// go-plugin kills a plugin with another version, which then cannot remove its socket.
	config := clientConfig(t, &stderr, exampleConfig(t, newDatabase(t)), "TMPDIR="+newFolder(t))
	config.VersionedPlugins = map[int]goplugin.PluginSet{98: mortise.VersionedPlugins()[1], 99: mortise.VersionedPlugins()[1]}
	config.ProtocolVersion = 99
	client := goplugin.NewClient(config)
	_, err := client.Start()
	client.Kill()
	if err == nil {
		t.Fatal("it started")
	}
	expectParts(t, "go-plugin", err.Error(), "Plugin version: 1", "99")
	expectParts(t, "the plugin's log", stderr.text(), "the plugin 1, the host 9", "or a newer one of the plugin")
}

func TestWrongCookie(t *testing.T) {
	var stderr lockedBuilder
	config := clientConfig(t, &stderr, exampleConfig(t, newDatabase(t)))
	config.MagicCookieValue = "of another plugin"
	client := goplugin.NewClient(config)
	_, err := client.Start()
	client.Kill()
	if err == nil {
		t.Fatal("it started")
	}
	expectParts(t, "the plugin", stderr.text(), mortise.Handshake.MagicCookieKey, "another plugin")
}

func TestStartedByHand(t *testing.T) {
	cmd := exec.Command(program(t), "serve")
	var stdout, stderr strings.Builder
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	var ended *exec.ExitError
	if !errors.As(err, &ended) || ended.ExitCode() != 2 {
		t.Errorf("exit: %v", err)
	}
	if stdout.Len() > 0 {
		t.Errorf("on standard output: %q", &stdout)
	}
	expectParts(t, "the explanation", stderr.String(), "storage plugin", "--listen", "check")
}

// Standard output belongs to the handshake. The plugin of this test prints before and after it.
func TestNothingButTheHandshakeOnStandardOutput(t *testing.T) {
	cmd := exec.Command(self(t), "serve", "--config", exampleConfig(t, newDatabase(t)))
	cmd.Env = append(append(os.Environ(), role("plugin")...), mortise.Handshake.MagicCookieKey+"="+mortise.Handshake.MagicCookieValue,
		"PLUGIN_PROTOCOL_VERSIONS=1", "TMPDIR="+newFolder(t))
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	var stderr lockedBuilder
	cmd.Stderr = &stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	reader := bufio.NewReader(stdout)
	handshake, err := reader.ReadString('\n')
	if err != nil || !strings.HasPrefix(handshake, "1|1|unix|/") {
		t.Errorf("the first line is %q (%v), standard error: %s", handshake, err, stderr.text())
	}
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	rest, err := io.ReadAll(reader)
	if err != nil || len(rest) > 0 {
		t.Errorf("after the handshake: %q, %v", rest, err)
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("SIGTERM: %v", err)
	}
	expectParts(t, "standard error", stderr.text(), "a stray line, before the handshake")
}

// What the plugin prints after the handshake reaches the host's log.
func TestStrayOutputIsLogged(t *testing.T) {
	log := new(record)
	h := mustConnect(t, mortise.ConnectOptions{Program: self(t), Env: role("plugin"), Logger: log.logger(), Config: exampleConfig(t, newDatabase(t))})
	if err := h.Conn().Invoke(limited(t), "/mortise.test.Faults/Print", &emptypb.Empty{}, &emptypb.Empty{}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the line in the log", func() bool {
		return strings.Contains(log.text(), "WARN the plugin printed: a stray line, after the handshake")
	})
}

// The plugin's log entries keep their level, message and attributes.
func TestLogReachesTheHostWithItsLevels(t *testing.T) {
	log := new(record)
	path := exampleConfig(t, newDatabase(t), "    gc_query: |", "    gc_query_off: |")
	_, err := mortise.Connect(limited(t), mortise.ConnectOptions{Program: program(t), Config: path, Logger: log.logger()})
	if err == nil {
		t.Fatal("it started")
	}
	expectParts(t, "the log", log.text(), "ERROR "+path+":", "@module=mortise")
}

// The path of a socket is limited to about a hundred bytes; a long TMPDIR must not keep the plugin
// from starting, and nothing may stay behind.
func TestLongSocketFolder(t *testing.T) {
	long := filepath.Join(newFolder(t), strings.Repeat("long/", 30))
	if err := os.MkdirAll(long, 0o755); err != nil {
		t.Fatal(err)
	}
	config := exampleConfig(t, newDatabase(t))
	t.Run("plugin", func(t *testing.T) {
		for _, variable := range []string{"TMPDIR", goplugin.EnvUnixSocketDir} {
			client := goplugin.NewClient(clientConfig(t, io.Discard, config, variable+"="+long))
			protocol, err := client.Client()
			if err != nil {
				client.Kill()
				t.Fatalf("%s: %v", variable, err)
			}
			if err := protocol.Ping(); err != nil {
				t.Errorf("%s: %v", variable, err)
			}
			folder := filepath.Dir(client.ReattachConfig().Addr.String())
			expectPrivate(t, folder)
			client.Kill()
			expectGone(t, folder)
		}
	})
	t.Run("host", func(t *testing.T) {
		t.Setenv("TMPDIR", long)
		log := new(record)
		h := mustConnect(t, mortise.ConnectOptions{Config: config, Logger: log.logger()})
		if _, err := h.Info(limited(t)); err != nil {
			t.Error(err)
		}
		folder := log.attribute("created temporary directory for unix sockets", "dir")
		expectPrivate(t, folder)
		h.Close()
		expectGone(t, folder)
	})
	if rest, err := os.ReadDir(long); err != nil || len(rest) > 0 {
		t.Errorf("left in TMPDIR: %v, %v", rest, err)
	}
}

func expectPrivate(t *testing.T, folder string) {
	t.Helper()
	info, err := os.Stat(folder)
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode().Perm() != 0o700 || !strings.HasPrefix(folder, "/tmp/") {
		t.Errorf("%s has mode %v", folder, info.Mode())
	}
}

func expectGone(t *testing.T, path string) {
	t.Helper()
	if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%s is still there (%v)", path, err)
	}
}
