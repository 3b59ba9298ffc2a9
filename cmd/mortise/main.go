// Command mortise is the storage plugin, and the operator's tool for it.
//
// Each command has a file of its own. They only read flags and print; what they do is package
// mortise's and package storage's.
package main

import "os"

func main() { os.Exit(run(os.Args[1:], os.Stdout, os.Stderr)) }
