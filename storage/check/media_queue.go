package check

import (
	"strings"

	mediav1 "github.com/mortise-storage/mortise/api/mortise/media/v1"
	"github.com/mortise-storage/mortise/storage/query/syntax"
)

// The rules of the media contract for jobs, uploads in the background, and notifications.

const (
	mediaSection      = "media"
	jobClaimQuery     = "media.queue.claim_query"
	jobStaleQuery     = "media.queue.requeue_stale_query"
	jobBeatQuery      = "media.queue.heartbeat_query"
	jobCompleteQuery  = "media.queue.complete_query"
	jobFailQuery      = "media.queue.fail_query"
	jobDiscardQuery   = "media.queue.discard_exhausted_query"
	jobAckQuery       = "media.queue.ack_worker_query"
	uploadDoneQuery   = "media.uploads.complete_query"
	jobListenQuery    = "media.queue.listen_query"
	uploadListenQuery = "media.uploads.listen_query"
	claimListenQuery  = "media.variants.listen_query"
	claimQuery        = "media.variants.claim_query"
	claimExpireQuery  = "media.variants.expire_claims_query"
)

var mediaQueueLints = []*lint{
	{
		Rule: Rule{Name: "M01", Title: "Workers wait for each other",
			Explanation: "All workers look for the oldest job at the same time and find the same one. Without SKIP LOCKED each but the first waits until the first has committed, and then finds the job taken: they get it twice, or nothing, and never work side by side. Lock the row that is chosen with FOR UPDATE SKIP LOCKED.",
			Source:      "media contract, queue.claim; PostgreSQL manual, SELECT, The Locking Clause"},
		on: always(warning),
		statement: of(func(r *reading, f *finder) {
			if r.has("FOR", "UPDATE") && !r.has("SKIP", "LOCKED") {
				f.at(r.offset(r.find(0, "FOR", "UPDATE")), "workers wait for each other at the oldest job", "write FOR UPDATE SKIP LOCKED")
			} else if at := r.top("UPDATE"); at >= 0 && r.tree != nil && !r.has("SKIP", "LOCKED") {
				f.at(r.offset(at), "two workers can get the same job, or wait for each other", "choose the row in a sub-select with FOR UPDATE SKIP LOCKED")
			}
		}, jobClaimQuery),
	},
	{
		Rule: Rule{Name: "M02", Title: "A job without attempts left is handed out",
			Explanation: "The query returns how many attempts a job has left, and does not ask for at least one. A job that failed for the last time while the step that removes it was lost would then be tried again, and again.",
			Source:      "media contract, queue.claim"},
		on:        always(warning),
		statement: of(anyAttempts, jobClaimQuery),
	},
	{
		Rule: Rule{Name: "M03", Title: "A dead worker costs an attempt",
			Explanation: "Attempts count failures that a worker has told. A worker that dies says nothing of the job, so making its job new must leave the number as it is; otherwise a few restarts of the service use up the attempts of jobs that are quite in order.",
			Source:      "media contract, queue.requeue_stale"},
		on:        always(warning),
		statement: of(countsAttempts, jobStaleQuery),
	},
	{
		Rule: Rule{Name: "M04", Title: "A job is changed that another worker holds",
			Explanation: "A worker that was away for too long has lost its job: it is new again, or another worker has it. The query must compare the worker in WHERE, so that such a late message hits nothing. Setting the column to @worker is no comparison.",
			Source:      "media contract, queue, lost job"},
		on:        always(warning),
		statement: of(ofAnyWorker, jobBeatQuery, jobCompleteQuery, jobFailQuery, jobAckQuery),
	},
	{
		Rule: Rule{Name: "M05", Title: "A job that failed for good stays",
			Explanation: "fail_query takes an attempt off and deletes nothing, and there is no discard_exhausted_query behind it. A job without attempts is never handed out again, so it would stay, and hold its unique key, until requeue_stale_query removes it, if that does.",
			Source:      "media contract, queue.fail"},
		on:   always(warning),
		file: exhaustedStay,
	},
	{
		Rule: Rule{Name: "M15", Title: "A claim that nobody gives back stays for ever",
			Explanation: "Whoever generates a variant holds a claim on it, and may die before giving it back. The query takes over no stale claim (it does not use @stale_before), and there is no expire_claims_query, which would remove it before. So that variant could never be generated.",
			Source:      "media contract, variants.claim"},
		on: always(warning),
		file: func(file *file, f *finder) {
			r := file.statement(claimQuery)
			if r != nil && r.tree != nil && !r.statement.Uses("stale_before") && file.statement(claimExpireQuery) == nil {
				f.in(r).at(r.start(), "the claim of a process that died is never free again", "take it over where its heartbeat is at or before @stale_before, or add expire_claims_query")
			}
		},
	},
	{
		Rule: Rule{Name: "M06", Title: "A claimed upload comes back",
			Explanation: "An upload that was claimed is gone, and the end of its processing can come after that. A query that inserts a row where there is none makes the upload again, with a result that nobody will claim. Update the row that is there, and nothing else.",
			Source:      "media contract, uploads.complete"},
		on: always(warning),
		statement: of(func(r *reading, f *finder) {
			for _, word := range []string{"INSERT", "UPSERT", "MERGE"} {
				if at := r.find(0, word); at >= 0 {
					f.at(r.offset(at), "this makes an upload that was claimed or dropped meanwhile", "write UPDATE .. SET result = @result WHERE the id is @upload_id")
					return
				}
			}
		}, uploadDoneQuery),
	},
	{
		Rule: Rule{Name: "M07", Title: "Nobody knows what is listened to",
			Explanation: "Notifications are told apart by their channel. Its name is taken from what stands behind LISTEN, or from the key listen_channel; if there is neither, or if they differ, notifications arrive and wake nobody. Those who wait then look at intervals only.",
			Source:      "media contract, listen_channel"},
		on:   always(warning),
		file: unknownChannel,
	},
}

// anyAttempts reports a claim that returns the attempts and has no condition on them.
func anyAttempts(r *reading, f *finder) {
	if r.tree == nil {
		return
	}
	for _, target := range results(r.tree) {
		column := last(columnOf(target.Child("val")))
		if resultName(target) != r.resultColumn("retry") || column == "" {
			continue
		}
		compared := contains(r.tree, func(n *syntax.Node) bool {
			return n.Has("whereClause") && comparesColumn(n.Child("whereClause"), column)
		})
		if !compared {
			f.at(locate(target), "jobs without an attempt left are handed out, too", "add AND "+column+" > 0 to the choice")
		}
	}
}

// resultColumn is what a column of the contract is called in the statement's result.
func (r *reading) resultColumn(name string) string {
	for _, c := range r.op.Columns {
		if c.Name == name {
			return r.column(c)
		}
	}
	return name
}

func countsAttempts(r *reading, f *finder) {
	each(r.tree, "UpdateStmt", func(update *syntax.Node) {
		for _, target := range update.List("targetList") {
			if at, found := grows(target.Child("val"), target.Text("name")); found {
				f.at(at, "a job loses an attempt because its worker died", "leave "+target.Text("name")+" as it is")
			}
		}
	})
}

// ofAnyWorker reports a change that uses @worker, and not to choose the row.
func ofAnyWorker(r *reading, f *finder) {
	if r.tree == nil || !r.statement.Uses("worker") {
		return
	}
	changes := 0
	chosen := contains(r.tree, func(n *syntax.Node) bool {
		if n.Kind == "UpdateStmt" || n.Kind == "DeleteStmt" {
			changes++
		}
		return n.Has("whereClause") && r.usesParameter(n.Child("whereClause"), "worker")
	})
	if changes > 0 && !chosen {
		f.at(r.start(), "the job of another worker is changed as well", "add AND worker = @worker to WHERE")
	}
}

// usesParameter says whether the parameter stands anywhere below a node.
func (r *reading) usesParameter(n *syntax.Node, name string) bool {
	return contains(n, func(n *syntax.Node) bool {
		p := r.parameter(parameterNumber(n))
		return p != nil && p.Name == name
	})
}

func exhaustedStay(file *file, f *finder) {
	fail := file.statement(jobFailQuery)
	if fail == nil || fail.tree == nil || file.statement(jobDiscardQuery) != nil {
		return
	}
	if fail.has("DELETE") || fail.command() == "SELECT" { // which calls a function that may do it
		return
	}
	f.in(fail).at(fail.start(), "a job that has no attempt left is not removed", "add discard_exhausted_query")
}

// unknownChannel compares each LISTEN with the setting beside it.
func unknownChannel(file *file, f *finder) {
	settings, _ := file.Settings[mediaSection].(*mediav1.SectionSettings)
	for key, setting := range map[string]string{
		jobListenQuery: settings.GetQueueListenChannel(), uploadListenQuery: settings.GetUploadsListenChannel(), claimListenQuery: settings.GetVariantsListenChannel(),
	} {
		r := file.statement(key)
		if r == nil {
			continue
		}
		channel := listened(r)
		switch {
		case channel == "" && setting == "":
			f.in(r).at(r.start(), "the channel that this listens to is not known", "write LISTEN channel, or give its name with listen_channel")
		case channel != "" && setting != "" && channel != setting:
			f.in(r).at(r.start(), "this listens to "+channel+", and listen_channel is "+setting, "give both the same name, or leave listen_channel out")
		}
	}
}

// listened returns the channel behind LISTEN as the server reads it; "" if there is none.
func listened(r *reading) string {
	i := r.find(0, "LISTEN")
	if i < 0 || i+1 >= len(r.tokens) {
		return ""
	}
	name := r.tokens[i+1].Text(r.text)
	if strings.HasPrefix(name, `"`) {
		return strings.ReplaceAll(strings.Trim(name, `"`), `""`, `"`)
	}
	return strings.ToLower(name)
}
