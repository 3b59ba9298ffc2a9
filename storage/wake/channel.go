package wake

import (
	"strings"

	"github.com/mortise-storage/mortise/storage/query/sqltext"
)

// longestName is how many bytes of an identifier PostgreSQL keeps (its manual, "Identifiers and Key
// Words").
const longestName = 63

// channel returns the name of the channel that a subscription listens on; false if it is neither given
// nor to be seen in the statement, as with a function that listens.
func (s Subscription) channel() (string, bool) {
	if s.Channel != "" {
		return s.Channel, true
	}
	if s.Listen == nil {
		return "", false
	}
	return channelOf(s.Listen.Positional())
}

// channelOf reads LISTEN name.
func channelOf(sql string) (string, bool) {
	all, err := sqltext.Tokenize(sql)
	if err != nil {
		return "", false
	}
	var words []string
	for _, t := range all {
		if t.Means() {
			words = append(words, t.Text(sql))
		}
	}
	if len(words) == 3 && words[2] == ";" {
		words = words[:2]
	}
	if len(words) != 2 || !strings.EqualFold(words[0], "LISTEN") {
		return "", false
	}
	return identifier(words[1]), true
}

// identifier returns the name that an identifier means.
func identifier(text string) string {
	if inner, quoted := strings.CutPrefix(text, `"`); quoted {
		text = strings.ReplaceAll(strings.TrimSuffix(inner, `"`), `""`, `"`)
	} else {
		text = strings.Map(lowerASCII, text)
	}
	if len(text) > longestName {
		text = strings.ToValidUTF8(text[:longestName], "")
	}
	return text
}

// lowerASCII folds as the server does for names outside of quotes; beyond ASCII that depends on its
// encoding, and is left alone.
func lowerASCII(r rune) rune {
	if 'A' <= r && r <= 'Z' {
		return r + 'a' - 'A'
	}
	return r
}
