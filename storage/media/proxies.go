package media

import (
	"context"

	mediav1 "github.com/mortise-storage/mortise/api/mortise/media/v1"
	"github.com/mortise-storage/mortise/storage/query"
)

// Relate implements the method of the API.
func (s proxies) Relate(ctx context.Context, request *mediav1.RelateURLRequest) (*mediav1.RelateURLResponse, error) {
	v := s.begin()
	relate, err := v.Call(mediav1.Operations_ProxyRelate_FullMethodName,
		&mediav1.ProxyRelateParameters{Url: request.GetUrl(), Alias: request.GetAlias()})
	if err != nil {
		return nil, err
	}
	related, err := v.Call(mediav1.Proxies_Related_FullMethodName, &mediav1.URLRequest{Url: request.GetUrl()})
	if err != nil {
		return nil, err
	}
	err = v.insert(ctx, insertion{call: relate, stored: []*query.Call{related}, same: func() bool {
		return related.Found() && first[*mediav1.RelatedResponse](related).GetAlias() == request.GetAlias()
	}})
	if err != nil {
		return nil, err
	}
	return &mediav1.RelateURLResponse{}, nil
}
