package page_test

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"log/slog"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"go.uber.org/goleak"

	"github.com/mortise-storage/mortise/examples/mediaserver/host"
	"github.com/mortise-storage/mortise/examples/mediaserver/host/hosttest"
	"github.com/mortise-storage/mortise/examples/mediaserver/page"
	"github.com/mortise-storage/mortise/examples/mediaserver/server"
	"github.com/mortise-storage/mortise/internal/testdb"
)

var screenshots = flag.String("screenshots", "", "the `folder` to keep the screenshots in that the tests take")

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	flag.Parse()
	code := testdb.Run(m)
	if chromium.end != nil {
		chromium.end()
	}
	if err := goleak.Find(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return code
}

// chromium is the browser of all tests, started by the first that needs it. Each test has a tab, and a
// server at another port, so that nothing the browser remembers is shared.
var chromium struct {
	once sync.Once
	ctx  context.Context
	end  func()
	err  error
}

// patience is how long anything on the page is waited for. It is only used up by tests that fail.
const patience = time.Minute

// A visit is a browser on the page of a whole media server.
type visit struct {
	t     *testing.T
	ctx   context.Context
	stand *hosttest.Stand
	host  *host.Host
	url   string

	mu     sync.Mutex
	faults []string
}

// open starts a server and a browser on its page. Whatever goes wrong in the page's script fails the
// test when it ends.
func open(t *testing.T) *visit {
	t.Helper()
	stand := hosttest.Open(t)
	v := &visit{t: t, stand: stand, host: stand.Host(host.Options{})}
	surface, err := server.New(v.host, server.Options{Page: page.Handler(), Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	web := httptest.NewServer(surface)
	t.Cleanup(func() {
		web.CloseClientConnections()
		web.Close()
	})
	v.url = web.URL
	v.ctx = v.tab()
	v.do(chromedp.Navigate(v.url))
	return v
}

// tab opens a tab, which is closed with the test.
func (v *visit) tab() context.Context {
	path := browser(v.t)
	chromium.once.Do(func() { startBrowser(path) })
	if chromium.err != nil {
		v.t.Fatalf("the browser does not start: %v", chromium.err)
	}
	ctx, cancel := chromedp.NewContext(chromium.ctx)
	v.t.Cleanup(func() {
		cancel()
		v.mu.Lock()
		defer v.mu.Unlock()
		for _, fault := range v.faults {
			v.t.Error("in the page: " + fault)
		}
	})
	if err := chromedp.Listen(ctx, v.notice); err != nil {
		v.t.Fatal(err)
	}
	return ctx
}

// startBrowser starts it without a window.
func startBrowser(path string) {
	dir, err := os.MkdirTemp("", "page-test-")
	if err != nil {
		chromium.err = err
		return
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path), chromedp.WindowSize(1280, 900),
		// What it leaves behind is removed with the folder.
		chromedp.UserDataDir(filepath.Join(dir, "profile")), chromedp.Env("TMPDIR="+dir),
		// The page's servers are on this machine; nothing else is looked for.
		chromedp.Flag("disable-background-networking", true), chromedp.Flag("no-proxy-server", true))
	if os.Geteuid() == 0 {
		options = append(options, chromedp.NoSandbox) // it refuses to have a sandbox as root
	}
	allocator, endAllocator := chromedp.NewExecAllocator(context.Background(), options...)
	ctx, cancel := chromedp.NewContext(allocator)
	chromium.ctx, chromium.end = ctx, func() {
		cancel()
		endAllocator()
		_ = os.RemoveAll(dir)
	}
	chromium.err = chromedp.Do(ctx)
}

// browser finds a browser.
func browser(t *testing.T) string {
	t.Helper()
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome", "google-chrome-stable"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	t.Fatal("there is no Chromium in PATH, and this test is about a page in a browser; run `scripts/install chromium`")
	return ""
}

// notice collects what goes wrong in the page: exceptions, and what its own policy forbids. Answers of
// the server that are errors belong to some tests.
func (v *visit) notice(event any) {
	var fault string
	switch e := event.(type) {
	case *runtime.EventExceptionThrown:
		fault = (&chromedp.ExceptionError{ExceptionDetails: e.ExceptionDetails}).Error()
	case *log.EventEntryAdded:
		if e.Entry.Level == log.EntryLevelError && e.Entry.Source != log.EntrySourceNetwork {
			fault = e.Entry.Text
		}
	}
	if fault != "" {
		v.mu.Lock()
		defer v.mu.Unlock()
		v.faults = append(v.faults, fault)
	}
}

// do lets the browser do something.
func (v *visit) do(steps ...chromedp.Action[chromedp.Void]) {
	v.t.Helper()
	ctx, cancel := context.WithTimeout(v.ctx, patience)
	defer cancel()
	if err := chromedp.Do(ctx, steps...); err != nil {
		v.t.Fatalf("%v; the page says:\n%s", err, v.text())
	}
}

// text is what is written on the page, for messages.
func (v *visit) text() string {
	ctx, cancel := context.WithTimeout(v.ctx, patience)
	defer cancel()
	text, err := chromedp.Run(ctx, chromedp.Evaluate[string]("document.body.innerText"))
	if err != nil {
		return err.Error()
	}
	return text
}

// until waits for an expression to be true.
func (v *visit) until(expression string, args ...any) {
	v.t.Helper()
	expression = fmt.Sprintf(expression, args...)
	ctx, cancel := context.WithTimeout(v.ctx, patience)
	defer cancel()
	look := time.NewTicker(20 * time.Millisecond)
	defer look.Stop()
	for {
		// An error is a page that is just being loaded, or nothing that could be asked yet.
		holds, err := chromedp.Run(ctx, chromedp.Evaluate[bool]("Boolean("+expression+")"))
		if err == nil && holds {
			return
		}
		select {
		case <-ctx.Done():
			v.t.Fatalf("in vain waited for %s (%v); the page says:\n%s", expression, err, v.text())
		case <-look.C:
		}
	}
}

// value returns what an expression is.
func value[T any](v *visit, expression string, args ...any) T {
	v.t.Helper()
	ctx, cancel := context.WithTimeout(v.ctx, patience)
	defer cancel()
	result, err := chromedp.Run(ctx, chromedp.Evaluate[T](fmt.Sprintf(expression, args...)))
	if err != nil {
		v.t.Fatalf("%v in %s", err, expression)
	}
	return result
}

// run runs a script in the page.
func (v *visit) run(script string) {
	v.t.Helper()
	value[bool](v, "(() => { %s; return true })()", script)
}

// click clicks on the first element that matches.
func (v *visit) click(selectors ...string) {
	v.t.Helper()
	for _, selector := range selectors {
		v.do(chromedp.Click(chromedp.CSS(selector), chromedp.NodeVisible))
	}
}

// appears waits until an element can be seen.
func (v *visit) appears(selector string) {
	v.t.Helper()
	v.do(chromedp.WaitVisible(chromedp.CSS(selector)))
}

// file writes a file to be chosen.
func (v *visit) file(name string, content []byte) string {
	v.t.Helper()
	path := filepath.Join(v.t.TempDir(), name)
	if err := os.WriteFile(path, content, 0o600); err != nil {
		v.t.Fatal(err)
	}
	return path
}

// choose chooses files in the page's input, as a person does in the dialog.
func (v *visit) choose(paths ...string) {
	v.t.Helper()
	v.do(chromedp.SetUploadFiles(chromedp.CSS("#files"), paths))
}

// A look is a window in which the page is looked at.
type look struct {
	name          string
	width, height int64
	scale         float64
	dark, phone   bool
}

// in shows the page in a window.
func (v *visit) in(l look) {
	v.t.Helper()
	scheme := "light"
	if l.dark {
		scheme = "dark"
	}
	_, err := chromedp.Call(v.ctx, emulation.SetDeviceMetricsOverride, emulation.SetDeviceMetricsOverrideParams{
		Width: l.width, Height: l.height, DeviceScaleFactor: l.scale, Mobile: l.phone})
	if err != nil {
		v.t.Fatal(err)
	}
	_, err = chromedp.Call(v.ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{
		{Name: "prefers-color-scheme", Value: scheme}, {Name: "prefers-reduced-motion", Value: "reduce"}}})
	if err != nil {
		v.t.Fatal(err)
	}
}

// screenshot takes a picture of the window, and keeps it if a folder for that was given.
func (v *visit) screenshot(name string) {
	v.t.Helper()
	ctx, cancel := context.WithTimeout(v.ctx, patience)
	defer cancel()
	picture, err := chromedp.Run(ctx, chromedp.CaptureScreenshot())
	if err != nil {
		v.t.Fatal(err)
	}
	if !bytes.HasPrefix(picture, []byte("\x89PNG")) {
		v.t.Errorf("the screenshot %s is no picture", name)
	}
	if *screenshots == "" {
		return
	}
	if err := os.WriteFile(filepath.Join(*screenshots, name+".png"), picture, 0o644); err != nil {
		v.t.Error(err)
	}
}
