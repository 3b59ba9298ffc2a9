package verify

import (
	"errors"
	"net/url"
	"sort"
	"strings"
)

// with returns a connection string with further parameters, in the form that it has: URL or DSN.
func with(connString string, parameters map[string]string) (string, error) {
	if strings.HasPrefix(connString, "postgres://") || strings.HasPrefix(connString, "postgresql://") {
		u, err := url.Parse(connString)
		if err != nil {
			return "", errors.New("connection_string is no valid URL") // err holds it, with its password
		}
		query := u.Query()
		for name, value := range parameters {
			query.Set(name, value)
		}
		u.RawQuery = query.Encode()
		return u.String(), nil
	}
	names := make([]string, 0, len(parameters))
	for name := range parameters {
		names = append(names, name)
	}
	sort.Strings(names)
	escape := strings.NewReplacer(`\`, `\\`, `'`, `\'`)
	for _, name := range names {
		connString += " " + name + "='" + escape.Replace(parameters[name]) + "'" // the last one counts
	}
	return connString, nil
}
