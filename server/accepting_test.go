package server_test

import (
	"net"
	"net/http"
	"os"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pullrun/pullrun/poller/faultproxy"
	"github.com/pullrun/pullrun/server/store/storetest"
)

// A starved listener has no file descriptors for a while.
type starved struct {
	net.Listener
	until atomic.Pointer[time.Time]
	tries atomic.Int64
}

func (l *starved) Accept() (net.Conn, error) {
	if until := l.until.Load(); until != nil && time.Now().Before(*until) {
		l.tries.Add(1)
		return nil, &net.OpError{Op: "accept", Net: "tcp", Err: os.NewSyscallError("accept4", syscall.EMFILE)}
	}
	return l.Listener.Accept()
}

// A server that cannot accept connections says so, once a minute, and says when
// it can again.
func TestConnectionsThatAreNotAccepted(t *testing.T) {
	t.Parallel()
	storetest.Only(t, storetest.SQLite)
	synctest.Test(t, func(t *testing.T) {
		pipes := faultproxy.NewPipes()
		l := &starved{Listener: pipes}
		until := time.Now().Add(150 * time.Second)
		l.until.Store(&until)
		w := prepare(t, func(s *setup) { s.pipes = faultproxy.NewPipes() })
		if err := w.Listen(l); err != nil {
			t.Fatal(err)
		}
		w.client = &http.Client{Transport: &http.Transport{DialContext: pipes.Dial}}
		w.run()
		time.Sleep(155 * time.Second)
		w.want(http.StatusOK, "GET", "/livez", nil)
		if l.tries.Load() < 100 {
			t.Errorf("it has tried %d times", l.tries.Load())
		}
		if n := w.logged("connections are not accepted"); n != 3 {
			t.Errorf("the log warns %d times in 150 s, want 3", n)
		}
		if n := w.logged("connections are accepted again"); n != 1 {
			t.Errorf("the log says %d times that it is over, want once", n)
		}
		w.end()
	})
}
