// Package api holds the contract: the annotated .proto files and the Go code generated from them.
package api

import "embed"

// Sources are the .proto files themselves, with their comments: the reference is made from them, and
// hosts in other languages can be generated from them.
//
//go:embed mortise
var Sources embed.FS
