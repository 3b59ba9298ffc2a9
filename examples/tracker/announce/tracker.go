package announce

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"time"

	"google.golang.org/grpc/codes"

	trackerv1 "github.com/mortise-storage/mortise/api/mortise/tracker/v1"
)

// DefaultApprovalContext is the context under which MoChi keeps the hashes of approved torrents.
const DefaultApprovalContext = "MW_APPROVAL"

// Options of a Tracker. The zero value tracks every torrent.
type Options struct {
	// ApprovedOnly refuses torrents whose info hash is not a key of ApprovalContext in the
	// storage's key-value data.
	ApprovedOnly    bool
	ApprovalContext string
	// OwnFamilyOnly gives clients only peers of their own address family, over HTTP too.
	OwnFamilyOnly bool
	// Timeout of one request, all its calls together; default 10 seconds.
	Timeout time.Duration
	// Logger gets what clients are not told; default slog.Default.
	Logger *slog.Logger
}

// Tracker answers announces and scrapes from the storage.
type Tracker struct {
	swarms   trackerv1.SwarmsClient
	data     trackerv1.DataClient
	database trackerv1.DatabaseClient
	options  Options
}

// Clients are the plugin's services that a tracker needs. Data is only used where torrents must be
// approved, Database only for Ping.
type Clients struct {
	Swarms   trackerv1.SwarmsClient
	Data     trackerv1.DataClient
	Database trackerv1.DatabaseClient
}

// New returns a tracker on the plugin's services.
func New(c Clients, o Options) *Tracker {
	if o.ApprovalContext == "" {
		o.ApprovalContext = DefaultApprovalContext
	}
	if o.Timeout <= 0 {
		o.Timeout = 10 * time.Second
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	return &Tracker{swarms: c.Swarms, data: c.Data, database: c.Database, options: o}
}

// Announce stores what the client says and returns the peers it may connect to. An error is either
// the client's (see ClientText) or one of the storage.
func (t *Tracker) Announce(ctx context.Context, r Request) (Reply, error) {
	ctx, cancel := context.WithTimeout(ctx, t.options.Timeout)
	defer cancel()
	r.OwnFamilyOnly = r.OwnFamilyOnly || t.options.OwnFamilyOnly
	request, err := call(r)
	if err != nil {
		return Reply{}, err
	}
	if err := t.admit(ctx, request); err != nil {
		return Reply{}, err
	}
	response, err := t.swarms.Announce(ctx, request)
	if err != nil {
		return Reply{}, err
	}
	t.noteWriteError(request, response.GetWriteError())
	return Reply{
		Complete:   response.GetComplete(),
		Incomplete: response.GetIncomplete(),
		Downloaded: response.GetDownloaded(),
		Peers:      t.peers(response.GetPeers()),
	}, nil
}

// admit asks whether the torrent may be tracked. Who stops is always let go, so that the peers of
// a torrent whose approval was withdrawn can leave.
func (t *Tracker) admit(ctx context.Context, request *trackerv1.AnnounceRequest) error {
	if !t.options.ApprovedOnly || request.GetAction() == trackerv1.Action_REMOVE {
		return nil
	}
	response, err := t.data.Contains(ctx, &trackerv1.ContainsRequest{
		Context: t.options.ApprovalContext,
		Keys:    request.GetInfoHashes(),
	})
	if err != nil {
		return fmt.Errorf("asking whether the torrent is approved: %w", err)
	}
	for _, found := range response.GetFound() {
		if found {
			return nil
		}
	}
	return Refusal("this torrent is not approved here")
}

// noteWriteError logs a write that failed while the reads were answered: the client still gets its
// peers, and its next announce writes again. That a peer to be removed was not there is normal.
func (t *Tracker) noteWriteError(request *trackerv1.AnnounceRequest, failure *trackerv1.Failure) {
	if failure == nil {
		return
	}
	code := codes.Code(failure.GetCode())
	if code == codes.NotFound && request.GetAction() == trackerv1.Action_REMOVE {
		return
	}
	t.options.Logger.Warn("an announce was answered but not stored",
		"action", request.GetAction().String(), "code", code.String(), "reason", failure.GetReason(),
		"operation", failure.GetOperation(), "sqlstate", failure.GetSqlstate(), "error", failure.GetMessage())
}

// peers converts what the storage returned. The storage promises that each entry is well formed;
// one that is not is left out, because its bytes would shift all that follow in a compact list.
func (t *Tracker) peers(stored []*trackerv1.Peer) []Peer {
	peers := make([]Peer, 0, len(stored))
	for _, s := range stored {
		address, ok := netip.AddrFromSlice(s.GetAddress())
		if !ok || len(s.GetPeerId()) != 20 || s.GetPort() == 0 || s.GetPort() > 65535 {
			t.options.Logger.Error("the storage returned a malformed peer, left out")
			continue
		}
		peers = append(peers, Peer{
			ID:      [20]byte(s.GetPeerId()),
			Address: netip.AddrPortFrom(address.Unmap(), uint16(s.GetPort())),
		})
	}
	return peers
}

// Scrape counts the swarms of the given info hashes, in their order, in one call. The counts of a
// 32-byte hash include those of its first 20 bytes, as in an announce.
func (t *Tracker) Scrape(ctx context.Context, infoHashes [][]byte) ([]Swarm, error) {
	ctx, cancel := context.WithTimeout(ctx, t.options.Timeout)
	defer cancel()
	if len(infoHashes) == 0 {
		return nil, Refusal("no info_hash given")
	}
	request := &trackerv1.ScrapeSwarmsRequest{}
	var belongs []int // the index in infoHashes for each hash that is asked for
	for i, infoHash := range infoHashes {
		forms, err := hashes(infoHash)
		if err != nil {
			return nil, err
		}
		for _, form := range forms {
			request.InfoHashes = append(request.InfoHashes, form)
			belongs = append(belongs, i)
		}
	}
	response, err := t.swarms.ScrapeSwarms(ctx, request)
	if err != nil {
		return nil, err
	}
	if len(response.GetSwarms()) != len(belongs) {
		return nil, errors.New("the storage answered a scrape with another number of swarms than asked for")
	}
	swarms := make([]Swarm, len(infoHashes))
	for i, counted := range response.GetSwarms() {
		swarm := &swarms[belongs[i]]
		swarm.Complete += counted.GetSeeders()
		swarm.Incomplete += counted.GetLeechers()
		swarm.Downloaded += counted.GetSnatched()
	}
	return swarms, nil
}

// Ping fails if the storage cannot be used.
func (t *Tracker) Ping(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, t.options.Timeout)
	defer cancel()
	_, err := t.database.Ping(ctx, &trackerv1.PingRequest{})
	return err
}
