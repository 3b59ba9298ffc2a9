package database

import "strings"

// givesPoolSize says whether a connection string sets the size of the pool itself.
func givesPoolSize(connString string) bool { return strings.Contains(connString, "pool_max_conns") }
