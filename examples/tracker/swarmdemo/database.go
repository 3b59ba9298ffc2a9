package swarmdemo

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
)

// tables reads the operator's own tables, past the plugin: what the demo shows is what is stored.
type tables struct {
	conn *pgx.Conn
}

// row is a peer as the default tables hold it.
type row struct {
	PeerID  []byte
	Address netip.Addr
	Port    int32
	Seeder  bool
	Age     float64 // seconds since its last announce
}

func openTables(ctx context.Context, dsn string) (*tables, error) {
	conn, err := pgx.Connect(ctx, dsn)
	if err != nil {
		return nil, fmt.Errorf("cannot connect to the database to show its tables: %w", err)
	}
	return &tables{conn}, nil
}

func (t *tables) close() error {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	return t.conn.Close(ctx)
}

// peersQuery and downloadsQuery are written for schema.sql, as queries.example.yaml is.
const (
	peersQuery = `
SELECT peer_id, address, port, is_seeder, extract(epoch FROM now() - created)::float8 AS age
FROM tracker_peers
WHERE info_hash = $1
ORDER BY address, port`
	downloadsQuery = `SELECT downloads FROM tracker_downloads WHERE info_hash = $1`
)

// peers returns the rows of one swarm.
func (t *tables) peers(ctx context.Context, infoHash []byte) ([]row, error) {
	rows, err := t.conn.Query(ctx, peersQuery, infoHash)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowToStructByPos[row])
}

// downloads returns the counter of one torrent; no row is 0.
func (t *tables) downloads(ctx context.Context, infoHash []byte) (int64, error) {
	var downloads int64
	err := t.conn.QueryRow(ctx, downloadsQuery, infoHash).Scan(&downloads)
	if errors.Is(err, pgx.ErrNoRows) {
		return 0, nil
	}
	return downloads, err
}

// embeddedDSN returns how to reach the embedded server of a data folder. The server itself says
// where its socket is: PostgreSQL writes that into line 5 of postmaster.pid, the port into line 4.
func embeddedDSN(dataDir string) (string, error) {
	files, err := filepath.Glob(filepath.Join(dataDir, "*", "postmaster.pid"))
	if err != nil || len(files) != 1 {
		return "", fmt.Errorf("no running server found under %s", dataDir)
	}
	content, err := os.ReadFile(files[0])
	if err != nil {
		return "", err
	}
	lines := strings.Split(string(content), "\n")
	if len(lines) < 5 || lines[4] == "" {
		return "", fmt.Errorf("%s does not say where the socket is", files[0])
	}
	return fmt.Sprintf("host='%s' port=%s user=mortise dbname=mortise sslmode=disable", lines[4], lines[3]), nil
}
