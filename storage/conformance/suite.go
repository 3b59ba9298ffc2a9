package conformance

import "context"

// Run finds out what the storage can do, then runs the cases, and reports each as it ends. What cases
// store they may leave behind. The error says that the storage cannot be used at all.
func (s *Suite) Run(ctx context.Context, report func(Result)) (Summary, error) {
	known, err := s.probe(ctx)
	if err != nil {
		return Summary{}, err
	}
	return RunCases(ctx, s.Cases, None{}, known, report), nil
}
