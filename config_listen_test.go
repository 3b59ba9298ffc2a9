package mortise_test

import (
	"fmt"
	"strings"
	"testing"
)

func TestListenConnection(t *testing.T) {
	for text, rule := range map[string]string{
		"host=direct dbname=media password=s3cr3t": "",
		"postgres://u:s3cr3t@direct/media":         "",
		"postgres://u:s3cr3t@direct:notaport/m":    "listen-connection",
		"embedded":                                 "listen-embedded",
	} {
		config, problems := load(t, minimal+"listen_connection_string: '"+text+"'\n")
		if rule == "" {
			if problems.Err() != nil || config.Storage.ListenConnection != text || !config.Given("listen_connection_string") {
				t.Errorf("%s: %v", text, problems)
			}
			continue
		}
		if len(problems) != 1 || problems[0].Rule != rule || problems[0].Line == 0 || problems[0].Key != "listen_connection_string" {
			t.Errorf("%s: %v, want %s", text, problems, rule)
		}
		if strings.Contains(fmt.Sprintf("%+v", problems), "s3cr3t") {
			t.Error("the password is shown")
		}
	}
	_, problems := load(t, strings.Replace(minimal, "host=db.example dbname=site user=mortise", "embedded", 1)+"listen_connection_string: host=direct\n")
	if len(problems) != 1 || problems[0].Rule != "listen-embedded" {
		t.Errorf("an embedded server with another way to it: %v", problems)
	}
}
