// Package rehearsal builds examples/wan22-animate through the world of
// lamina.build/internal/rehearsal, with its spec as it is shipped, and runs what
// comes out: jobs, faults of jobs, the fetching of weights.
package rehearsal
