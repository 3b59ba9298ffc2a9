package page_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"github.com/mortise-storage/mortise/examples/mediaserver/host/hosttest"
	"github.com/mortise-storage/mortise/examples/mediaserver/picture/sample"
)

// cards is how many pictures the gallery shows.
const cards = `document.querySelectorAll("#gallery .card").length`

// Two files are uploaded in both ways, are in the gallery with what the server knows of them, and stay
// there when the page is loaded again.
func TestUpload(t *testing.T) {
	for _, background := range []bool{false, true} {
		t.Run(fmt.Sprintf("background %v", background), func(t *testing.T) {
			v := open(t)
			v.stand.Work(v.host)
			if background {
				v.click("#background")
			}
			v.choose(
				v.file("a <b>bold name.png", hosttest.PNG(t, 1, 300, 200)),
				v.file("moving.gif", hosttest.Sample(t, sample.AnimatedGIF, 2, 120, 160)))
			for range 2 {
				v.until(cards + " === 2")
				v.until(`[...document.querySelectorAll("#gallery img")].every((image) => image.complete && image.naturalWidth > 0)`)
				text := value[string](v, `document.getElementById("gallery").innerText`)
				for _, part := range []string{"a <b>bold name.png", "300 × 200 · PNG", "moving.gif", "120 × 160 · GIF"} {
					if !strings.Contains(text, part) {
						t.Errorf("the gallery does not show %q:\n%s", part, text)
					}
				}
				v.until(`document.querySelectorAll("#uploads li").length === 0`)
				v.do(chromedp.Reload())
			}
		})
	}
}

// A variant is made by what the form says, and shown with its address.
func TestVariant(t *testing.T) {
	v := open(t)
	v.stand.Work(v.host)
	v.choose(v.file("hills.png", hosttest.PNG(t, 1, 300, 200)))
	v.click("#gallery .card")
	shown := func(width, height int) {
		t.Helper()
		v.until(`(() => { const image = document.getElementById("shown"); return image.complete && image.naturalWidth === %d && image.naturalHeight === %d })()`, width, height)
	}
	shown(300, 200)
	build := func(form string) {
		t.Helper()
		v.run(`const $ = (id) => document.getElementById(id); ` + form + `; $("blur").oninput(); $("size").onchange()`)
		v.click("#make")
	}
	build(`$("pixels").value = 60; $("format").value = "jpg"`)
	shown(60, 40)
	v.appears("#result")
	address := value[string](v, `document.getElementById("address").value`)
	if want := v.url + "/image/process.jpg?src="; !strings.HasPrefix(address, want) || !strings.HasSuffix(address, "&resize=60") {
		t.Errorf("the address is %s", address)
	}
	if facts := value[string](v, `document.getElementById("result-facts").textContent`); !strings.HasPrefix(facts, "60 × 40 JPEG in ") {
		t.Errorf("of the variant it says %q", facts)
	}
	v.click("#show-original")
	shown(300, 200)
	v.click("#show-variant")
	shown(60, 40)
	build(`$("crop").value = "1x1"; $("size").value = "thumbnail"; $("pixels").value = 50; $("blur").value = 2; $("format").value = "webp"`)
	shown(50, 50)
	build(`$("crop").value = ""; $("size").value = ""; $("blur").value = 0; $("format").value = "png"`)
	shown(300, 200)
	v.until(`document.getElementById("address").value.endsWith("&identity=true")`)
}

// A variant that cannot be had is explained.
func TestVariantFails(t *testing.T) {
	v := open(t)
	stop := v.stand.Work(v.host)
	v.choose(v.file("hills.png", hosttest.PNG(t, 1, 300, 200)))
	v.click("#gallery .card")
	v.stand.Drain()
	stop()
	v.stand.Exec(`UPDATE media_hashes SET identifier = 'lost'`)
	v.stand.Exec(`DROP TABLE media_variants CASCADE`)
	v.click("#make")
	v.appears("#problem")
	if text := value[string](v, `document.getElementById("problem").textContent`); !strings.Contains(text, "(postgres-error)") {
		t.Errorf("it says %q", text)
	}
	if value[bool](v, `document.getElementById("make").disabled`) {
		t.Error("it cannot be tried again")
	}
}

// Deleting asks first, and takes the picture away on the page and on the server.
func TestDelete(t *testing.T) {
	v := open(t)
	v.stand.Work(v.host)
	v.choose(v.file("one.png", hosttest.PNG(t, 1, 64, 48)), v.file("two.jpg", hosttest.Sample(t, sample.JPEG, 2, 64, 48)))
	v.until(cards + " === 2")
	v.click("#gallery .card")
	name := value[string](v, `document.getElementById("viewer-title").textContent`)
	v.click("#delete")
	v.click(`#confirm button[value="no"]`)
	v.click("#delete")
	v.click("#confirm-yes")
	v.until(cards + ` === 1 && !document.getElementById("viewer").open`)
	if text := value[string](v, `document.getElementById("gallery").innerText`); strings.Contains(text, name) {
		t.Errorf("%s is still there", name)
	}
	v.stand.Drain()
	if n := v.stand.Count("SELECT count(*) FROM media_aliases"); n != 1 {
		t.Errorf("the server has %d aliases", n)
	}
	// The other is deleted by somebody else.
	v.stand.Exec(`UPDATE media_aliases SET delete_token = 'another'`)
	v.click("#gallery .card")
	v.click("#delete")
	v.click("#confirm-yes")
	v.appears("#problem")
	if text := value[string](v, `document.getElementById("problem").textContent`); !strings.Contains(text, "(invalid-delete-token)") {
		t.Errorf("it says %q", text)
	}
	v.stand.Exec(`DELETE FROM media_aliases`)
	v.click("#close", "#gallery .card")
	v.until(cards + ` === 0 && !document.getElementById("empty").hidden`)
}

// What is no picture is refused with the server's reason, until that is dismissed.
func TestRefused(t *testing.T) {
	whole := hosttest.PNG(t, 1, 64, 48)
	for _, tt := range []struct {
		name, code string
		content    []byte
		background bool
	}{
		{"notes.txt", "unsupported-file", []byte("no picture"), false},
		{"notes.txt", "unsupported-file", []byte("no picture"), true},
		{"half.png", "damaged-file", whole[:len(whole)/2], true},
	} {
		t.Run(fmt.Sprintf("%s, background %v", tt.name, tt.background), func(t *testing.T) {
			v := open(t)
			v.stand.Work(v.host)
			if tt.background {
				v.click("#background")
			}
			v.choose(v.file(tt.name, tt.content))
			v.appears("#uploads .failed")
			text := value[string](v, `document.querySelector("#uploads .failed").innerText`)
			if !strings.Contains(text, tt.name) || !strings.Contains(text, "("+tt.code+")") {
				t.Errorf("it says %q", text)
			}
			v.click("#uploads .dismiss")
			v.until(`document.querySelectorAll("#uploads li").length === 0 && ` + cards + ` === 0`)
		})
	}
}

// An upload in the background is waited for even if the page is loaded again meanwhile.
func TestResume(t *testing.T) {
	v := open(t)
	v.click("#background")
	v.choose(v.file("slow.png", hosttest.PNG(t, 1, 64, 48)))
	v.until(`JSON.parse(localStorage.getItem("pending") ?? "[]").length === 1`)
	v.do(chromedp.Reload())
	v.until(`document.querySelector("#uploads .what")?.innerText.includes("a worker takes it in")`)
	v.stand.Work(v.host)
	v.until(cards + ` === 1 && localStorage.getItem("pending") === "[]"`)
}

// Everything can be reached with the keyboard.
func TestKeyboard(t *testing.T) {
	v := open(t)
	v.stand.Work(v.host)
	v.choose(v.file("one.png", hosttest.PNG(t, 1, 64, 48)), v.file("two.png", hosttest.PNG(t, 2, 64, 48)))
	v.until(cards + " === 2")
	names := value[[]string](v, `[...document.querySelectorAll("#gallery .name")].map((name) => name.textContent)`)
	v.run(`document.getElementById("background").focus()`)
	v.do(chromedp.KeyEvent(kb.Tab))
	v.until(`document.activeElement.id === "gallery" || document.activeElement.classList.contains("card")`)
	v.do(chromedp.KeyEvent(kb.Enter))
	title := `document.getElementById("viewer").open && document.getElementById("viewer-title").textContent`
	v.until(title+" === %q", names[0])
	v.do(chromedp.KeyEvent(kb.ArrowRight))
	v.until(title+" === %q", names[1])
	v.do(chromedp.KeyEvent(kb.ArrowRight)) // there is no further one
	v.do(chromedp.KeyEvent(kb.ArrowLeft))
	v.until(title+" === %q", names[0])
	v.do(chromedp.KeyEvent(kb.Escape))
	v.until(`!document.getElementById("viewer").open`)
}

// looks are the windows that the page has to look well in.
var looks = []look{
	{name: "desktop", width: 1280, height: 860, scale: 1},
	{name: "desktop-dark", width: 1280, height: 860, scale: 1, dark: true},
	{name: "phone", width: 390, height: 844, scale: 2, phone: true},
	{name: "phone-dark", width: 390, height: 844, scale: 2, phone: true, dark: true},
	{name: "narrow", width: 320, height: 640, scale: 2, phone: true},
}

// In no window does anything stick out, and every control has a name.
func TestLooks(t *testing.T) {
	v := open(t)
	v.stand.Work(v.host)
	for _, l := range looks {
		v.in(l)
		v.fits(l.name + "-empty")
	}
	var paths []string
	for i, kind := range []sample.Kind{sample.JPEG, sample.PNG, sample.TransparentPNG, sample.WebP, sample.AnimatedGIF, sample.RotatedJPEG, sample.JPEG, sample.PNG} {
		name := fmt.Sprintf("%s %d.%s", []string{"A long walk by the lake in the evening", "hills", "oval", "meadow", "ball", "upright", "morning", "forest"}[i], i+1, kind.Extension())
		paths = append(paths, v.file(name, hosttest.Sample(t, kind, uint64(11+i), 420+40*(i%3), 300+90*(i%2))))
	}
	v.choose(paths...)
	v.until(cards+" === %d", len(paths))
	v.choose(v.file("notes that are no picture.txt", []byte("no picture")))
	v.appears("#uploads .failed")
	v.until(`[...document.querySelectorAll("#gallery img")].every((image) => image.naturalWidth > 0)`)
	v.until(`document.querySelectorAll(".note").length === 0`)
	for _, l := range looks {
		v.in(l)
		v.fits(l.name + "-gallery")
	}
	v.click("#uploads .dismiss")
	for _, l := range looks {
		v.in(l)
		v.fits(l.name + "-pictures")
	}
	v.click("#gallery .card")
	v.click("#make")
	v.appears("#result")
	v.until(`document.getElementById("shown").complete`)
	for _, l := range looks {
		v.in(l)
		v.fits(l.name + "-viewer")
	}
	unnamed := value[[]string](v, `[...document.querySelectorAll("button, input, select, a")]
		.filter((control) => !(control.labels?.length || control.ariaLabel || control.textContent.trim()))
		.map((control) => control.outerHTML)`)
	if len(unnamed) > 0 {
		t.Errorf("controls without a name: %q", unnamed)
	}
}

// fits sees that the page is not wider than its window, and takes a screenshot.
func (v *visit) fits(name string) {
	v.t.Helper()
	if out := value[int](v, `Math.max(0, document.documentElement.scrollWidth - innerWidth)`); out > 0 {
		v.t.Errorf("%s: the page is %d pixels wider than its window", name, out)
	}
	v.screenshot(name)
}
