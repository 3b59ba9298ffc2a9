package mutation

import (
	"maps"

	"google.golang.org/protobuf/proto"

	"github.com/mortise-storage/mortise/storage"
)

// sharpened are the domains that have settings with which cases see more than with the operator's: a
// limit that is too high to be reached says nothing about the query that has it.
var sharpened = map[string]func(proto.Message) proto.Message{"tracker": trackerSettings, "media": mediaSettings}

// sharpen returns the configuration that the cases of a section are run with. The queries stay as they
// are.
func sharpen(config storage.Config, section string) storage.Config {
	change := sharpened[section]
	if change == nil || config.Settings[section] == nil {
		return config
	}
	config.Settings = maps.Clone(config.Settings)
	config.Settings[section] = change(config.Settings[section])
	config.Sources.Settings = config.Settings
	return config
}
