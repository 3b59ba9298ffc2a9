package workload

import (
	"strings"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	mediav1 "github.com/mortise-storage/mortise/api/mortise/media/v1"
)

// list makes a list of parts short to write.
func list(all ...part) []part { return all }

// operations are those that write, each about an original of its own.
func (p *passer) operations() {
	d := p.mediaData
	op := func(method string, there, left []part, call func(o *original) proto.Message) *Case {
		return p.add(Case{Method: method, Direct: true}, there, left, call)
	}
	message := func(make func(o *original) Request) func(o *original) proto.Message {
		return func(o *original) proto.Message { return make(o).Message }
	}
	op(mediav1.Operations_HashCreate_FullMethodName, nil, list(aHash), message(d.createHash))
	op(mediav1.Hashes_UpdateIdentifier_FullMethodName, list(aHash), nil, func(o *original) proto.Message {
		return &mediav1.HashAndIdentifier{Hash: o.hash, Identifier: o.motion}
	})
	op(mediav1.Hashes_RelateMotionIdentifier_FullMethodName, list(aHash), nil, message(d.relateMotion))
	op(mediav1.Hashes_RelateBlurhash_FullMethodName, list(aHash), nil, message(d.relateBlurhash))
	op(mediav1.Operations_HashCleanup_FullMethodName, list(aHash), nil, byHash)

	op(mediav1.Operations_AliasCreate_FullMethodName, list(aHash), list(anAlias), message(d.createAlias))
	op(mediav1.Aliases_Cleanup_FullMethodName, list(aHash, anAlias), nil, byAlias)
	op(mediav1.Aliases_RelateDeleteToken_FullMethodName, list(aHash, anAlias), nil, func(o *original) proto.Message {
		return &mediav1.RelateDeleteTokenRequest{Alias: o.alias, DeleteToken: o.token}
	})
	op(mediav1.Aliases_RelateHash_FullMethodName, list(aHash, anAlias), nil, func(o *original) proto.Message {
		return &mediav1.RelateHashRequest{Alias: o.alias, Hash: o.hash}
	})
	op(mediav1.Operations_AliasRemove_FullMethodName, list(aHash, anAlias), nil, func(o *original) proto.Message {
		return &mediav1.RemoveAliasRequest{Hash: o.hash, Alias: o.alias}
	})

	op(mediav1.Operations_VariantRelate_FullMethodName, list(aHash), list(aVariant), message(d.relateVariant))
	op(mediav1.Operations_VariantRemove_FullMethodName, list(aHash, aVariant), nil, byVariant)
	op(mediav1.Operations_VariantRemoveAll_FullMethodName, list(aHash, aVariant), nil, byHash)
	op(mediav1.Operations_VariantClaim_FullMethodName, list(aHash), list(aClaim), message(d.claim))
	op(mediav1.Operations_VariantHeartbeat_FullMethodName, list(aHash, aClaim), nil, func(o *original) proto.Message {
		return &mediav1.VariantHeartbeatParameters{Key: o.claimKey(), Now: timestamppb.New(d.plan.Now.Add(ahead)), Hash: o.hash, Variant: variantName}
	})
	op(mediav1.Operations_VariantRelease_FullMethodName, list(aHash, aClaim), nil, message(d.release))
	op(mediav1.Operations_VariantNotify_FullMethodName, nil, nil, message(d.release))

	op(mediav1.Details_Relate_FullMethodName, nil, list(itsDetails), message(d.relateDetails))
	op(mediav1.Details_Cleanup_FullMethodName, list(itsDetails), nil, byFile)
	op(mediav1.Settings_Set_FullMethodName, nil, list(aSetting), message(d.set))
	op(mediav1.Settings_Get_FullMethodName, list(aSetting), nil, message(d.unset))
	op(mediav1.Settings_Remove_FullMethodName, list(aSetting), nil, message(d.unset))

	op(mediav1.Operations_UploadCreate_FullMethodName, nil, list(anUpload), message(d.createUpload))
	op(mediav1.Uploads_Result_FullMethodName, list(anUpload, aResult), nil, message(d.claimUpload)).Differ = d.differentContents
	op(mediav1.Operations_UploadComplete_FullMethodName, list(anUpload), nil, message(d.completeUpload))
	op(mediav1.Uploads_Claim_FullMethodName, list(anUpload), nil, message(d.claimUpload))
	op(mediav1.Operations_UploadNotify_FullMethodName, nil, nil, message(d.claimUpload))

	op(mediav1.Operations_ProxyRelate_FullMethodName, list(aHash, anAlias), list(aURL), message(d.relateURL))
	op(mediav1.Proxies_Remove_FullMethodName, list(aHash, anAlias, aURL), nil, byAlias)
	op(mediav1.Operations_AliasAccessRemove_FullMethodName, list(aHash, anAlias, aURL), nil, byAlias)
	op(mediav1.Operations_VariantAccessRemove_FullMethodName, list(aHash, aVariant), nil, byVariant)
	op(mediav1.StoreMigration_MarkMigrated_FullMethodName, nil, list(aMark), message(d.mark))
}

// methods are the composed ones that write.
func (p *passer) methods() {
	d := p.mediaData
	method := func(name, variant string, there, left []part, call func(o *original) proto.Message) *Case {
		c := p.add(Case{Method: name, Variant: variant}, there, left, call)
		c.Differ = tells
		return c
	}
	whole := list(aHash, itsDetails, anAlias)
	method(mediav1.Hashes_Create_FullMethodName, "", nil, list(aHash), func(o *original) proto.Message {
		return &mediav1.CreateHashRequest{Hash: o.hash, Identifier: o.identifier, CreatedAt: timestamppb.New(o.created)}
	})
	method(mediav1.Hashes_Cleanup_FullMethodName, "2 jobs", list(aHash, aVariant), list(tenJobs), func(o *original) proto.Message {
		return &mediav1.CleanupHashRequest{Hash: o.hash, Jobs: o.newJobs(2)}
	})
	method(mediav1.Aliases_Create_FullMethodName, "", list(aHash), list(anAlias), func(o *original) proto.Message {
		return &mediav1.CreateAliasRequest{Alias: o.alias, DeleteToken: o.token, Hash: o.hash}
	})
	method(mediav1.Aliases_Remove_FullMethodName, "", list(aHash, anAlias), nil, func(o *original) proto.Message {
		return &mediav1.RemoveAliasRequest{Hash: o.hash, Alias: o.alias}
	})
	method(mediav1.Aliases_Delete_FullMethodName, "last", list(aHash, anAlias, aURL), nil, func(o *original) proto.Message {
		return &mediav1.DeleteAliasRequest{Alias: o.alias, DeleteToken: o.token}
	})
	method(mediav1.Uploads_Save_FullMethodName, "new", nil, whole, d.upload)
	method(mediav1.Uploads_Save_FullMethodName, "duplicate", list(aHash), whole, func(o *original) proto.Message {
		request := d.upload(o).(*mediav1.SaveUploadRequest)
		request.Identifier = o.motion
		return request
	})
	method(mediav1.Variants_Relate_FullMethodName, "", list(aHash), list(aVariant, variantDetails), func(o *original) proto.Message {
		details := d.details(o.n)
		return &mediav1.RelateVariantRequest{Hash: o.hash, Variant: variantName, Identifier: o.variants, Details: &details}
	})
	method(mediav1.Variants_Remove_FullMethodName, "", list(aHash, aVariant), nil, byVariant)
	method(mediav1.Variants_Cleanup_FullMethodName, "", list(aHash, aVariant), list(aJob), func(o *original) proto.Message {
		return &mediav1.CleanupVariantRequest{Hash: o.hash, Variant: variantName, Job: o.newJob()}
	})
	method(mediav1.Variants_Claim_FullMethodName, "", list(aHash), list(aClaim), byVariant)
	method(mediav1.Variants_Heartbeat_FullMethodName, "", list(aHash, aClaim), nil, byVariant)
	method(mediav1.Variants_Release_FullMethodName, "", list(aHash, aClaim), nil, byVariant)
	method(mediav1.Uploads_Create_FullMethodName, "", nil, list(anUpload), func(o *original) proto.Message {
		return &mediav1.CreateUploadRequest{UploadId: o.id}
	})
	method(mediav1.Uploads_Complete_FullMethodName, "", list(anUpload), nil, func(o *original) proto.Message {
		return &mediav1.CompleteUploadRequest{UploadId: o.id, Result: o.result()}
	})
	method(mediav1.Uploads_Wait_FullMethodName, "there", list(anUpload, aResult), nil, func(o *original) proto.Message {
		return &mediav1.UploadRequest{UploadId: o.id}
	}).Differ = d.differentContents
	method(mediav1.Proxies_Relate_FullMethodName, "", list(aHash, anAlias), list(aURL), func(o *original) proto.Message {
		return &mediav1.RelateURLRequest{Url: o.url, Alias: o.alias}
	})
	method(mediav1.Access_RemoveAlias_FullMethodName, "", list(aHash, anAlias, aURL), nil, byAlias)
	method(mediav1.Access_RemoveVariant_FullMethodName, "", list(aHash, aVariant), nil, byVariant)
	method(mediav1.StoreMigration_MoveIdentifier_FullMethodName, "", list(aHash, itsDetails), list(aMark), func(o *original) proto.Message {
		return &mediav1.MoveIdentifierRequest{Hash: o.hash, OldIdentifier: o.identifier, NewIdentifier: o.motion}
	})
}

func (d *mediaData) upload(o *original) proto.Message {
	details := d.details(o.n)
	return &mediav1.SaveUploadRequest{Hash: o.hash, Identifier: o.identifier, Details: &details, CreatedAt: timestamppb.New(o.created),
		Alias: o.alias, DeleteToken: o.token}
}

// hasGroup says whether the operator has queries of the group that a method is about.
func (d *mediaData) hasGroup(method string) bool {
	service := strings.Split(method, "/")[1]
	of, ok := map[string]string{
		"Hashes": mediav1.Operations_HashCreate_FullMethodName, "Aliases": mediav1.Operations_AliasCreate_FullMethodName,
		"Variants": mediav1.Operations_VariantRelate_FullMethodName, "Queue": mediav1.Operations_QueuePush_FullMethodName,
		"Uploads": mediav1.Operations_UploadCreate_FullMethodName, "Proxies": mediav1.Operations_ProxyRelate_FullMethodName,
		"Access": mediav1.Access_Variant_FullMethodName, "StoreMigration": mediav1.StoreMigration_MarkMigrated_FullMethodName,
	}[service[strings.LastIndexByte(service, '.')+1:]]
	switch method {
	case mediav1.Uploads_Save_FullMethodName:
		of = mediav1.Operations_AliasCreate_FullMethodName
	case mediav1.Variants_Claim_FullMethodName, mediav1.Variants_Heartbeat_FullMethodName, mediav1.Variants_Release_FullMethodName:
		of = mediav1.Operations_VariantClaim_FullMethodName
	case mediav1.Access_RemoveAlias_FullMethodName:
		of = mediav1.Access_Alias_FullMethodName
	}
	return !ok || d.plan.Has(of)
}
