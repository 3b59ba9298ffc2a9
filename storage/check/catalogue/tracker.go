package catalogue

import (
	"fmt"
	"strings"

	"github.com/mortise-storage/mortise/storage/problem"
)

// trackerSection is the section of a BitTorrent tracker.
const trackerSection = "tracker"

// trackerNames are what the tracker's contract calls rules that hold for every domain.
var trackerNames = map[string]string{
	ruleTimeWithoutZone: "T16",
	ruleChurningIndex:   "T17",
	ruleNullIsPresent:   "T19",
}

// named is the name under which a rule reports for a statement.
func (c *checker) named(r *reading, rule string) string {
	if name := trackerNames[rule]; name != "" && r.op.Section == trackerSection {
		return name
	}
	return rule
}

// trackerCounter reports the counter of downloads, whose rows outlive the peers: a tracker that is open
// to all hashes collects rows of hashes that nobody ever asks for again.
func (c *checker) trackerCounter(k *counter, limit int64) bool {
	if k.reading.op.Key != "tracker.downloads.inc_query" {
		return false
	}
	var says, fixes []string
	t := k.write.use.table
	if limit > 0 {
		says = append(says, "counter is 32-bit")
		fixes = append(fixes, fmt.Sprintf("ALTER TABLE %s ALTER COLUMN %s TYPE bigint;", t, quote(k.set.column.name)))
	}
	if k.write.command == "INSERT" && !c.removed(t) {
		says = append(says, "counter rows are never removed")
		fixes = append(fixes, "if the tracker is open to any hash, delete the counters of torrents that are gone in a job of your own")
	}
	if says != nil {
		c.report(problem.Info, "T18", k.reading, k.set.at, strings.Join(says, "; "), strings.Join(fixes, " "))
	}
	return true
}
