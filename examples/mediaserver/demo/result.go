package demo

import (
	"encoding/json"
	"io"
)

// Result is what the demo found out.
type Result struct {
	OK      bool    `json:"ok"`
	Error   string  `json:"error,omitempty"`
	Seconds float64 `json:"seconds"`
	// Plugin and Server are the versions.
	Plugin string   `json:"plugin"`
	Server string   `json:"server"`
	Checks []*Check `json:"checks"`
	// Rows counts the rows of each table in the end.
	Rows      map[string]int64 `json:"rows"`
	Workers   []WorkerJobs     `json:"workers"`
	Killed    Killed           `json:"killed"`
	Trips     []Trips          `json:"round_trips"`
	Latencies []Latency        `json:"latencies"`
}

// WorkerJobs is how many jobs a worker did, by queue.
type WorkerJobs struct {
	Worker  string `json:"worker"`
	Killed  bool   `json:"killed"`
	Process int64  `json:"process"`
	Cleanup int64  `json:"cleanup"`
	// Failed are those that did not end in success: damaged uploads, for example.
	Failed int64 `json:"failed"`
}

func (r *Result) print(w io.Writer) error {
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	return encoder.Encode(r)
}
