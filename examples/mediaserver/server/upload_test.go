package server

import (
	"bytes"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mortise-storage/mortise/examples/mediaserver/host"
	"github.com/mortise-storage/mortise/examples/mediaserver/host/hosttest"
	"github.com/mortise-storage/mortise/examples/mediaserver/picture"
	"github.com/mortise-storage/mortise/examples/mediaserver/picture/sample"
)

// eight are files of every kind, as the example client of pict-rs sends them.
func eight(t *testing.T) [][]byte {
	t.Helper()
	var files [][]byte
	for i, kind := range append(sample.Kinds(), sample.PNG) {
		files = append(files, hosttest.Sample(t, kind, uint64(i), 60+i, 40))
	}
	return files
}

// TestClientSequence does what the example client does: eight files in one request in the background,
// then for each claim, details, a variant in the background, its details, deletion.
func TestClientSequence(t *testing.T) {
	s := hosttest.Open(t)
	site := serve(t, s, host.Options{}, Options{})
	s.Work(site.host)
	files := eight(t)
	var begun backgroundedBody
	site.post("/image/backgrounded", files...).expect(t, http.StatusAccepted, "", &begun)
	if len(begun.Uploads) != 8 {
		t.Fatalf("%d uploads for 8 files", len(begun.Uploads))
	}
	for i, upload := range begun.Uploads {
		var claimed uploadedBody
		site.get("/image/backgrounded/claim?upload_id="+upload.UploadID.String()).expect(t, http.StatusOK, "", &claimed)
		file := claimed.Files[0]
		var details picture.Details
		site.get("/image/details/original/"+file.File).expect(t, http.StatusOK, "", &details)
		if details != claimed.Files[0].Details && details.Frames == nil || details.Width != 60+i || details.Height != 40 {
			t.Errorf("file %d: details %+v, claimed with %+v", i, details, file.Details)
		}
		if got := site.get("/image/original/" + file.File); got.status != http.StatusOK || !bytes.Equal(got.body, files[i]) {
			t.Errorf("file %d: status %d, %d bytes of %d", i, got.status, len(got.body), len(files[i]))
		}
		site.get("/image/process_backgrounded.webp?src="+file.File+"&resize=20").empty(t, http.StatusAccepted)
		s.Eventually("the variant is there", func() bool {
			return site.get("/image/details/process.webp?src="+file.File+"&resize=20").status == http.StatusOK
		})
		site.get("/image/details/process.webp?src="+file.File+"&resize=20").expect(t, http.StatusOK, "", &details)
		if details.Width != 20 || details.ContentType != "image/webp" {
			t.Errorf("file %d: the variant is %+v", i, details)
		}
		site.remove(file)
	}
	s.Drain()
	s.Empty()
}

// TestUploadOperations has files processed before they are stored.
func TestUploadOperations(t *testing.T) {
	s := hosttest.Open(t)
	site := serve(t, s, host.Options{}, Options{})
	s.Work(site.host)
	for _, path := range []string{"/image?resize=10", "/image/backgrounded?resize=10"} {
		file := claimed(t, site, site.post(path, hosttest.PNG(t, 1, 40, 30)))
		if file.Details.Width != 10 || file.Details.ContentType != "image/png" {
			t.Errorf("%s: %+v", path, file.Details)
		}
		s.Drain()
		if n := len(s.Files()); n != 1 {
			t.Errorf("%s: %d files are stored, want the processed one only", path, n)
		}
		site.remove(file)
		s.Drain()
	}
	s.Empty()
}

// claimed returns the one file of an upload of either way.
func claimed(t *testing.T, site site, a answer) uploadedFile {
	t.Helper()
	var body uploadedBody
	if a.status == http.StatusAccepted {
		var begun backgroundedBody
		a.expect(t, http.StatusAccepted, "", &begun)
		site.get("/image/backgrounded/claim?upload_id="+begun.Uploads[0].UploadID.String()).expect(t, http.StatusOK, "", &body)
	} else {
		a.expect(t, http.StatusCreated, "", &body)
	}
	if len(body.Files) != 1 {
		t.Fatalf("%+v", body)
	}
	return body.Files[0]
}

// TestSameFileTwice gives one content two names, and keeps it until the second is deleted.
func TestSameFileTwice(t *testing.T) {
	s := hosttest.Open(t)
	site := serve(t, s, host.Options{}, Options{})
	s.Work(site.host)
	content := hosttest.PNG(t, 1, 30, 20)
	first := site.upload(content)[0]
	second := site.upload(content)[0]
	third := claimed(t, site, site.post("/image/backgrounded", content))
	if first.File == second.File || second.File == third.File || len(s.Files()) != 1 {
		t.Fatalf("aliases %s, %s and %s, files %v", first.File, second.File, third.File, s.Files())
	}
	if second.Details.CreatedAt != first.Details.CreatedAt {
		t.Errorf("the second upload is from %v, the file from %v", second.Details.CreatedAt, first.Details.CreatedAt)
	}
	var names namesBody
	site.internal(http.MethodGet, "/internal/aliases?alias="+second.File, nil).expect(t, http.StatusOK, "", &names)
	if len(names.Aliases) != 3 {
		t.Errorf("aliases are %v", names.Aliases)
	}
	site.remove(first)
	site.remove(third)
	s.Drain()
	if got := site.get("/image/original/" + second.File); got.status != http.StatusOK || !bytes.Equal(got.body, content) {
		t.Errorf("after two of three deletions: status %d", got.status)
	}
	site.remove(second)
	s.Drain()
	s.Empty()
}

// TestConcurrentUploads has the same file come in many times at once.
func TestConcurrentUploads(t *testing.T) {
	s := hosttest.Open(t)
	site := serve(t, s, host.Options{}, Options{})
	content := hosttest.PNG(t, 1, 30, 20)
	var uploads sync.WaitGroup
	got := make([]answer, 8)
	for i := range got {
		body, contentType := form(t, filesField, named{"x", content})
		uploads.Go(func() {
			got[i], _ = site.try(http.MethodPost, "/image", body, "Content-Type", contentType)
		})
	}
	uploads.Wait()
	names := map[string]bool{}
	for _, a := range got {
		var body uploadedBody
		a.expect(t, http.StatusCreated, "", &body)
		names[body.Files[0].File] = true
	}
	if len(names) != len(got) || len(s.Files()) != 1 || s.Count("SELECT count(*) FROM media_hashes") != 1 {
		t.Errorf("%d names, files %v", len(names), s.Files())
	}
}

func TestRefusedUploads(t *testing.T) {
	s := hosttest.Open(t)
	limits := picture.DefaultLimits()
	limits.MaxBytes = 20_000
	site := serve(t, s, host.Options{Limits: &limits}, Options{MaxFiles: 2})
	good, animated := hosttest.PNG(t, 1, 40, 30), hosttest.Sample(t, sample.AnimatedGIF, 1, 40, 30)
	large := append(bytes.Clone(good), make([]byte, 20_000)...)
	for _, tt := range []struct {
		name, query string
		files       [][]byte
		status      int
		code        string
	}{
		{"no image", "", [][]byte{[]byte("this is only text, whatever its name says")}, 400, picture.CodeUnsupported},
		{"nothing in the file", "", [][]byte{nil}, 400, picture.CodeUnsupported},
		{"damaged", "", [][]byte{good[:len(good)/2]}, 400, picture.CodeDamaged},
		{"too large", "", [][]byte{large}, 413, "validate-file-size"},
		{"too wide", "?max_width=39", [][]byte{good}, 400, picture.CodeWidth},
		{"too high", "?max_height=29", [][]byte{good}, 400, picture.CodeHeight},
		{"too many pixels", "?max_area=1199", [][]byte{good}, 400, picture.CodeArea},
		{"too many frames", "?max_frame_count=1", [][]byte{animated}, 400, picture.CodeFrames},
		{"images are not allowed", "?allow_image=false", [][]byte{good}, 400, picture.CodeNotAllowed},
		{"animations are not allowed", "?allow_animation=false", [][]byte{animated}, 400, picture.CodeNotAllowed},
		{"a limit that is no number", "?max_width=x", [][]byte{good}, 400, "invalid-query"},
		{"a limit that is misspelt", "?max_widht=39", [][]byte{good}, 400, "invalid-query"},
		{"an operation that is not understood", "?resize=x", [][]byte{good}, 500, picture.CodeProcess},
		{"no files", "", nil, 400, "validate-no-files"},
		{"too many files", "", [][]byte{good, animated, good}, 400, "validate-file-count"},
		{"the second is bad", "", [][]byte{good, []byte("text")}, 400, picture.CodeUnsupported},
	} {
		t.Run(tt.name, func(t *testing.T) {
			site.post("/image"+tt.query, tt.files...).expect(t, tt.status, tt.code, nil)
		})
	}
	// Limits can only be tightened.
	site.post("/image?max_file_size=100", large).expect(t, 413, "validate-file-size", nil)
	site.post("/image?max_width=40&max_height=30&max_area=1200&allow_video=true", good).expect(t, 201, "", nil)
	for _, tt := range []struct {
		name, contentType, body, code string
	}{
		{"not a form", "image/png", string(good), "invalid-form"},
		{"a form that is damaged", "multipart/form-data; boundary=x", "--x\r\nno header\r\n\r\nabc\r\n--x--", "invalid-form"},
		{"a file that breaks off", "multipart/form-data; boundary=x", "--x\r\nContent-Disposition: form-data; name=\"images[]\"\r\n\r\nabc", "incomplete-file"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			site.do(http.MethodPost, "/image", strings.NewReader(tt.body), "Content-Type", tt.contentType).expect(t, 400, tt.code, nil)
		})
	}
	body, contentType := form(t, "pictures", named{"x.png", good})
	site.do(http.MethodPost, "/image", body, "Content-Type", contentType).expect(t, 400, "invalid-form", nil)

	// Of all that, the one good file is left; those of requests that failed later go by jobs.
	s.Work(site.host)
	s.Drain()
	if n := len(s.Files()); n != 1 {
		t.Errorf("%d files are left, want 1", n)
	}
	if n := s.Count("SELECT count(*) FROM media_aliases"); n != 1 {
		t.Errorf("%d aliases are left, want 1", n)
	}
}

// TestRefusedBackgrounded gives up what came before the file that was refused, begun or done.
func TestRefusedBackgrounded(t *testing.T) {
	s := hosttest.Open(t)
	limits := picture.DefaultLimits()
	limits.MaxBytes = 20_000
	site := serve(t, s, host.Options{Limits: &limits}, Options{})
	site.post("/image/backgrounded", hosttest.PNG(t, 1, 40, 30), make([]byte, 20_001)).expect(t, 413, "validate-file-size", nil)
	s.Work(site.host)
	s.Drain()
	s.Empty()
}

// TestFailedBackgrounded claims the failure of an upload, once.
func TestFailedBackgrounded(t *testing.T) {
	s := hosttest.Open(t)
	site := serve(t, s, host.Options{}, Options{})
	s.Work(site.host)
	for code, content := range map[string][]byte{
		picture.CodeUnsupported: []byte("no image"),
		picture.CodeDamaged:     hosttest.PNG(t, 1, 40, 30)[:200],
	} {
		var begun backgroundedBody
		site.post("/image/backgrounded", content).expect(t, http.StatusAccepted, "", &begun)
		claim := "/image/backgrounded/claim?upload_id=" + begun.Uploads[0].UploadID.String()
		site.get(claim).expect(t, http.StatusUnprocessableEntity, code, nil)
		site.get(claim).expect(t, http.StatusBadRequest, "already-claimed", nil)
	}
	s.Drain()
	s.Empty()
}

// TestClaims has an upload claimed before it is done, and by several at once.
func TestClaims(t *testing.T) {
	s := hosttest.Open(t)
	hasty := serve(t, s, host.Options{ClaimWait: time.Millisecond}, Options{})
	site := serve(t, s, host.Options{}, Options{})
	var begun backgroundedBody
	site.post("/image/backgrounded", hosttest.PNG(t, 1, 40, 30)).expect(t, http.StatusAccepted, "", &begun)
	claim := "/image/backgrounded/claim?upload_id=" + begun.Uploads[0].UploadID.String()
	hasty.get(claim).empty(t, http.StatusNoContent)

	s.Work(site.host)
	var claims sync.WaitGroup
	statuses := make([]int, 6)
	for i := range statuses {
		claims.Go(func() {
			got, _ := site.try(http.MethodGet, claim, nil)
			statuses[i] = got.status
		})
	}
	claims.Wait()
	count := map[int]int{}
	for _, status := range statuses {
		count[status]++
	}
	if count[http.StatusOK] != 1 || count[http.StatusBadRequest] != 5 {
		t.Errorf("statuses of six claims: %v", count)
	}
	site.get("/image/backgrounded/claim?upload_id=x").expect(t, http.StatusBadRequest, "invalid-query", nil)
	site.get("/image/backgrounded/claim?upload_id=6e3f0dd2-9bd5-4b8e-8a40-3a0f31b5d001").expect(t, http.StatusBadRequest, "already-claimed", nil)
}

// TestImport keeps the names of files.
func TestImport(t *testing.T) {
	s := hosttest.Open(t)
	site := serve(t, s, host.Options{}, Options{})
	send := func(name string, content []byte) answer {
		body, contentType := form(t, filesField, named{name, content})
		return site.do(http.MethodPost, "/internal/import", body, "Content-Type", contentType, tokenHeader, apiKey)
	}
	first, second := hosttest.PNG(t, 1, 30, 20), hosttest.PNG(t, 2, 30, 20)
	var body uploadedBody
	send(`C:\pictures\my cat ü.png`, first).expect(t, http.StatusCreated, "", &body)
	if body.Files[0].File != "my cat ü.png" {
		t.Errorf("the alias is %q", body.Files[0].File)
	}
	got := site.get("/image/original/" + url.PathEscape("my cat ü.png"))
	if got.status != http.StatusOK || !bytes.Equal(got.body, first) {
		t.Errorf("status %d", got.status)
	}
	send("my cat ü.png", second).expect(t, http.StatusBadRequest, "duplicate-alias", nil)
	send("my cat ü.png", first).expect(t, http.StatusBadRequest, "duplicate-alias", nil)
	send("..", second).expect(t, http.StatusBadRequest, "invalid-alias", nil)
	s.Work(site.host)
	s.Drain()
	if files := s.Files(); len(files) != 1 {
		t.Errorf("files are %v, want the first only", files)
	}
	site.remove(body.Files[0])
	s.Drain()
	s.Empty()
}
