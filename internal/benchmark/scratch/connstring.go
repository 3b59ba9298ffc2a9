package scratch

import (
	"net/url"
	"strings"
)

// with returns a connection string with another value for a keyword. Of a keyword that stands twice in
// a DSN the last one holds.
func with(connString, keyword, value string) string {
	if !strings.HasPrefix(connString, "postgres://") && !strings.HasPrefix(connString, "postgresql://") {
		return strings.TrimSpace(connString + " " + keyword + "=" + value)
	}
	u, err := url.Parse(connString)
	if err != nil {
		return connString // connect reports it
	}
	query := u.Query()
	if keyword == "dbname" {
		u.Path = "/" + value
		query.Del("dbname")
		query.Del("database")
	} else {
		query.Set(keyword, value)
	}
	u.RawQuery = query.Encode()
	return u.String()
}
