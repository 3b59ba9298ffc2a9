package demo

import (
	"errors"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

func startChild(t *testing.T, script string) *child {
	t.Helper()
	l := newLauncher()
	t.Cleanup(l.close)
	c, err := l.start("a child", exec.Command("sh", "-c", script), filepath.Join(t.TempDir(), "log"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.end(time.Millisecond) })
	return c
}

// A child that ends when it is told to does so without force.
func TestWillingChild(t *testing.T) {
	c := startChild(t, `trap 'exit 0' TERM; echo ready here; while :; do sleep 0.05; done`)
	if said, err := c.ready(t.Context()); err != nil || said != "here" {
		t.Fatalf("%q, %v", said, err)
	}
	if !c.end(stopGrace) || c.err != nil || !c.groupGone() {
		t.Errorf("it ended with %v", c.err)
	}
}

// One that does not is killed with all that it started.
func TestUnwillingChild(t *testing.T) {
	for name, script := range map[string]string{
		"itself":        `trap '' TERM; echo ready; while :; do sleep 0.05; done`,
		"its own child": `(trap '' TERM; while :; do sleep 0.05; done) & trap 'exit 0' TERM; echo ready; while :; do sleep 0.05; done`,
	} {
		t.Run(name, func(t *testing.T) {
			c := startChild(t, script)
			if _, err := c.ready(t.Context()); err != nil {
				t.Fatal(err)
			}
			if c.end(200 * time.Millisecond) {
				t.Error("it ended by itself")
			}
			if err := wait(t.Context(), "the group to go", func() (bool, error) { return c.groupGone(), nil }); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestNotReady(t *testing.T) {
	for _, script := range []string{"exit 1", "echo something else"} {
		if said, err := startChild(t, script).ready(t.Context()); err == nil {
			t.Errorf("after %q it was ready: %q", script, said)
		}
	}
}

func TestWait(t *testing.T) {
	cause := errors.New("broken")
	if err := wait(t.Context(), "nothing", func() (bool, error) { return false, cause }); !errors.Is(err, cause) {
		t.Error(err)
	}
	n := 0
	if err := waitEvery(t.Context(), time.Millisecond, "three", func() (bool, error) { n++; return n == 3, nil }); err != nil || n != 3 {
		t.Error(n, err)
	}
}
