package main

import (
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/pullrun/pullrun/api"
)

// A server that sends without an end what the worker refuses, and never takes the
// answers, fills neither its memory nor its log.
func TestEndlessRefusals(t *testing.T) {
	t.Parallel()
	s := newHostileServer(t)
	s.deaf = make(chan struct{})
	t.Cleanup(func() { close(s.deaf) })
	w := start(t, []string{"PULLRUN_SERVER_URL=" + s.URL}, "worker", "--name", "w", "--queues", "mine", "--log-format", "json", pipelinesDir(t))
	w.says(`"msg":"registered"`)
	began := time.Now()
	variables, err := json.Marshal(map[string]string{"value": strings.Repeat("x", 16<<10)})
	if err != nil {
		t.Fatal(err)
	}
	const answers, packets = 40, 200 // 125 MiB
	for i := range answers {
		batch := make([]any, packets)
		for j := range batch {
			batch[j] = sent(fmt.Sprintf("%d.%d", i, j), "unknown", func(p *api.Packet) { p.Variables = variables })
		}
		s.sends(t, batch...)
	}
	s.says(t, `{"packets": []}`) // the last of them has been dealt with
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", w.cmd.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	kib, err := strconv.Atoi(string(regexp.MustCompile(`VmRSS:\s*(\d+) kB`).FindSubmatch(raw)[1]))
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d MiB resident, %d bytes of log", kib>>10, len(w.log()))
	if kib > 110<<10*raceFactor {
		t.Errorf("the worker has %d MiB", kib>>10)
	}
	most := 1 + int(time.Since(began)/time.Minute) // lines about refusals
	if log := w.log(); len(log) > 128<<10 || strings.Count(log, "packet is refused") > most {
		t.Errorf("%d bytes of log, with %d lines about refusals", len(log), strings.Count(log, "packet is refused"))
	}
}
