package host

import (
	"bytes"
	"net/netip"
	"testing"

	"github.com/mortise-storage/mortise/examples/mediaserver/files"
	"github.com/mortise-storage/mortise/examples/mediaserver/picture"
)

func TestHash(t *testing.T) {
	stored := files.Stored{Size: 0x0102030405, SHA256: [32]byte{1, 2, 3, 31: 9}}
	for format, details := range map[byte]picture.Details{
		2: {ContentType: "image/gif", Format: picture.Animation},
		5: {ContentType: "image/jpeg", Format: picture.Image},
		7: {ContentType: "image/png", Format: picture.Image},
		8: {ContentType: "image/webp", Format: picture.Image},
	} {
		hash, err := hashOf(stored, details)
		want := append(append(bytes.Clone(stored.SHA256[:]), 0, 1, 2, 3, 4, 5), format)
		if err != nil || !bytes.Equal(hash, want) {
			t.Errorf("%+v: %x, %v; want %x", details, hash, err, want)
		}
	}
	if _, err := hashOf(stored, picture.Details{ContentType: "text/plain"}); CodeOf(err) == "" {
		t.Errorf("text: %v", err)
	}
	key := variantKey(bytes.Repeat([]byte{255}, 39), "resize/20/png")
	if len(key) != 52+len("resize/20/png") || key[51:] != "/resize/20/png" {
		t.Errorf("key %q", key)
	}
}

func TestMayFetch(t *testing.T) {
	lan := []netip.Prefix{netip.MustParsePrefix("10.1.0.0/16"), netip.MustParsePrefix("fd00::/8")}
	for _, tt := range []struct {
		address string
		allowed []netip.Prefix
		want    bool
	}{
		{"93.184.215.14", nil, true},
		{"2606:2800:21f:cb07::1", nil, true},
		{"127.0.0.1", nil, false},
		{"127.255.0.3", nil, false},
		{"::1", nil, false},
		{"::ffff:127.0.0.1", nil, false},
		{"::127.0.0.1", nil, false},
		{"10.0.0.1", nil, false},
		{"172.16.0.1", nil, false},
		{"192.168.1.1", nil, false},
		{"169.254.169.254", nil, false},
		{"100.64.0.1", nil, false},
		{"0.0.0.0", nil, false},
		{"0.1.2.3", nil, false},
		{"224.0.0.1", nil, false},
		{"255.255.255.255", nil, false},
		{"fd00::1", nil, false},
		{"fe80::1%eth0", nil, false},
		{"ff02::1", nil, false},
		{"64:ff9b::7f00:1", nil, false},
		{"2002:7f00:1::1", nil, false},
		{"::", nil, false},
		{"10.1.2.3", lan, true},
		{"::ffff:10.1.2.3", lan, true},
		{"fd12::1", lan, true},
		{"10.2.0.1", lan, false},
		{"93.184.215.14", lan, false},
		{"93.184.215.14", []netip.Prefix{}, false},
	} {
		if got := mayFetch(netip.MustParseAddr(tt.address), tt.allowed); got != tt.want {
			t.Errorf("%s with %v: %v", tt.address, tt.allowed, got)
		}
	}
}

func TestNormalURL(t *testing.T) {
	for given, want := range map[string]string{
		"http://example.org":                  "http://example.org/",
		" HTTPS://Example.ORG:443/A?b=C#frag": "https://example.org/A?b=C",
		"http://example.org:80/a%20b":         "http://example.org/a%20b",
		"https://example.org:80/":             "https://example.org:80/",
		"http://[2001:DB8::1]:8080/x":         "http://[2001:db8::1]:8080/x",
	} {
		if got, err := normalURL(given); got != want || err != nil {
			t.Errorf("%q: %q, %v; want %q", given, got, err, want)
		}
	}
	for _, bad := range []string{"", "example.org/x.png", "ftp://example.org/", "file:///etc/passwd", "http://", "http:///x", "http://:80/",
		"http://user@example.org/", "http://user:password@example.org/", "http://exa mple.org/", "javascript:alert(1)", "http://example.org/?a=\xff", "http://example.org/?a=\x00",
		"http://example.org/" + string(bytes.Repeat([]byte{'a'}, maxURL))} {
		if got, err := normalURL(bad); CodeOf(err) != InvalidURL {
			t.Errorf("%q: %q, %v", bad, got, err)
		}
	}
}

func TestAliasOfImport(t *testing.T) {
	for alias, good := range map[string]bool{
		"": true, "a.png": true, "my cat ü.png": true, "...": true, ".": false, "..": false, "a/b": false, `a\b`: false, "a\x00b": false,
		"a\nb": false, "\xff": false, string(bytes.Repeat([]byte{'a'}, 255)): true, string(bytes.Repeat([]byte{'a'}, 256)): false,
	} {
		if err := checkAlias(alias); (err == nil) != good || !good && CodeOf(err) != InvalidAlias {
			t.Errorf("%q: %v", alias, err)
		}
	}
}
