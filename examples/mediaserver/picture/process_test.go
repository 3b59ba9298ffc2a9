package picture

import (
	"net/url"
	"slices"
	"strings"
	"testing"
)

func TestVariantsAreCanonical(t *testing.T) {
	for _, test := range []struct {
		query, format, variant string
	}{
		{"", "png", "identity/png"},
		{"identity=", "png", "identity/png"},
		{"identity", "jpeg", "identity/jpg"},
		{"", "jpg", "identity/jpg"},
		{"src=a.png&resize=200", "webp", "resize/200/webp"},
		{"resize=200&alias=a.png", "webp", "resize/200/webp"},
		{"proxy=https%3A%2F%2Fa.example%2F1.png&thumbnail=0064", "gif", "thumbnail/64/gif"},
		{"resize=lanczos2.200", "webp", "resize/200/webp"},
		{"resize=Lanczos2.200&identity=1", "webp", "resize/200/webp"},
		{"resize=Mitchell.200", "webp", "resize/mitchell.200/webp"},
		{"resize=a40000", "png", "resize/a40000/png"},
		{"resize=LanczosSharp.a40000", "png", "resize/lanczossharp.a40000/png"},
		{"blur=1.50", "png", "blur/1.5/png"},
		{"blur=1.500001", "png", "blur/1.5/png"},
		{"blur=2", "png", "blur/2/png"},
		{"blur=2e1", "png", "blur/20/png"},
		{"blur=0.01", "png", "blur/0.01/png"},
		{"crop=16x9", "png", "crop/16x9/png"},
		{"crop=1920x1080", "png", "crop/16x9/png"},
		{"crop=1x1&resize=100", "png", "crop/1x1/resize/100/png"},
		{"resize=100&crop=1x1", "png", "resize/100/crop/1x1/png"},
		{"blur=1&blur=1", "png", "blur/1/blur/1/png"},
		{"&&thumbnail=9&", "png", "thumbnail/9/png"},
	} {
		query, err := ParseQuery(test.query)
		if err != nil {
			t.Fatalf("%q: %v", test.query, err)
		}
		p, err := ParseProcess(query, test.format)
		if err != nil {
			t.Errorf("%q: %v", test.query, err)
			continue
		}
		if p.Variant() != test.variant {
			t.Errorf("%q in %s: variant %q, want %q", test.query, test.format, p.Variant(), test.variant)
		}
		again, err := ParseVariant(p.Variant())
		if err != nil || again.Variant() != test.variant || again.Extension() != p.Extension() || again.ContentType() != p.ContentType() {
			t.Errorf("%q: the way back gives %q, %v", test.variant, again.Variant(), err)
		}
	}
}

func TestBadRequestsForVariants(t *testing.T) {
	for _, test := range []struct{ key, value, format, code string }{
		{"resize", "10", "", CodeExtension},
		{"resize", "10", "avif", CodeExtension},
		{"resize", "10", ".png", CodeExtension},
		{"resize", "10", "PNG", CodeExtension},
		{"rotate", "90", "png", CodeProcess},
		{"", "", "png", CodeProcess},
		{"Resize", "10", "png", CodeProcess},
		{"resize", "", "png", CodeProcess},
		{"resize", "0", "png", CodeProcess},
		{"resize", "-1", "png", CodeProcess},
		{"resize", "+1", "png", CodeProcess},
		{"resize", "1.5", "png", CodeProcess},
		{"resize", "65536", "png", CodeProcess},
		{"resize", "99999999999999999999", "png", CodeProcess},
		{"resize", "box.10", "png", CodeProcess},
		{"resize", "mitchell.", "png", CodeProcess},
		{"resize", ".10", "png", CodeProcess},
		{"resize", "a", "png", CodeProcess},
		{"resize", "a0", "png", CodeProcess},
		{"resize", "a99999999999", "png", CodeProcess},
		{"thumbnail", "0", "png", CodeProcess},
		{"thumbnail", "ten", "png", CodeProcess},
		{"thumbnail", "mitchell.10", "png", CodeProcess},
		{"crop", "1", "png", CodeProcess},
		{"crop", "1x", "png", CodeProcess},
		{"crop", "0x1", "png", CodeProcess},
		{"crop", "1x0", "png", CodeProcess},
		{"crop", "1x1x1", "png", CodeProcess},
		{"crop", "1:1", "png", CodeProcess},
		{"blur", "", "png", CodeProcess},
		{"blur", "0", "png", CodeProcess},
		{"blur", "-1", "png", CodeProcess},
		{"blur", "0.001", "png", CodeProcess},
		{"blur", "101", "png", CodeProcess},
		{"blur", "NaN", "png", CodeProcess},
		{"blur", "Inf", "png", CodeProcess},
		{"blur", "1e999", "png", CodeProcess},
	} {
		_, err := ParseProcess([]KeyValue{{test.key, test.value}}, test.format)
		if err == nil {
			t.Errorf("%s=%s in %q was taken", test.key, test.value, test.format)
			continue
		}
		wantCode(t, err, test.code)
		if test.value != "" && len(test.value) > 4 && strings.Contains(err.Error(), test.value) {
			t.Errorf("the message repeats what was sent: %v", err)
		}
	}
}

func TestTooManyOperations(t *testing.T) {
	query := slices.Repeat([]KeyValue{{"blur", "1"}}, maxOperations)
	if _, err := ParseProcess(query, "png"); err != nil {
		t.Fatal(err)
	}
	_, err := ParseProcess(append(query, KeyValue{"blur", "1"}), "png")
	wantCode(t, err, CodeProcess)
	if _, err := ParseProcess(append(query, KeyValue{"identity", ""}), "png"); err != nil {
		t.Errorf("identity counted as an operation: %v", err)
	}
}

func TestVariantsThatAreNot(t *testing.T) {
	for _, variant := range []string{
		"", "/", "png", "/png", "resize/png", "identity/identity/png", "resize/200/", "resize/200",
		"resize/200/png/", "/resize/200/png", "resize//200/png", "resize/0200/png", "resize/lanczos2.200/png",
		"crop/2x2/png", "blur/1.50/png", "resize/200/jpeg", "identity/resize/200/png", "src/a/png", "resize/200/../png",
	} {
		if p, err := ParseVariant(variant); err == nil {
			t.Errorf("%q was taken, as %q", variant, p.Variant())
		}
	}
}

func TestParseQueryKeepsTheOrder(t *testing.T) {
	got, err := ParseQuery("b=1&a=%32&b=x+y&c&d=1=2")
	want := []KeyValue{{"b", "1"}, {"a", "2"}, {"b", "x y"}, {"c", ""}, {"d", "1=2"}}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("got %v, %v, want %v", got, err, want)
	}
	_, err = ParseQuery("a=%zz")
	wantCode(t, err, CodeProcess)
}

func TestIsOperation(t *testing.T) {
	for _, name := range []string{"identity", "blur", "thumbnail", "resize", "crop"} {
		if !IsOperation(name) {
			t.Errorf("%s is none", name)
		}
	}
	for _, name := range []string{"", "src", "max_width", "allow_video", "rotate"} {
		if IsOperation(name) {
			t.Errorf("%s is one", name)
		}
	}
}

func TestFormatsAreAllOffered(t *testing.T) {
	for _, format := range Formats() {
		p, err := ParseProcess(nil, format)
		if err != nil || p.ContentType() == "" || p.Extension() == "" {
			t.Errorf("%s: %+v, %v", format, p, err)
		}
	}
}

func FuzzParseProcess(f *testing.F) {
	for _, seed := range []string{"resize=lanczos.200&crop=16x9", "blur=1.5&identity=&thumbnail=64", "src=a&resize=a4000", "crop=32x18&blur=1e1"} {
		f.Add(seed, "webp")
	}
	f.Fuzz(func(t *testing.T, raw, format string) {
		query, err := ParseQuery(raw)
		if err != nil {
			return
		}
		// What net/url reads from a query is read here, too.
		if values, err := url.ParseQuery(raw); err == nil {
			count := 0
			for _, all := range values {
				count += len(all)
			}
			if count != len(query) {
				t.Fatalf("%d arguments were read, not %d", len(query), count)
			}
		}
		p, err := ParseProcess(query, format)
		if err != nil {
			return
		}
		again, err := ParseVariant(p.Variant())
		if err != nil || again.Variant() != p.Variant() {
			t.Fatalf("variant %q comes back as %q, %v", p.Variant(), again.Variant(), err)
		}
	})
}
