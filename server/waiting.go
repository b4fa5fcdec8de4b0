package server

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/pullrun/pullrun/api"
	"github.com/pullrun/pullrun/server/store"
)

// viewWaiting says why a run waits, for programs and in a sentence. w is nil if
// it does not.
func viewWaiting(r *store.Run, w *store.Waiting) *api.Waiting {
	if w == nil {
		return nil
	}
	return &api.Waiting{
		Reason: api.WaitingReason(w.Reason), Message: waitingMessage(r, w), Until: optional(w.Until), Holders: w.Holders,
		Missing: w.Missing, Digests: w.Digests, Paused: w.Paused, Workers: w.Workers, Slots: w.Slots, Position: w.Position,
	}
}

func waitingMessage(r *store.Run, w *store.Waiting) string {
	switch w.Reason {
	case store.WaitsForTime:
		return fmt.Sprintf("it is not to begin before %s", w.Until.Format(time.RFC3339))
	case store.WaitsForRetry:
		return fmt.Sprintf("attempt %d did not succeed; it is queued again at %s", r.Attempts, w.Until.Format(time.RFC3339))
	case store.WaitsForSlot:
		return fmt.Sprintf("%s of concurrency key %q is taken, by %s; it is number %s of those that wait",
			plural(r.Concurrency.Limit, "the only slot", "each of the %d slots"), r.Concurrency.Key, strings.Join(w.Holders, ", "), place(w.Position))
	case store.WaitsForQueue:
		return fmt.Sprintf("no worker takes runs from queue %q", r.Queue)
	case store.WaitsForLabels:
		return fmt.Sprintf("no worker of queue %q has all of its labels; the one that has most lacks %s", r.Queue, labelText(w.Missing))
	case store.WaitsForPipeline:
		return fmt.Sprintf("no worker that takes such runs from queue %q has pipeline %q", r.Queue, r.Pipeline)
	case store.WaitsForDigest:
		return fmt.Sprintf("no worker that takes such runs from queue %q has pipeline %q with digest %s%s", r.Queue, r.Pipeline, shortDigest(r.PipelineDigest), others(w.Digests))
	case store.WaitsForDrained:
		return plural(w.Workers, "the only worker that could take it is draining", "all %d workers that could take it are draining")
	case store.WaitsForPaused:
		return plural(w.Workers, "the only worker that could take it is paused", "all %d workers that could take it are paused") + ": " + pausedText(w.Paused)
	case store.WaitsForWorkers:
		return fmt.Sprintf("%s; it is number %s in line",
			plural(w.Slots, "the only slot for it is taken", "all %d slots for it are taken"), place(w.Position))
	case store.WaitsForOffer:
		return "a worker has a free slot: it is sent soon"
	}
	return fmt.Sprintf("it was sent to worker %q, which has not acknowledged it yet", r.Worker)
}

// place is a position, of which the last is not counted exactly.
func place(position int) string {
	if position == store.MaxPosition {
		return fmt.Sprint(position, " or later")
	}
	return fmt.Sprint(position)
}

// others says with which digests workers have a pipeline instead.
func others(digests []string) string {
	if len(digests) == 0 {
		return ""
	}
	var short []string
	for _, d := range digests {
		short = append(short, shortDigest(d))
	}
	return ", but with " + strings.Join(short, ", ")
}

// shortDigest is as much of a digest as people need to tell it from others.
func shortDigest(digest string) string {
	algorithm, hash, _ := strings.Cut(digest, ":")
	if len(hash) <= 12 {
		return digest
	}
	return algorithm + ":" + hash[:12]
}

// plural is one or, with its number, many.
func plural(n int, one, many string) string {
	if n == 1 {
		return one
	}
	return fmt.Sprintf(many, n)
}

// pausedText says which workers are paused, and why.
func pausedText(paused map[string]string) string {
	var out []string
	for _, name := range slices.Sorted(maps.Keys(paused)) {
		out = append(out, fmt.Sprintf("%s (%s)", name, paused[name]))
	}
	return strings.Join(out, ", ")
}

func labelText(labels map[string]string) string {
	var out []string
	for _, name := range slices.Sorted(maps.Keys(labels)) {
		out = append(out, name+"="+labels[name])
	}
	return strings.Join(out, ", ")
}
