package conformance

import (
	"slices"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	mediav1 "github.com/mortise-storage/mortise/api/mortise/media/v1"
	"github.com/mortise-storage/mortise/storage/fault"
)

// mediaUploadCases are the behaviours of uploads in the background.
func mediaUploadCases() []mediaCase {
	return slices.Concat(uploadLifeCases(), uploadWaitCases(), uploadExpiryCases())
}

// Results of uploads as hosts write them.
const (
	succeeded = `{"Success":{"alias":"a'b \" ☃.png","token":"$1 @result -- ;"}}`
	failed    = `{"Failure":{"message":"it's 100% broken","code":"validate-file-size"}}`
)

// background begins an upload in the background.
func (g *gallery) background() []byte {
	g.t.Helper()
	id := ask(g, g.media.Uploads.Create, &mediav1.CreateUploadRequest{}).UploadId
	if len(id) != 16 {
		g.t.Fatalf("Uploads.Create: an id of %d bytes; it should be 16", len(id))
	}
	return id
}

// completeUpload sets the result, and checks how many uploads that changed.
func (g *gallery) completeUpload(id []byte, result string, affected int64) {
	g.t.Helper()
	got := ask(g, g.media.Uploads.Complete, &mediav1.CompleteUploadRequest{UploadId: id, Result: result}).Affected
	if got != nil && *got != affected {
		g.t.Errorf("Uploads.Complete: %d affected; it should be %d", *got, affected)
	}
}

// uploaded checks what is known of an upload: its result, or "" while it is running.
func (g *gallery) uploaded(id []byte, want string) {
	g.t.Helper()
	checkResult(g, "Uploads.Result", ask(g, g.media.Uploads.Result, &mediav1.UploadRequest{UploadId: id}), want)
}

func checkResult(g *gallery, call string, got *mediav1.UploadResult, want string) {
	g.t.Helper()
	switch {
	case want == "" && got.GetResult() != "":
		g.t.Errorf("%s: a result, though the upload is running", call)
	case want != "" && (got.Result == nil || !sameJSON(*got.Result, want)):
		g.t.Errorf("%s: the result is %s; it should mean %s", call, got.GetResult(), want)
	}
}

// noUpload checks that an upload is not there.
func (g *gallery) noUpload(id []byte) {
	g.t.Helper()
	refuse(g, codes.FailedPrecondition, fault.Precondition, g.media.Uploads.Result, &mediav1.UploadRequest{UploadId: id})
	refuse(g, codes.FailedPrecondition, fault.Precondition, g.media.Uploads.Claim, &mediav1.UploadRequest{UploadId: id})
	refuse(g, codes.FailedPrecondition, fault.Precondition, g.media.Uploads.Wait, &mediav1.UploadRequest{UploadId: id})
}

func (g *gallery) claimUpload(id []byte) {
	g.t.Helper()
	if got := ask(g, g.media.Uploads.Claim, &mediav1.UploadRequest{UploadId: id}).Affected; got != nil && *got != 1 {
		g.t.Errorf("Uploads.Claim: %d affected; it should be 1", *got)
	}
}

func uploadLifeCases() []mediaCase {
	const (
		running = "an upload has no result until it is completed"
		taken   = "an upload is there until it is claimed, once"
	)
	life := keys(uploadsCreate, uploadsResult, uploadsComplete, uploadsClaim)
	return []mediaCase{
		{name: "uploads.create begins an upload without a result", on: keys(uploadsCreate, uploadsResult), says: running,
			run: func(g *gallery) {
				first, second := g.background(), g.background()
				if string(first) == string(second) {
					g.t.Errorf("two uploads have one id")
				}
				g.uploaded(first, "")
				g.uploaded(second, "")
			}},
		{name: "uploads.create takes an id", on: keys(uploadsCreate, uploadsResult), says: "the id that is returned is that of the upload",
			run: func(g *gallery) {
				given := newUUID()
				id := ask(g, g.media.Uploads.Create, &mediav1.CreateUploadRequest{UploadId: given}).UploadId
				g.uploaded(id, "")
				if string(id) != string(given) {
					g.noUpload(given) // the database makes ids of its own
				}
			}},
		{name: "uploads.create may be repeated", on: keys(uploadsCreate, uploadsResult),
			says: "a request that is sent again begins the same upload, if the id is stored", needs: []Capability{StoresUploadID},
			run: func(g *gallery) {
				given := newUUID()
				for range 2 {
					if id := ask(g, g.media.Uploads.Create, &mediav1.CreateUploadRequest{UploadId: given}).UploadId; string(id) != string(given) {
						g.t.Errorf("Uploads.Create with an id returns another one")
					}
				}
				g.uploaded(given, "")
				g.completeUpload(given, succeeded, 1)
				g.uploaded(given, succeeded)
				g.claimUpload(given)
				g.noUpload(given)
			}},
		{name: "uploads.complete sets the result of one upload", on: keys(uploadsComplete, uploadsResult), says: running,
			run: func(g *gallery) {
				before, one, after := g.background(), g.background(), g.background()
				for _, result := range []string{succeeded, failed, `"text"`, `{}`, `{"a":[1,null,true,{"b":""}]}`} {
					id := g.background()
					g.completeUpload(id, result, 1)
					g.uploaded(id, result)
				}
				g.completeUpload(one, succeeded, 1)
				g.uploaded(before, "")
				g.uploaded(one, succeeded)
				g.uploaded(after, "")
				g.completeUpload(after, failed, 1)
				g.uploaded(before, "")
				g.uploaded(one, succeeded)
				g.uploaded(after, failed)
			}},
		{name: "uploads.result of an unknown upload is refused", on: life, says: "an upload that never existed counts as claimed",
			run: func(g *gallery) {
				g.background()
				g.noUpload(newUUID())
			}},
		{name: "uploads.claim takes one upload away", on: life, says: taken,
			run: func(g *gallery) {
				before, one, after := g.background(), g.background(), g.background()
				for _, id := range [][]byte{before, one, after} {
					g.completeUpload(id, succeeded, 1)
				}
				g.claimUpload(one)
				g.noUpload(one)
				g.uploaded(before, succeeded)
				g.uploaded(after, succeeded)
				g.claimUpload(before)
				g.claimUpload(after)
			}},
		{name: "uploads.claim takes an upload without a result", on: life, says: taken,
			run: func(g *gallery) {
				id, other := g.background(), g.background()
				g.claimUpload(id)
				g.noUpload(id)
				g.uploaded(other, "")
			}},
		{name: "uploads.complete never brings an upload back", on: life, says: "an upload that is gone stays gone",
			run: func(g *gallery) {
				unknown, running, done := newUUID(), g.background(), g.background()
				g.completeUpload(done, succeeded, 1)
				g.claimUpload(running)
				g.claimUpload(done)
				for _, id := range [][]byte{unknown, running, done} {
					g.completeUpload(id, failed, 0)
					g.noUpload(id)
				}
			}},
		{name: "uploads serve many callers at once", on: life, says: "every caller's upload is its own", run: manyUploads},
		{name: "uploads refuse ids that are none", on: life, says: "what cannot be meant is refused before the database is asked",
			run: func(g *gallery) {
				for _, bad := range [][]byte{{}, newUUID()[:15], append(newUUID(), 0)} {
					one := &mediav1.UploadRequest{UploadId: bad}
					refuse(g, codes.InvalidArgument, fault.InvalidArgument, g.media.Uploads.Result, one)
					refuse(g, codes.InvalidArgument, fault.InvalidArgument, g.media.Uploads.Claim, one)
					refuse(g, codes.InvalidArgument, fault.InvalidArgument, g.media.Uploads.Wait, one)
					refuse(g, codes.InvalidArgument, fault.InvalidArgument, g.media.Uploads.Complete, &mediav1.CompleteUploadRequest{UploadId: bad, Result: succeeded})
				}
				id := g.background()
				for _, bad := range []string{"", "{", "text"} {
					notJSON(g, g.media.Uploads.Complete, &mediav1.CompleteUploadRequest{UploadId: id, Result: bad})
				}
				g.uploaded(id, "")
			}},
	}
}

func manyUploads(g *gallery) {
	ids := make([][]byte, 18)
	result := func(i int) string {
		if i%3 == 1 {
			return succeeded
		}
		return failed
	}
	report(g.t, "an upload", together(len(ids), func(i int) error {
		got, err := g.media.Uploads.Create(g.ctx, &mediav1.CreateUploadRequest{})
		if ids[i] = got.GetUploadId(); err != nil || i%3 == 0 {
			return err
		}
		if _, err = g.media.Uploads.Complete(g.ctx, &mediav1.CompleteUploadRequest{UploadId: ids[i], Result: result(i)}); err != nil || i%3 == 1 {
			return err
		}
		_, err = g.media.Uploads.Claim(g.ctx, &mediav1.UploadRequest{UploadId: ids[i]})
		return err
	}))
	for i, id := range ids {
		switch i % 3 {
		case 0:
			g.uploaded(id, "")
		case 1:
			g.uploaded(id, result(i))
		default:
			g.noUpload(id)
		}
	}
}

func uploadWaitCases() []mediaCase {
	const waits = "those who wait for an upload get its result as soon as there is one"
	life := keys(uploadsComplete, uploadsResult, uploadsNotify, uploadsListen)
	wait := func(g *gallery, id []byte) *pending[mediav1.UploadResult] {
		return begin(g, g.media.Uploads.Wait, &mediav1.UploadRequest{UploadId: id})
	}
	gets := func(g *gallery, p *pending[mediav1.UploadResult], want string) {
		g.t.Helper()
		got, err := p.answer()
		if err != nil {
			g.t.Errorf("Uploads.Wait: %v; it should get the result", err)
			return
		}
		checkResult(g, "Uploads.Wait", got, want)
	}
	return []mediaCase{
		{name: "Wait returns the result of an upload that is complete", on: life, says: waits,
			run: func(g *gallery) {
				id, other := g.background(), g.background()
				g.completeUpload(other, failed, 1)
				g.completeUpload(id, succeeded, 1)
				for range 2 {
					gets(g, wait(g, id), succeeded)
				}
				g.uploaded(id, succeeded)
			}},
		{name: "Wait returns when the upload is completed", on: life, says: waits,
			run: func(g *gallery) {
				for _, result := range []string{succeeded, failed} {
					id := g.background()
					waiting := wait(g, id)
					g.completeUpload(id, result, 1)
					gets(g, waiting, result)
				}
			}},
		{name: "Wait returns to all who wait for an upload", on: life, says: waits,
			run: func(g *gallery) {
				id := g.background()
				var all []*pending[mediav1.UploadResult]
				for range 5 {
					all = append(all, wait(g, id))
				}
				g.completeUpload(id, succeeded, 1)
				for _, p := range append(all, wait(g, id)) {
					gets(g, p, succeeded)
				}
			}},
		{name: "Wait goes on while other uploads are completed", on: life, says: waits,
			run: func(g *gallery) {
				id, other := g.background(), g.background()
				waiting := wait(g, id)
				g.completeUpload(other, failed, 1)
				gets(g, wait(g, other), failed)
				g.completeUpload(id, succeeded, 1)
				gets(g, waiting, succeeded)
			}},
		{name: "Wait for an upload that is running ends with its deadline", on: keys(uploadsResult), says: "DEADLINE_EXCEEDED if there is no result",
			run: func(g *gallery) {
				id := g.background()
				timesOut(g, g.media.Uploads.Wait, &mediav1.UploadRequest{UploadId: id}, "the upload is running")
				g.uploaded(id, "")
			}},
		{name: "Wait for an upload that is claimed meanwhile is refused", on: keys(uploadsResult, uploadsClaim), says: "an upload that is gone has no result",
			run: func(g *gallery) {
				id := g.background()
				waiting := wait(g, id)
				g.claimUpload(id)
				if _, err := waiting.answer(); status.Code(err) != codes.FailedPrecondition {
					g.t.Errorf("Uploads.Wait: %v; it should be refused once the upload is claimed", err)
				}
			}},
	}
}
