package main

import (
	"encoding/hex"
	"fmt"
	"log/slog"

	"github.com/spf13/cobra"

	trackerv1 "github.com/mortise-storage/mortise/api/mortise/tracker/v1"
	"github.com/mortise-storage/mortise/examples/tracker/announce"
)

// approveCommand fills the list that `serve --approved-only` asks.
func approveCommand() *cobra.Command {
	var (
		p                 plugin
		withdraw          bool
		underContext, why string
	)
	c := &cobra.Command{
		Use:   "approve INFO-HASH...",
		Short: "Approve torrents for `serve --approved-only`, or withdraw the approval",
		Long: "Approve torrents by their info hashes in hexadecimal (40 digits, or 64 for v2). With an embedded\n" +
			"database the tracker must not run at the same time: the data folder has one user.",
		Args: cobra.MinimumNArgs(1),
	}
	p.flags(c)
	c.Flags().BoolVar(&withdraw, "withdraw", false, "withdraw the approval instead")
	c.Flags().StringVar(&underContext, "approval-context", announce.DefaultApprovalContext, "the `context` in the key-value data")
	c.Flags().StringVar(&why, "name", "_", "a `text` stored with the hashes, for example the torrent's name")
	c.RunE = func(c *cobra.Command, args []string) error {
		hashes, err := parseHashes(args)
		if err != nil {
			return err
		}
		host, err := p.connect(c.Context(), logger(slog.LevelWarn))
		if err != nil {
			return err
		}
		defer host.Close()
		data := trackerv1.NewDataClient(host.Conn())
		if withdraw {
			_, err = data.Delete(c.Context(), &trackerv1.DeleteRequest{Context: underContext, Key: hashes})
			return err
		}
		put := &trackerv1.PutRequest{Context: underContext}
		for _, hash := range hashes {
			put.Entries = append(put.Entries, &trackerv1.Entry{Key: hash, Value: []byte(why)})
		}
		_, err = data.Put(c.Context(), put)
		return err
	}
	return c
}

// parseHashes decodes info hashes from hexadecimal.
func parseHashes(texts []string) ([][]byte, error) {
	var hashes [][]byte
	for i, text := range texts {
		hash, err := hex.DecodeString(text)
		if err != nil || (len(hash) != announce.HashLength && len(hash) != announce.HashLengthV2) {
			return nil, fmt.Errorf("info hash %d must be 40 or 64 hexadecimal digits", i+1)
		}
		hashes = append(hashes, hash)
	}
	return hashes, nil
}
