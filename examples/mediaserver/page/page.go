// Package page is the web page of the example media server: people upload pictures there, look at
// them, make variants and delete them again. It is one document with everything in it, so that it
// works without any other address than the server's own.
//
// The page knows the server's HTTP interface, as any other client does. The package must not know
// anything behind that.
package page

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"encoding/hex"
	"io/fs"
	"net/http"
	"strings"
	"time"
)

//go:embed assets
var assets embed.FS

// document is the whole page, and policy what browsers are told that it may do.
var document, policy = assemble()

// tag changes whenever the document does.
var tag = func() string {
	sum := sha256.Sum256(document)
	return `"` + hex.EncodeToString(sum[:12]) + `"`
}()

// Handler answers with the page, whatever is asked for: it is for the server to say where the page is.
func Handler() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		header := w.Header()
		header.Set("Content-Type", "text/html; charset=utf-8")
		header.Set("Content-Security-Policy", policy)
		header.Set("X-Content-Type-Options", "nosniff")
		header.Set("Referrer-Policy", "no-referrer")
		// Always asked for again, but only sent when it has changed.
		header.Set("Cache-Control", "no-cache")
		header.Set("ETag", tag)
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(document))
	})
}

// assemble puts styles and scripts into the document. What a picture or a name says can then not run as
// a script: only these two texts may, named by their digests.
func assemble() (document []byte, policy string) {
	style, script := joined("*.css"), joined("*.js")
	page, err := assets.ReadFile("assets/page.html")
	must(err)
	document = []byte(strings.NewReplacer("/*style*/", style, "/*script*/", script).Replace(string(page)))
	policy = strings.Join([]string{
		"default-src 'none'",
		"script-src " + digest(script),
		// Elements' own style attributes are not used; what scripts set is not governed by this.
		"style-src " + digest(style),
		"img-src 'self' blob: data:",
		"connect-src 'self'",
		"base-uri 'none'",
		"form-action 'none'",
		"frame-ancestors 'none'",
	}, "; ")
	return document, policy
}

// joined returns the files of a kind in the order of their names.
func joined(pattern string) string {
	names, err := fs.Glob(assets, "assets/"+pattern)
	must(err)
	var b strings.Builder
	for _, name := range names {
		content, err := assets.ReadFile(name)
		must(err)
		b.WriteString("\n")
		b.Write(content)
	}
	return b.String()
}

// digest names a text in a policy.
func digest(text string) string {
	sum := sha256.Sum256([]byte(text))
	return "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
}

// must is for files that are part of the program.
func must(err error) {
	if err != nil {
		panic(err)
	}
}
