package page_test

import (
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	"github.com/mortise-storage/mortise/examples/mediaserver/page"
)

func ask(header http.Header) *httptest.ResponseRecorder {
	request := httptest.NewRequest(http.MethodGet, "/", nil)
	request.Header = header
	answer := httptest.NewRecorder()
	page.Handler().ServeHTTP(answer, request)
	return answer
}

var texts = regexp.MustCompile(`(?s)<(style|script)[^>]*>(.*?)</(?:style|script)>`)

// The policy allows the page's own script and style, by their digests, and nothing from elsewhere.
func TestPolicy(t *testing.T) {
	answer := ask(http.Header{})
	policy := answer.Header().Get("Content-Security-Policy")
	found := texts.FindAllStringSubmatch(answer.Body.String(), -1)
	if len(found) != 2 {
		t.Fatalf("there are %d styles and scripts", len(found))
	}
	for _, match := range found {
		sum := sha256.Sum256([]byte(match[2]))
		if rule := match[1] + "-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"; !strings.Contains(policy, rule+";") {
			t.Errorf("the policy %s has no rule %s", policy, rule)
		}
	}
	if !strings.HasPrefix(policy, "default-src 'none';") {
		t.Errorf("the policy %s allows what it does not name", policy)
	}
	// The namespace of the icon is no address that is asked.
	text := strings.ReplaceAll(answer.Body.String(), "http://www.w3.org/2000/svg", "")
	if strings.Contains(text, "http://") || strings.Contains(text, "https://") {
		t.Error("the page names an address elsewhere")
	}
}

// A browser that has the page already is told so.
func TestNotModified(t *testing.T) {
	first := ask(http.Header{})
	tag := first.Header().Get("ETag")
	if first.Code != http.StatusOK || tag == "" {
		t.Fatalf("status %d, tag %q", first.Code, tag)
	}
	if again := ask(http.Header{"If-None-Match": {tag}}); again.Code != http.StatusNotModified || again.Body.Len() != 0 {
		t.Errorf("status %d with %d bytes", again.Code, again.Body.Len())
	}
	if other := ask(http.Header{"If-None-Match": {`"another"`}}); other.Code != http.StatusOK {
		t.Errorf("status %d", other.Code)
	}
}
