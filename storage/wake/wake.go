// Package wake lets calls wait for something to happen in the database, in this process or another,
// without holding a connection: by notifications where they arrive, and by looking now and then.
package wake

// A Hub keeps those who wait, and wakes them.
type Hub struct{}
