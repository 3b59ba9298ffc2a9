package main

import (
	"context"
	"fmt"
	"os"

	"github.com/mortise-storage/mortise"
)

func main() {
	if err := mortise.Serve(context.Background(), mortise.ServeOptions{ConfigFile: os.Args[3], Version: "scratch"}); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
