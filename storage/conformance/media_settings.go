package conformance

import (
	"bytes"

	mediav1 "github.com/mortise-storage/mortise/api/mortise/media/v1"
)

func settingsCases() []mediaCase {
	const (
		stores = "a value is stored as it is, and the last writer wins"
		exact  = "a value belongs to one key, which is compared exactly"
		none   = "a key without a value differs from an empty value"
	)
	all := keys(settingsSet, settingsGet)
	return []mediaCase{
		{name: "settings.set stores a value", on: all, says: stores,
			run: func(g *gallery) {
				key := g.setting([]byte("first"))
				g.sets(key, []byte("first"))
				for _, value := range [][]byte{[]byte("second"), []byte("a longer third value"), []byte("4")} {
					ask(g, g.media.Settings.Set, &mediav1.SetRequest{Key: key, Value: value})
					g.sets(key, value)
				}
			}},
		{name: "settings.set stores any bytes", on: all, says: stores,
			run: func(g *gallery) {
				for what, value := range awkward {
					g.t.Logf("a value with %s", what)
					g.sets(g.setting(value), value)
				}
				for _, value := range [][]byte{{0}, {0, 0, 0, 0, 0, 0, 1, 0}, []byte("48656c6c6f"), []byte("SGVsbG8="), random(40), random(39)} {
					g.sets(g.setting(value), value)
				}
			}},
		{name: "settings.set stores long values", on: all, says: stores, needs: []Capability{LongNames},
			run: func(g *gallery) {
				for _, length := range []int{57, 58, 77, 100, 10000} {
					value := random(length)
					g.sets(g.setting(value), value)
				}
			}},
		{name: "settings.get tells an empty value from none", on: all, says: none,
			run: func(g *gallery) {
				key := unique(8)
				absent(g, g.media.Settings.Get, &mediav1.SettingRequest{Key: key})
				key = g.setting(nil)
				g.sets(key, []byte{})
				ask(g, g.media.Settings.Set, &mediav1.SetRequest{Key: key, Value: []byte("x")})
				g.sets(key, []byte("x"))
				ask(g, g.media.Settings.Set, &mediav1.SetRequest{Key: key, Value: []byte{}})
				g.sets(key, []byte{})
			}},
		{name: "settings.get keeps keys apart", on: all, says: exact,
			run: func(g *gallery) {
				base := "404-alias " + unique(6)
				all := similar(base)
				for _, key := range all {
					absent(g, g.media.Settings.Get, &mediav1.SettingRequest{Key: key})
					g.forgetSetting(key)
					ask(g, g.media.Settings.Set, &mediav1.SetRequest{Key: key, Value: []byte("value of " + key)})
				}
				for _, key := range all {
					g.sets(key, []byte("value of "+key))
				}
			}},
		{name: "settings.set takes any key", on: all, says: "a key is any text",
			run: func(g *gallery) {
				for _, odd := range shortOddTexts() {
					key := unique(6) + odd
					g.forgetSetting(key)
					ask(g, g.media.Settings.Set, &mediav1.SetRequest{Key: key, Value: []byte(key)})
					g.sets(key, []byte(key))
				}
			}},
		{name: "settings.remove forgets a value", on: keys(settingsSet, settingsGet, settingsRemove), says: "the value of that key is forgotten; none is no error", needs: []Capability{RemovesSettings},
			run: func(g *gallery) {
				all := similar("prune " + unique(6))
				for _, key := range all {
					g.forgetSetting(key)
					ask(g, g.media.Settings.Set, &mediav1.SetRequest{Key: key, Value: []byte(key)})
				}
				g.affects(1, "remove", ask(g, g.media.Settings.Remove, &mediav1.SettingRequest{Key: all[0]}))
				absent(g, g.media.Settings.Get, &mediav1.SettingRequest{Key: all[0]})
				g.affects(0, "remove of nothing", ask(g, g.media.Settings.Remove, &mediav1.SettingRequest{Key: all[0]}))
				for _, key := range all[1:] {
					g.sets(key, []byte(key))
				}
				ask(g, g.media.Settings.Set, &mediav1.SetRequest{Key: all[0], Value: []byte("again")})
				g.sets(all[0], []byte("again"))
			}},
	}
}

// setting stores a value under a key that nobody knows.
func (g *gallery) setting(value []byte) (key string) {
	g.t.Helper()
	key = "conformance-" + unique(8)
	g.forgetSetting(key)
	ask(g, g.media.Settings.Set, &mediav1.SetRequest{Key: key, Value: value})
	return key
}

func (g *gallery) forgetSetting(key string) {
	g.later(func() { _ = try(g, g.media.Settings.Remove, &mediav1.SettingRequest{Key: key}) })
}

// sets checks the value of a key.
func (g *gallery) sets(key string, want []byte) {
	g.t.Helper()
	if got := ask(g, g.media.Settings.Get, &mediav1.SettingRequest{Key: key}).Value; !bytes.Equal(got, want) {
		g.t.Errorf("the value of a key is %s; it should be %s", brief(got), brief(want))
	}
}

func healthCases() []mediaCase {
	return []mediaCase{
		{name: "health.check writes", on: keys(healthCheck, settingsSet), says: "each check proves that the database accepts a write",
			run: func(g *gallery) {
				for range 3 {
					ask(g, g.media.Repo.Check, &mediav1.CheckRequest{})
				}
			}},
		{name: "health.check writes another value each time", on: keys(healthCheck, settingsSet), says: "the value is a counter, so that no check is answered without a write", needs: []Capability{RemovesSettings}, exclusive: true,
			run: func(g *gallery) {
				// Where the value is kept is the operator's affair; it may be the setting.
				request := &mediav1.SettingRequest{Key: "health-value"}
				ask(g, g.media.Settings.Remove, request)
				var values [][]byte
				for range 3 {
					ask(g, g.media.Repo.Check, &mediav1.CheckRequest{})
					if got, err := g.media.Settings.Get(g.ctx, request); err == nil {
						values = append(values, got.Value)
					}
				}
				for i, value := range values {
					if len(value) != 8 || (i > 0 && bytes.Compare(values[i-1], value) >= 0) {
						g.t.Errorf("the checks wrote the values %x; there should be 8 bytes that count upwards", values)
					}
				}
			}},
		{name: "health.check leaves the settings alone", on: keys(healthCheck, settingsSet), says: "a check changes no setting but its own",
			run: func(g *gallery) {
				key := g.setting([]byte("value"))
				ask(g, g.media.Repo.Check, &mediav1.CheckRequest{})
				g.sets(key, []byte("value"))
			}},
	}
}
