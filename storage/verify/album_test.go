package verify_test

import (
	"context"
	"crypto/rand"
	"fmt"
	"slices"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"

	mediav1 "github.com/mortise-storage/mortise/api/mortise/media/v1"
)

// pictures is how many originals other people have.
const pictures = 60

// An album is an image server that is in use: what other people have in its tables.
type album struct {
	t       *testing.T
	serves  []string
	hashes  mediav1.HashesClient
	aliases mediav1.AliasesClient
	uploads mediav1.UploadsClient
	queue   mediav1.QueueClient
	made    mediav1.VariantsClient
	proxies mediav1.ProxiesClient
}

// fillAlbum stores pictures with two names each, some of them with variants and URLs, jobs in every state,
// uploads and claims: among them what cases must not take for their own.
func fillAlbum(t *testing.T, conn grpc.ClientConnInterface) {
	t.Helper()
	can, err := mediav1.NewRepoClient(conn).Capabilities(t.Context(), &mediav1.CapabilitiesRequest{})
	if err != nil {
		t.Fatal(err)
	}
	a := &album{t: t, serves: can.GetGroups(), hashes: mediav1.NewHashesClient(conn), aliases: mediav1.NewAliasesClient(conn), uploads: mediav1.NewUploadsClient(conn),
		queue: mediav1.NewQueueClient(conn), made: mediav1.NewVariantsClient(conn), proxies: mediav1.NewProxiesClient(conn)}
	for i := range pictures {
		a.picture(i)
		a.jobs(i)
	}
}

func (a *album) must(_ proto.Message, err error) {
	a.t.Helper()
	if err != nil {
		a.t.Fatal(err)
	}
}

func (a *album) picture(i int) {
	a.t.Helper()
	ctx, hash := a.t.Context(), bytesOf(39)
	alias, details := rand.Text()[:16]+".png", proto.String(fmt.Sprintf(`{"width": %d}`, i))
	for n, name := range []string{alias, "second " + alias} {
		saved, err := a.uploads.Save(ctx, &mediav1.SaveUploadRequest{Hash: hash, Identifier: fmt.Sprint("files/", alias, n), Details: details, Alias: name})
		if err != nil || saved.GetHashExisted() != (n == 1) {
			a.t.Fatal(saved, err)
		}
	}
	if i%2 == 0 {
		a.must(a.made.Relate(ctx, &mediav1.RelateVariantRequest{Hash: hash, Variant: "resize/200/webp", Identifier: "small " + alias}))
		a.must(a.proxies.Relate(ctx, &mediav1.RelateURLRequest{Url: "http://localhost/" + alias, Alias: alias}))
	}
	if i%3 == 0 {
		a.must(a.made.Claim(ctx, &mediav1.VariantRequest{Hash: hash, Variant: "resize/100/webp"}))
	}
	if slices.Contains(a.serves, "uploads") {
		upload, err := a.uploads.Create(ctx, &mediav1.CreateUploadRequest{})
		a.must(upload, err)
		if i%2 == 0 {
			a.must(a.uploads.Complete(ctx, &mediav1.CompleteUploadRequest{UploadId: upload.GetUploadId(), Result: `{"Success": {}}`}))
		}
	}
}

// jobs leaves one job that is new, and one that is running, failed or done.
func (a *album) jobs(i int) {
	a.t.Helper()
	ctx := context.Background()
	for range 2 {
		a.must(a.queue.Push(ctx, &mediav1.PushRequest{Job: &mediav1.NewJob{Queue: "process", Job: `{"of": "others"}`}}))
	}
	worker := bytesOf(16)
	job, err := a.queue.Pop(ctx, &mediav1.PopRequest{Queue: "process", Worker: worker})
	a.must(job, err)
	done := &mediav1.CompleteRequest{Queue: "process", Worker: worker, JobId: job.GetId()}
	switch i % 3 {
	case 0:
		done.Result = mediav1.JobResult_FAILURE
		fallthrough
	case 1:
		a.must(a.queue.Complete(ctx, done))
	}
}
