package manager_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/pullrun/pullrun/api"
	"github.com/pullrun/pullrun/manager"
)

func TestHowARunStops(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name     string
		pipeline string
		change   func(*api.Packet)
		then     func(m *manager.Manager)
		rc       api.RC
		want     api.Stop
	}{
		{"by itself", "wait", nil, func(m *manager.Manager) { m.Handle(cancel("a")) }, api.RCCancelled, api.StopCooperative},
		{"not in time", "stubborn", nil, func(m *manager.Manager) { m.Handle(cancel("a")) }, api.RCCancelled, api.StopAbandoned},
		{"by force", "killed", nil, func(m *manager.Manager) { m.Handle(cancel("a")) }, api.RCCancelled, api.StopKilled},
		{"not in time, as the engine says first", "left behind", nil, func(m *manager.Manager) { m.Handle(cancel("a")) }, api.RCCancelled, api.StopAbandoned},
		{"it had not begun", "wait", func(p *api.Packet) { p.Delivery = api.AtMostOnce }, func(m *manager.Manager) { m.Handle(cancel("a")) }, api.RCCancelled, ""},
		{"it has finished all the same", "minute", nil, func(m *manager.Manager) { time.Sleep(55 * time.Second); m.Handle(cancel("a")) }, api.RCOK, ""},
		{"its time was over", "wait", func(p *api.Packet) { p.TimeoutMS = 1000 }, func(*manager.Manager) {}, api.RCTimeout, ""},
		{"its lease was lost", "wait", nil, func(m *manager.Manager) { lose(m, 1) }, api.RCWorkerWentAway, ""},
	} {
		bubble(t, tt.name, func(t *testing.T) {
			s := &server{}
			m := start(t, standard, s)
			p := run("a", tt.pipeline)
			if tt.change != nil {
				tt.change(&p)
			}
			m.Handle(p)
			synctest.Wait()
			tt.then(m)
			time.Sleep(time.Minute)
			synctest.Wait()
			if got := s.batches[0][0]; got.RC != tt.rc || got.Stop != tt.want {
				t.Errorf("ended %s, stop %q, want %s, %q", got.RC, got.Stop, tt.rc, tt.want)
			}
		})
	}
}
