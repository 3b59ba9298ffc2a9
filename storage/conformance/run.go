package conformance

import (
	"context"
	"fmt"
	"runtime"
	"runtime/debug"
	"sync"
	"time"
)

// An Outcome is how a case ended.
type Outcome int

// The outcomes. Only Passed proves anything.
const (
	Passed Outcome = iota
	Failed
	// NotApplicable means that the query set lacks an ability which the case needs.
	NotApplicable
	// NotRun means that the context ended before the case could begin.
	NotRun
)

// String returns the outcome as a report shows it.
func (o Outcome) String() string {
	return [...]string{"passed", "failed", "not applicable", "not run"}[o]
}

// A Result is what became of one case.
type Result struct {
	Name       string
	Operations []string
	Says       string
	Outcome    Outcome
	// Failures is what the case found wrong, one text each, in order.
	Failures []string
	// Log is what the case had to say besides.
	Log []string
	// Missing are the abilities for lack of which the case did not apply.
	Missing []Capability
	Elapsed time.Duration
}

// A Summary counts the outcomes of a run.
type Summary struct {
	Passed, Failed, NotApplicable, NotRun int
	// Capabilities are those that the run went by.
	Capabilities Capabilities
}

// OK says that every case which applies was run and passed.
func (s Summary) OK() bool { return s.Failed == 0 && s.NotRun == 0 && s.Passed > 0 }

// RunCases runs the cases one after the other, each in a goroutine of its own, and reports each as
// it ends. Cases that need something known to be lacking are not applicable. A panic fails its case
// alone. The context's end fails the case that runs and leaves the others out.
func RunCases[S any](ctx context.Context, cases []Case[S], subject S, known Capabilities, report func(Result)) Summary {
	summary := Summary{Capabilities: known}
	for _, c := range cases {
		result := RunCase(ctx, c, subject, known, nil)
		summary.Add(result)
		report(result)
	}
	return summary
}

// Add counts a result.
func (s *Summary) Add(r Result) {
	switch r.Outcome {
	case Passed:
		s.Passed++
	case Failed:
		s.Failed++
	case NotApplicable:
		s.NotApplicable++
	case NotRun:
		s.NotRun++
	}
}

// RunCase runs one case as RunCases does. failed, unless nil, is called for each failure at the moment
// it is found, so that a runner can tell what happened before it.
func RunCase[S any](ctx context.Context, c Case[S], subject S, known Capabilities, failed func(text string)) Result {
	result := Result{Name: c.Name, Operations: c.Operations, Says: c.Says}
	if result.Missing = known.Missing(c.Needs); len(result.Missing) > 0 {
		result.Outcome = NotApplicable
		return result
	}
	if ctx.Err() != nil {
		result.Outcome = NotRun
		return result
	}
	begin := time.Now()
	r := isolate(failed, func(t T) { c.Run(ctx, t, subject) })
	result.Elapsed = time.Since(begin)
	result.Failures, result.Log = r.failures, r.log
	if len(r.failures) > 0 {
		result.Outcome = Failed
	}
	return result
}

// A recorder is the T of this package's own runner. It may be used by many goroutines.
type recorder struct {
	failed   func(text string)
	mu       sync.Mutex
	failures []string
	log      []string
}

var _ T = (*recorder)(nil)

func (*recorder) Helper() {}

func (r *recorder) Errorf(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	text := fmt.Sprintf(format, args...)
	r.failures = append(r.failures, text)
	if r.failed != nil {
		r.failed(text)
	}
}

func (r *recorder) Fatalf(format string, args ...any) {
	r.Errorf(format, args...)
	runtime.Goexit()
}

func (r *recorder) Logf(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.log = append(r.log, fmt.Sprintf(format, args...))
}

// isolate runs f in a goroutine that Fatalf may end, and waits for it.
func isolate(failed func(text string), f func(T)) *recorder {
	r := &recorder{failed: failed}
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer func() {
			if p := recover(); p != nil {
				r.Errorf("panic: %v", p)
				r.Logf("%s", debug.Stack())
			}
		}()
		f(r)
	}()
	<-done
	return r
}

// together runs f n times at once and returns the errors in order.
func together(n int, f func(i int) error) []error {
	errs := make([]error, n)
	start := make(chan struct{})
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() {
			<-start
			errs[i] = f(i)
		})
	}
	close(start)
	all.Wait()
	return errs
}
