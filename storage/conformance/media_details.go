package conformance

import (
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
