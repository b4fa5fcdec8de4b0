package server

import (
	"container/list"
	"sync"

	"github.com/pullrun/pullrun/server/store"
)

// hub wakes those who wait: parked polls and readers of runs. Whoever waits
// subscribes first and looks at the store then, so nothing that happens in
// between is missed, and nobody ever looks again without a reason.
type hub struct {
	mu sync.Mutex
	// Guarded by mu.
	offers map[string]offer // what each worker takes, by name; a hint
	parked map[string]*parked
	order  *list.List                            // of *parked, the longest waiting first
	runs   map[string]map[chan struct{}]interest // readers, by cookie
}

// An offer is what a worker takes.
type offer struct {
	queues    map[string]bool
	labels    map[string]string
	pipelines map[string]bool // nil takes any
}

// A parked poll waits for something to send to its worker.
type parked struct {
	worker   string
	wake     chan struct{} // the hub sends; has room for one
	released chan struct{} // closed when the poll is to be answered at once
	place    *list.Element

	// Guarded by the hub's mu.
	free  int        // slots, as far as it is known
	woken bool       // and has not looked at the store since
	news  *store.Run // the queued run that it was woken for
}

func offerOf(queues []string, labels map[string]string, pipelines []store.Pipeline) offer {
	o := offer{queues: make(map[string]bool, len(queues)), labels: labels}
	for _, q := range queues {
		o.queues[q] = true
	}
	if pipelines != nil {
		o.pipelines = make(map[string]bool, len(pipelines))
		for _, p := range pipelines {
			o.pipelines[p.Name] = true
		}
	}
	return o
}

func newHub() *hub {
	return &hub{
		offers: make(map[string]offer), parked: make(map[string]*parked), order: list.New(),
		runs: make(map[string]map[chan struct{}]interest),
	}
}

// announce notes what a worker takes, so that it is not woken for other runs.
// A worker that has not been announced is woken for all.
func (h *hub) announce(worker string, o offer) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.offers[worker] = o
}

// forget drops what a worker takes, and ends the subscription of its poll.
func (h *hub) forget(worker string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.offers, worker)
	h.unpark(worker)
}

// park subscribes a poll, unless there are limit already; zero is no limit.
// The older poll of the same worker, if there is one, is released.
func (h *hub) park(worker string, limit int) (_ *parked, ok bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if _, again := h.parked[worker]; limit > 0 && len(h.parked) >= limit && !again {
		return nil, false
	}
	h.unpark(worker)
	p := &parked{worker: worker, wake: make(chan struct{}, 1), released: make(chan struct{}), free: 1}
	p.place = h.order.PushBack(p)
	h.parked[worker] = p
	return p, true
}

// leave ends a subscription. News that the poll has not looked at is passed
// on to another.
func (h *hub) leave(p *parked) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if p.news != nil {
		h.wakeAfter(p, p.news)
	}
	if h.parked[p.worker] == p {
		delete(h.parked, p.worker)
		h.order.Remove(p.place)
	}
}

func (h *hub) unpark(worker string) {
	if p := h.parked[worker]; p != nil {
		close(p.released)
		delete(h.parked, worker)
		h.order.Remove(p.place)
	}
}

// look says that the poll is about to look at the store, and returns the run
// that it was woken for. Until it has seen otherwise it counts as one that has
// room, for a slot may become free while it looks.
func (h *hub) look(p *parked) (news *store.Run) {
	h.mu.Lock()
	defer h.mu.Unlock()
	news = p.news
	p.woken, p.news, p.free = false, nil, 1
	return news
}

// seen says how many slots the store has found free.
func (h *hub) seen(p *parked, free int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	p.free = free
}

// queued wakes a poll that can take the run.
func (h *hub) queued(run *store.Run) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.wakeFrom(h.order.Front(), run)
}

// passOn wakes another poll than p that can take the run.
func (h *hub) passOn(p *parked, run *store.Run) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.wakeAfter(p, run)
}

// wakeAfter goes on with the polls that have come after p: those before could
// not take the run, or look at the store themselves.
func (h *hub) wakeAfter(p *parked, run *store.Run) {
	if h.parked[p.worker] == p {
		h.wakeFrom(p.place.Next(), run)
	} else {
		h.wakeFrom(h.order.Front(), run) // its place is lost
	}
}

func (h *hub) wakeFrom(e *list.Element, run *store.Run) {
	for ; e != nil; e = e.Next() {
		p := e.Value.(*parked)
		if p.woken || p.free <= 0 || !h.takes(p.worker, run) {
			continue
		}
		p.news = run
		p.rouse()
		return
	}
}

func (h *hub) takes(worker string, run *store.Run) bool {
	o, known := h.offers[worker]
	if !known {
		return true
	}
	if !o.queues[run.Queue] || o.pipelines != nil && !o.pipelines[run.Pipeline] {
		return false
	}
	for k, v := range run.Labels {
		if has, ok := o.labels[k]; !ok || has != v {
			return false
		}
	}
	return true
}

// worker wakes the worker's poll: a slot has become free, or there is
// something that only this worker can be told.
func (h *hub) worker(name string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if p := h.parked[name]; p != nil {
		p.rouse()
	}
}

func (p *parked) rouse() {
	p.woken = true
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

// interest is what a reader of a run wants to be woken for.
type interest bool

const (
	onlyEnd    interest = false
	everything interest = true
)

// watch subscribes to a run. The channel has room for one.
func (h *hub) watch(cookie string, want interest) (changes <-chan struct{}, leave func()) {
	c := make(chan struct{}, 1)
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.runs[cookie] == nil {
		h.runs[cookie] = make(map[chan struct{}]interest)
	}
	h.runs[cookie][c] = want
	return c, func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		delete(h.runs[cookie], c)
		if len(h.runs[cookie]) == 0 {
			delete(h.runs, cookie)
		}
	}
}

// changed wakes the readers of a run, which may have ended.
func (h *hub) changed(cookie string, ended bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for c, want := range h.runs[cookie] {
		if want == onlyEnd && !ended {
			continue
		}
		select {
		case c <- struct{}{}:
		default:
		}
	}
}

// polls is how many polls are parked.
func (h *hub) polls() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.parked)
}
