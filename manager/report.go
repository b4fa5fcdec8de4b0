package manager

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"

	"go.opentelemetry.io/otel/trace"

	"github.com/pullrun/pullrun/api"
	"github.com/pullrun/pullrun/otel/span"
)

// batchBytes bounds the results that are posted together, in bytes; one that
// is larger goes alone.
const batchBytes = 512 << 10

// An answer is a result on its way to the server.
type answer struct {
	run    *run // nil when the packet was not taken up
	packet api.Packet
	result api.Result
	trace  trace.SpanContext // of the process span
	// replaced says that the result stands for one that the server refused.
	replaced bool
}

// maxRefused is how many refusals wait to be posted. A server that goes on
// sending what is refused, and does not take the answers, is not answered beyond
// it: an offer that has no answer lapses, and a CANCEL is sent again.
const maxRefused = api.MaxBatch

// answer refuses a packet with a result code. While the worker drains that is as
// it should be.
func (m *Manager) answer(p api.Packet, rc api.RC, message string) {
	p, message = essence(p), short(message, maxRefusal)
	m.mu.Lock()
	defer m.mu.Unlock()
	a := answer{packet: p, result: api.Result{Cookie: p.Cookie, Fence: p.Fence, Store: m.store, RC: rc, Error: message}}
	level := slog.LevelWarn
	if m.draining {
		level = slog.LevelInfo
	}
	log := m.seldom
	log.Log(inTrace(p), level, "packet is refused", "cookie", p.Cookie, "rc", rc, "err", message)
	if m.refused == maxRefused {
		return
	}
	m.refused++
	m.finished = append(m.finished, a)
	m.postFinished()
}

// maxRefusal bounds the text of a refusal, in bytes.
const maxRefusal = 1 << 10

// essence is what a refusal keeps of its packet, which may be of any size.
func essence(p api.Packet) api.Packet {
	name := func(s string) string { return short(s, api.MaxValueBytes) }
	return api.Packet{
		PacketType: api.PacketType(name(string(p.PacketType))), Cookie: name(p.Cookie), Fence: p.Fence, Attempt: p.Attempt,
		Pipeline: name(p.Pipeline), Queue: name(p.Queue), TraceParent: name(p.TraceParent),
	}
}

// short is the beginning of a text that is longer than most bytes.
func short(s string, most int) string {
	if len(s) <= most {
		return s
	}
	return strings.Clone(strings.ToValidUTF8(s[:most], "")) + "..."
}

// postFinished has what is finished posted. Whoever finds nobody posting
// starts, and goes on for as long as there is something to post: results that
// end while another is on its way travel together. The caller has locked mu.
func (m *Manager) postFinished() {
	if !m.reporter {
		m.reporter = true
		go m.postAll()
	}
}

func (m *Manager) postAll() {
	for {
		batch := m.nextBatch()
		if len(batch) == 0 {
			return
		}
		m.settle(batch)
	}
}

// nextBatch takes what is to be posted together. When there is nothing, the
// reporter's work is over.
func (m *Manager) nextBatch() []answer {
	m.mu.Lock()
	defer m.mu.Unlock()
	size, n := 0, 0
	for n < len(m.finished) && n < api.MaxBatch {
		r := m.finished[n].result
		if r.Store != m.finished[0].result.Store {
			break // it may be for another server
		}
		size += len(r.Result) + len(r.Error) + len(r.Stacktrace)
		if n > 0 && size > batchBytes {
			break
		}
		n++
	}
	batch := m.finished[:n:n]
	m.finished = m.finished[n:]
	if n == 0 {
		m.finished = nil
		m.reporter = false
		m.rest()
	}
	return batch
}

// settle posts a batch until every result in it is judged. A batch that the
// server refuses as a whole is posted one by one; a result that it refuses on
// its own is replaced by one that says so, for a run must end.
func (m *Manager) settle(batch []answer) {
	log := m.logOf(batch[0])
	verdicts, err := m.judge(batch)
	switch {
	case err == nil:
		m.unkeep(m.setAside(batch, verdicts))
		for i, v := range verdicts {
			m.judged(batch[i], v)
		}
		m.tellJudged()
	case m.posting.Err() != nil:
		for _, a := range batch {
			m.giveUpOn(a)
		}
	case len(batch) > 1:
		for _, a := range batch {
			m.settle([]answer{a})
		}
	case batch[0].result.RC.Ends() && !batch[0].replaced:
		a := batch[0]
		log.ErrorContext(a.context(), "the server refuses the result, reporting that instead", "cookie", a.packet.Cookie, "err", err)
		a.replaced = true
		a.result = api.Result{
			Cookie: a.packet.Cookie, Fence: a.packet.Fence, Store: a.result.Store, RC: api.RCProcessorException,
			Error: "the server refused the result of this run: " + err.Error(),
		}
		m.settle([]answer{a})
	default:
		log.ErrorContext(batch[0].context(), "result is lost, the server refuses it", "cookie", batch[0].packet.Cookie, "rc", batch[0].result.RC, "err", err)
		m.unkeep(batch)
		m.lose(batch[0])
	}
}

// judge posts a batch, unless it is of another database than the server's: that
// would say that it has no such run, or, worse, take it for a run of its own.
func (m *Manager) judge(batch []answer) ([]api.Verdict, error) {
	theirs := batch[0].result.Store
	m.mu.Lock()
	ours, another := m.store, m.another(theirs)
	m.mu.Unlock()
	if !another {
		return m.send(batch)
	}
	verdicts := make([]api.Verdict, len(batch))
	for i, a := range batch {
		verdicts[i] = api.Verdict{
			Cookie: a.packet.Cookie, Fence: a.packet.Fence, Verdict: api.VerdictRejected,
			Detail: fmt.Sprintf("it is of a run of the store %s, and this server has %s", theirs, ours),
		}
	}
	return verdicts, nil
}

// send posts a batch once, with a settle span for each result. The requests
// are made under the first one's; the others link to it.
func (m *Manager) send(batch []answer) ([]api.Verdict, error) {
	results := make([]api.Result, len(batch))
	spans := make([]trace.Span, len(batch))
	var first context.Context
	for i, a := range batch {
		results[i] = a.result
		ctx, settle := span.Settle(trace.ContextWithRemoteSpanContext(m.posting, a.trace), spanRun(a.packet), m.spanAttempt(a.packet))
		if i == 0 {
			first = ctx
		} else {
			settle.AddLink(trace.LinkFromContext(first))
		}
		spans[i] = settle
	}
	verdicts, err := m.report(first, results)
	if err == nil && len(verdicts) != len(batch) {
		err = fmt.Errorf("%d verdicts for %d results", len(verdicts), len(batch))
	}
	m.cfg.Meter.Posted(max(1, span.Sends(first)), err == nil)
	for _, settle := range spans {
		settle.SetAttributes(span.PostAttemptsKey.Int(span.Sends(first)))
		if err != nil {
			span.Fail(settle, err, errorType(err))
		}
		settle.End()
	}
	return verdicts, err
}

// tellJudged wakes who waits for results to be judged.
func (m *Manager) tellJudged() {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.judging != nil {
		close(m.judging)
		m.judging = nil
	}
}

// judged lets go of an answer that the server has seen.
func (m *Manager) judged(a answer, v api.Verdict) {
	log := m.logOf(a)
	m.cfg.Meter.Judged(string(v.Verdict))
	switch v.Verdict {
	case api.VerdictStale:
		log.WarnContext(a.context(), "result came too late, the run is somebody else's now", "cookie", v.Cookie, "fence", v.Fence, "detail", v.Detail)
		m.remember(a)
	case api.VerdictRejected:
		log.ErrorContext(a.context(), "result is rejected", "cookie", v.Cookie, "fence", v.Fence, "detail", v.Detail)
	default:
		log.DebugContext(a.context(), "result is accepted", "cookie", v.Cookie, "verdict", v.Verdict)
		m.endProcess(a)
	}
	m.forget(a)
}

// lose lets go of an answer that nobody will have.
func (m *Manager) lose(a answer) {
	m.cfg.Meter.Judged("lost")
	m.mu.Lock()
	m.unposted++
	m.mu.Unlock()
	m.forget(a)
}

// logOf is where an answer's lines go.
func (m *Manager) logOf(a answer) *slog.Logger {
	if a.run == nil {
		return m.seldom
	}
	return m.log
}

// forget lets go of an answer, and of the slot of its run should it have it
// still.
func (m *Manager) forget(a answer) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if a.run == nil {
		m.refused--
		return
	}
	close(a.run.over)
	m.free(a.run)
	if m.runs[a.packet.Cookie] == a.run {
		delete(m.runs, a.packet.Cookie)
	}
	m.rest()
}

func errorType(err error) string {
	if code := api.CodeOf(err); code != "" {
		return string(code)
	}
	if errors.Is(err, context.Canceled) {
		return "cancelled"
	}
	return fmt.Sprintf("%T", err)
}
