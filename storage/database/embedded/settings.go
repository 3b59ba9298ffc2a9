//go:build unix && !aix && !solaris

package embedded

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// ownSettings are those that the package lives on; Options.Settings may not contain them.
var ownSettings = []string{
	"config_file", "data_directory", "external_pid_file", "hba_file", "ident_file", "lc_messages",
	"listen_addresses", "log_destination", "log_line_prefix", "logging_collector", "port",
	"unix_socket_directories", "unix_socket_group", "unix_socket_permissions",
}

var settingName = regexp.MustCompile(`^[a-z_][a-z0-9_]*(\.[a-z_][a-z0-9_]*)?$`)

// checkSettings returns the settings under lower-case names, as PostgreSQL compares them. An error
// names the setting, never its value.
func checkSettings(given map[string]string) (map[string]string, error) {
	checked := make(map[string]string, len(given))
	for name, value := range given {
		lower := strings.ToLower(name)
		switch {
		case !settingName.MatchString(lower):
			return nil, fmt.Errorf("%q is not the name of a server setting", name)
		case slices.Contains(ownSettings, lower):
			return nil, fmt.Errorf("setting %s cannot be changed on the embedded server, which depends on it; run a server of your own for that", name)
		case strings.ContainsRune(value, 0):
			return nil, fmt.Errorf("the value of setting %s contains a NUL byte", name)
		}
		checked[lower] = value
	}
	return checked, nil
}

// arguments are the server's command line: the package's own settings, then those of the options.
// The log's form comes first so that it holds for complaints about later ones.
func arguments(l layout, major int, more map[string]string) []string {
	args := []string{
		"-D", l.cluster,
		"-c", "lc_messages=C", // the words for severity are read
		"-c", "log_line_prefix=" + logPrefix,
		"-c", "log_destination=stderr",
		"-c", "logging_collector=off",
		"-c", "hba_file=" + l.hba,
		"-c", "ident_file=" + l.ident,
		"-c", "listen_addresses=",
		"-c", "port=" + socketPort,
		"-c", `unix_socket_directories="` + l.socket + `"`,
		"-c", "unix_socket_group=",
		"-c", "unix_socket_permissions=0700",
	}
	settings := defaultSettings(major)
	maps.Copy(settings, more)
	for _, name := range slices.Sorted(maps.Keys(settings)) {
		args = append(args, "-c", name+"="+settings[name])
	}
	return args
}

// defaultSettings hold where the options say nothing: writes that were acknowledged are on disk,
// and neither statements nor their arguments are logged. All else is as PostgreSQL has it.
func defaultSettings(major int) map[string]string {
	settings := map[string]string{
		"cluster_name":            "mortise", // shown by ps
		"fsync":                   "on",
		"full_page_writes":        "on",
		"synchronous_commit":      "on",
		"log_checkpoints":         "off", // "on" since 15: two lines every five minutes
		"log_statement":           "none",
		"log_min_error_statement": "panic", // an ERROR is logged without the statement
	}
	if major >= 13 {
		settings["log_parameter_max_length"] = "0"
		settings["log_parameter_max_length_on_error"] = "0"
	}
	return settings
}
