package database

import "time"

// SetQuiet sets how long the connection may say nothing before it is asked for a sign of life.
func (l *Listener) SetQuiet(d time.Duration) { l.quiet = d }
