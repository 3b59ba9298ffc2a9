package main

import (
	_ "github.com/anacrolix/torrent"
	_ "github.com/anacrolix/torrent/bencode"
	_ "github.com/anacrolix/torrent/tracker"
	_ "github.com/jackc/pgx/v5"
	_ "github.com/prometheus/client_golang/prometheus/promhttp"
	_ "github.com/prometheus/common/expfmt"
	_ "github.com/spf13/cobra"
	_ "go.uber.org/goleak"
	_ "golang.org/x/sync/errgroup"
	_ "google.golang.org/grpc"
)

func main() {}
