package feed

import (
	"bytes"
	"encoding/json"
	"time"

	"github.com/pullrun/pullrun/api"
)

// A Run is one run's part of a feed. Its methods may be called concurrently.
type Run struct {
	feed  *Feed
	began time.Time
	where func() []api.TaskInHand

	// Guarded by the feed's mu.
	lease   api.Held       // whose lines and progress it has
	ring    []api.RunEvent // lines to post
	bytes   int            // of these
	last    int64          // number of the last line
	told    time.Time      // when progress was told last
	tasks   []byte         // that it told of
	count   int64          // of progress
	watched bool           // somebody is looking
	over    bool           // it has ended
	queued  bool           // it is among the feed's pending
}

// Begin follows the run of a lease from now on, until its End. where tells the
// tasks that it is in, the outermost first; it must not block.
func (f *Feed) Begin(lease api.Held, where func() []api.TaskInHand) *Run {
	r := &Run{feed: f, lease: lease, where: where, began: time.Now()}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.runs[r] = struct{}{}
	return r
}

// Refence has the run go on under another lease. What it has not posted yet goes
// with it.
func (r *Run) Refence(lease api.Held) {
	r.feed.mu.Lock()
	defer r.feed.mu.Unlock()
	r.lease, r.last, r.count, r.tasks = lease, 0, 0, nil
	for i := range r.ring {
		r.last++
		r.ring[i].Fence, r.ring[i].Store, r.ring[i].N = lease.Fence, lease.Store, r.last
	}
}

// End says that the run is over, and returns the number of its last line, 0 if
// it has none. What it has not posted yet still is; what an engine that does not
// stop logs later is not.
func (r *Run) End() int64 {
	r.feed.mu.Lock()
	defer r.feed.mu.Unlock()
	delete(r.feed.runs, r)
	r.over = true
	return r.last
}

// add puts a line into the ring.
func (r *Run) add(at time.Time, line api.LogLine) {
	line.Text, line.Task = r.feed.redact(line.Text), r.feed.redact(line.Task)
	data := encode(line)
	f := r.feed
	f.mu.Lock()
	defer f.mu.Unlock()
	if r.over {
		return
	}
	r.last++ // of a line that is dropped too: the gap shows it
	e := api.RunEvent{Cookie: r.lease.Cookie, Fence: r.lease.Fence, Store: r.lease.Store, N: r.last, At: at.UTC(), Kind: api.EventLog, Data: data}
	over, size := 0, len(data)
	for over < len(r.ring) && (len(r.ring)-over >= ringLines || r.bytes+size > ringBytes || f.bytes+size > allBytes) {
		size -= len(r.ring[over].Data)
		over++
	}
	r.take(over)
	f.dropped += int64(over)
	if f.bytes+len(data) > allBytes {
		f.dropped++
		return // others have filled the room
	}
	if !r.queued {
		r.queued = true
		f.pending = append(f.pending, r)
		f.rouse()
	}
	r.ring = append(r.ring, e)
	r.bytes += len(data)
	f.bytes += len(data)
	f.waiting++
}

// take removes the n oldest lines. The caller has locked the feed.
func (r *Run) take(n int) {
	for _, e := range r.ring[:n] {
		r.bytes -= len(e.Data)
		r.feed.bytes -= len(e.Data)
	}
	r.feed.waiting -= n
	r.ring = r.ring[n:]
	if len(r.ring) == 0 {
		r.ring = nil
	}
}

// maxName bounds the name of a task that is told, in bytes.
const maxName = 200

// cut stands where a text has lost its end.
const cut = " [cut]"

// encode writes a line as JSON that is no larger than an event's data may be. A
// text that is too long loses its end.
func encode(line api.LogLine) []byte {
	if len(line.Text) > api.MaxEventDataBytes {
		line.Text = line.Text[:api.MaxEventDataBytes] + cut
	}
	for {
		data, err := json.Marshal(line)
		if err == nil && len(data) <= api.MaxEventDataBytes {
			return data
		}
		line.Text = line.Text[:len(line.Text)/2] + cut
		line.Task = line.Task[:min(len(line.Task), maxName)]
	}
}

// progress is where the run is, if that has changed since it was told. The
// caller has locked the feed.
func (r *Run) progress(now time.Time) (e api.RunEvent, fresh bool) {
	tasks := r.where()
	if len(tasks) == 0 {
		return e, false
	}
	for i, t := range tasks {
		name := r.feed.redact(t.Name)
		tasks[i].Name, tasks[i].Since = name[:min(len(name), maxName)], t.Since.UTC()
	}
	p := api.Progress{At: now.UTC(), Tasks: tasks}
	where, err := json.Marshal(tasks)
	if err != nil || bytes.Equal(where, r.tasks) {
		return e, false
	}
	data, err := json.Marshal(p)
	if err != nil || len(data) > api.MaxEventDataBytes {
		return e, false
	}
	r.count++
	r.told, r.tasks = now, where
	return api.RunEvent{Cookie: r.lease.Cookie, Fence: r.lease.Fence, Store: r.lease.Store, N: r.count, At: p.At, Kind: api.EventProgress, Data: data}, true
}
