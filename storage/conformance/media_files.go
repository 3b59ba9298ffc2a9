package conformance

import (
	"bytes"
	"strings"

	mediav1 "github.com/mortise-storage/mortise/api/mortise/media/v1"
	"github.com/mortise-storage/mortise/storage/fault"
)

func detailsCases() []mediaCase {
	const (
		stores  = "details are JSON, and come back with the same meaning"
		keeps   = "details never change: those that are there stay or are replaced, which is no error"
		exact   = "details belong to one identifier, which is compared exactly"
		forgets = "the details of that identifier are forgotten; none is no error"
	)
	all := keys(detailsRelate, detailsGet, detailsCleanup)
	return []mediaCase{
		{name: "details.relate stores details", on: keys(detailsRelate, detailsGet), says: stores,
			run: func(g *gallery) {
				for _, details := range []string{
					`{"width":1920,"height":1080,"frames":null,"content_type":"image/webp","created_at":"2024-02-29T23:59:60Z","format":"Image"}`,
					`{}`, `{"frames":0,"nested":{"list":[1,2.5,-3e10,true,false,null,{"a":[]}]}}`,
					`{"text":"quote \" backslash \\ slash \/ line \n tab \t '\\x00' @p $1 -- ","ünïcödé":"日本語 🙂 \ud83d\ude00"}`,
					`{"b":1,"a":2,"aa":3,"B":4}`, `{"big":9007199254740993,"long":"` + strings.Repeat("x", 10000) + `"}`, " { \"spaces\" : \n 1 } ",
				} {
					identifier := newIdentifier()
					g.detailed(identifier, details)
					g.describedAs(identifier, details)
				}
			}},
		{name: "details.relate of existing details keeps or replaces them", on: keys(detailsRelate, detailsGet), says: keeps,
			run: func(g *gallery) {
				identifier := newIdentifier()
				g.detailed(identifier, `{"width":1}`)
				for range 2 {
					ask(g, g.media.Details.Relate, &mediav1.RelateDetailsRequest{Identifier: identifier, Details: `{"width":2}`})
				}
				if got := ask(g, g.media.Details.Get, &mediav1.IdentifierRequest{Identifier: identifier}).Details; !sameJSON(got, `{"width":1}`) && !sameJSON(got, `{"width":2}`) {
					g.t.Errorf("the details are %s; they should be the first or the second ones", got)
				}
				g.affects(1, "cleanup", ask(g, g.media.Details.Cleanup, &mediav1.IdentifierRequest{Identifier: identifier}))
			}},
		{name: "details.get keeps identifiers apart", on: all, says: exact,
			run: func(g *gallery) {
				base := newIdentifier()
				want := map[string]string{}
				for i, identifier := range similar(base) {
					want[identifier] = `{"width":` + strings.Repeat("1", i+1) + `}`
					g.detailed(identifier, want[identifier])
				}
				for _, identifier := range similar(base) {
					g.describedAs(identifier, want[identifier])
				}
				for i, identifier := range similar(base) {
					g.affects(1, "cleanup", ask(g, g.media.Details.Cleanup, &mediav1.IdentifierRequest{Identifier: identifier}))
					for j, other := range similar(base) {
						if j <= i {
							g.describedAs(other, "")
						} else {
							g.describedAs(other, want[other])
						}
					}
				}
			}},
		{name: "details.get finds nothing for an unknown identifier", on: keys(detailsGet), says: exact,
			run: func(g *gallery) {
				identifier := newIdentifier()
				g.describedAs(identifier, "")
				g.detailed(identifier, `{"width":1}`)
				for _, unknown := range append(similar(identifier)[1:], "'", "%") {
					g.describedAs(unknown, "")
				}
			}},
		{name: "details.cleanup of nothing is no error", on: keys(detailsCleanup), says: forgets,
			run: func(g *gallery) {
				g.affects(0, "cleanup of an unknown identifier", ask(g, g.media.Details.Cleanup, &mediav1.IdentifierRequest{Identifier: newIdentifier()}))
			}},
		{name: "details.relate stores forgotten details again", on: all, says: forgets,
			run: func(g *gallery) {
				identifier := newIdentifier()
				g.detailed(identifier, `{"width":1}`)
				ask(g, g.media.Details.Cleanup, &mediav1.IdentifierRequest{Identifier: identifier})
				g.detailed(identifier, `{"width":2}`)
				g.describedAs(identifier, `{"width":2}`)
			}},
		{name: "details.relate takes any identifier", on: all, says: "an identifier is any text",
			run: func(g *gallery) {
				for _, odd := range oddTexts() {
					identifier := unique(6) + odd
					g.detailed(identifier, `{"width":1}`)
					g.describedAs(identifier, `{"width":1}`)
					ask(g, g.media.Details.Cleanup, &mediav1.IdentifierRequest{Identifier: identifier})
					g.describedAs(identifier, "")
				}
			}},
		{name: "details.relate refuses what is no JSON", on: keys(detailsRelate), says: "details are JSON; anything else is refused, and nothing is stored",
			run: func(g *gallery) {
				identifier := newIdentifier()
				g.forgetLater(identifier)
				for _, wrong := range []string{"", "{", "{'a':1}", "width", `{"a":1}}`} {
					g.rejects(try(g, g.media.Details.Relate, &mediav1.RelateDetailsRequest{Identifier: identifier, Details: wrong}))
				}
				g.describedAs(identifier, "")
			}},
	}
}

// rejects checks that a value was refused, be it before a query was sent or by the database.
func (g *gallery) rejects(err error) {
	g.t.Helper()
	if reason := fault.ReasonOf(err); reason != fault.InvalidArgument && reason != fault.Rejected {
		g.t.Errorf("a value that makes no sense: reason %q; it should be refused (%v)", reason, err)
	}
}

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
