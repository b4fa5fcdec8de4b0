// Package api is what crosses the wire between clients, the server and its
// workers: packets, results, the bodies of every call, error codes, and the
// checks that a body must pass.
//
// The types are written by hand to be read; openapi.yaml at the root of the
// repository is the contract, and a test holds the two together. Fields that a
// reader does not know are ignored, so that neighbouring versions understand
// each other. A field that is absent and a field that is null differ only
// where a result is concerned: a pipeline may well return null.
package api

// Version is the prefix of every path of the protocol.
const Version = "/v1"

// Limits of what a body may say. The size of a whole body is the server's
// setting; these hold whatever the settings are.
const (
	MaxNameBytes      = 63  // queue, worker name, label key, tag key
	MaxValueBytes     = 255 // label value, tag value, reason, version, digest, trace parent
	MaxCookieBytes    = 128 // cookie, idempotency key
	MaxSessionBytes   = 128
	MaxPipelineBytes  = 255 // pipeline name
	MaxLabels         = 32  // labels or tags of one run or worker
	MaxQueues         = 64  // queues of one worker
	MaxPipelines      = 10_000
	MaxCapacity       = 10_000
	MaxPriority       = 100   // priorities go from -100 to 100
	MaxAttempts       = 100   // leases that may be lost before a run is dead
	MaxRetries        = 100   // after results
	MaxConcurrency    = 1_000 // slots of a concurrency key
	MaxHolding        = 10_000
	MaxBatch          = 1_000     // submits or results in one call
	MaxOffered        = 256 << 10 // bytes of variables after which an answer gets no further run
	MaxWaitSeconds    = 60        // Prefer: wait=
	MaxPingSeconds    = 300       // Prefer: wait= of a ping
	MaxListed         = 500       // runs in one page
	MaxEventsInOne    = 1_000
	MaxEventDataBytes = 16 << 10
	MaxEventsListed   = 1_000 // in one page, or from the end
	MaxProgressTasks  = 16    // levels of a run's progress
	MaxEventNumber    = 1<<32 - 1
	// MaxNesting is how deep variables and results may be nested. What is sent
	// on stands deeper than it came, and a reader beyond its own limit could
	// never take it: a worker would be offered such a run for ever.
	MaxNesting = 500
)

// Defaults of a submitted run.
const (
	DefaultQueue       = "default"
	DefaultMaxAttempts = 3
)

// BackupType is the media type of a backup.
const BackupType = "application/vnd.sqlite3"
