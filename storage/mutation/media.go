package mutation

import (
	"google.golang.org/protobuf/proto"

	mediav1 "github.com/mortise-storage/mortise/api/mortise/media/v1"
)

// mediaSettings are the operator's settings as the cases of the media domain see most with them: streams
// in batches so small that the cases need several.
func mediaSettings(settings proto.Message) proto.Message {
	typed, ok := settings.(*mediav1.SectionSettings)
	if !ok {
		return settings
	}
	changed := proto.CloneOf(typed)
	changed.HashesBatchSize, changed.AliasAccessBatchSize, changed.VariantAccessBatchSize = 3, 3, 4
	return changed
}
