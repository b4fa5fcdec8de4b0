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
	publish func(...store.Signal) // tells the other servers on the database

	mu sync.Mutex
	// Guarded by mu.
	offers  map[string]offer // what each worker takes, by name; a hint
	parked  map[string]*parked
	order   *list.List          // of *parked, the longest waiting first
	watched attention           // whose progress is wanted
	runs    readers[struct{}]   // of every change
	ends    readers[*store.Run] // of the end
}

// An offer is what a worker takes.
type offer struct {
	session   string // that it was made in
	queues    map[string]bool
	labels    map[string]string
	pipelines store.Catalog
}

// A parked poll waits for something to send to its worker.
type parked struct {
	worker   string
	session  string
	wake     chan struct{} // the hub sends; has room for one
	released chan struct{} // closed when the poll is to be answered at once
	place    *list.Element

	// Guarded by the hub's mu.
	free  int   // slots, as far as it is known
	woken bool  // and has not looked at the store since
	news  *news // what it was woken for
}

// news is a run that waits for a worker.
type news struct {
	run *store.Run
	// told says that all servers on the database have heard of it, so that
	// there is nobody left to tell if no poll here can take it.
	told bool
}

func offerOf(session string, queues []string, labels map[string]string, pipelines []store.Pipeline) offer {
	o := offer{session: session, queues: make(map[string]bool, len(queues)), labels: labels, pipelines: store.CatalogOf(pipelines)}
	for _, q := range queues {
		o.queues[q] = true
	}
	return o
}

func newHub(publish func(...store.Signal)) *hub {
	return &hub{
		publish: publish,
		watched: newAttention(),
		offers:  make(map[string]offer), parked: make(map[string]*parked), order: list.New(),
		runs: make(readers[struct{}]), ends: make(readers[*store.Run]),
	}
}

// announce notes what a worker takes, so that it is not woken for other runs.
// A worker whose session has not been announced here is woken for all.
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
func (h *hub) park(worker, session string, limit int) (_ *parked, ok bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if _, again := h.parked[worker]; limit > 0 && len(h.parked) >= limit && !again {
		return nil, false
	}
	h.unpark(worker)
	p := &parked{worker: worker, session: session, wake: make(chan struct{}, 1), released: make(chan struct{}), free: 1}
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
func (h *hub) look(p *parked) *news {
	h.mu.Lock()
	defer h.mu.Unlock()
	n := p.news
	p.woken, p.news, p.free = false, nil, 1
	return n
}

// seen says how many slots the store has found free.
func (h *hub) seen(p *parked, free int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	p.free = free
}

// queued wakes a poll that can take the run. If there is none here, the other
// servers are told.
func (h *hub) queued(n *news) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.wakeFrom(h.order.Front(), n)
}

// passOn wakes another poll than p that can take the run.
func (h *hub) passOn(p *parked, n *news) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.wakeAfter(p, n)
}

// wakeAfter goes on with the polls that have come after p: those before could
// not take the run, or look at the store themselves.
func (h *hub) wakeAfter(p *parked, n *news) {
	if h.parked[p.worker] == p {
		h.wakeFrom(p.place.Next(), n)
	} else {
		h.wakeFrom(h.order.Front(), n) // its place is lost
	}
}

func (h *hub) wakeFrom(e *list.Element, n *news) {
	for ; e != nil; e = e.Next() {
		p := e.Value.(*parked)
		if p.woken || p.free <= 0 || !h.takes(p, n.run) {
			continue
		}
		p.news = n
		p.rouse()
		return
	}
	if !n.told {
		h.publish(store.Signal{Kind: store.RunQueued, Run: n.run})
	}
}

func (h *hub) takes(p *parked, run *store.Run) bool {
	o, known := h.offers[p.worker]
	if !known || o.session != p.session {
		return true // it has registered at another server
	}
	if !o.queues[run.Queue] || !o.pipelines.Has(run.Pipeline, run.PipelineDigest) {
		return false
	}
	for k, v := range run.Labels {
		if has, ok := o.labels[k]; !ok || has != v {
			return false
		}
	}
	return true
}

// worker wakes the worker's poll, if it is here: a slot has become free, or
// there is something that only this worker can be told.
func (h *hub) worker(name string) (here bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	p := h.parked[name]
	if p != nil {
		p.rouse()
	}
	return p != nil
}

// waiting is how many polls are parked.
func (h *hub) waiting() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.parked)
}

// everybody wakes all polls and all readers.
func (h *hub) everybody() {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, p := range h.parked {
		p.rouse()
	}
	for _, waiting := range h.runs {
		for c := range waiting {
			rouse(c)
		}
	}
	for _, waiting := range h.ends {
		for c := range waiting {
			tell(c, nil)
		}
	}
}

func (p *parked) rouse() {
	p.woken = true
	rouse(p.wake)
}

func rouse(c chan struct{}) { tell(c, struct{}{}) }

// tell sends, unless something is there that has not been received.
func tell[T any](c chan T, what T) {
	select {
	case c <- what:
	default:
	}
}

// watch subscribes to every change of a run. The channel has room for one.
func (h *hub) watch(cookie string) (changes <-chan struct{}, leave func()) {
	c := make(chan struct{}, 1)
	return c, subscribe(h, h.runs, cookie, c)
}

// watchEnd subscribes to the end of a run. The channel has room for one: the run
// as it ended, or nil if that has to be looked up.
func (h *hub) watchEnd(cookie string) (end <-chan *store.Run, leave func()) {
	c := make(chan *store.Run, 1)
	return c, subscribe(h, h.ends, cookie, c)
}

// readers are the channels of those who wait, by cookie.
type readers[T any] map[string]map[chan T]struct{}

func subscribe[T any](h *hub, to readers[T], cookie string, c chan T) (leave func()) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if to[cookie] == nil {
		to[cookie] = make(map[chan T]struct{})
	}
	to[cookie][c] = struct{}{}
	return func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		delete(to[cookie], c)
		if len(to[cookie]) == 0 {
			delete(to, cookie)
		}
	}
}

// changed wakes the readers of a run that has not ended.
func (h *hub) changed(cookie string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for c := range h.runs[cookie] {
		rouse(c)
	}
}

// ended wakes all readers of a run. Where the run is known, with its result,
// those who wait for its end need not look it up.
func (h *hub) ended(cookie string, run *store.Run) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for c := range h.runs[cookie] {
		rouse(c)
	}
	for c := range h.ends[cookie] {
		tell(c, run)
	}
}
