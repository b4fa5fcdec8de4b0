package status

import (
	"fmt"
	"strings"
	"time"

	"github.com/pullrun/pullrun/api"
)

// Judge says whether a worker of this reading can take work, and why not, as
// of now.
func Judge(s api.WorkerStatus, now time.Time) (ready bool, notReady []string) {
	if len(s.Stalled) > 0 {
		notReady = append(notReady, stalled(s.Stalled))
	}
	if s.Draining {
		notReady = append(notReady, "it is draining")
	}
	if s.Paused != "" {
		notReady = append(notReady, "it takes nothing for the time being: "+s.Paused)
	}
	switch limit := time.Duration(s.Contact.LimitMS) * time.Millisecond; {
	case !s.Contact.Registered || s.Contact.LastAt == nil:
		notReady = append(notReady, "it has not registered with its server")
	case now.Sub(*s.Contact.LastAt) > limit:
		notReady = append(notReady, fmt.Sprintf("its server has not answered for %s, which is longer than %s",
			now.Sub(*s.Contact.LastAt).Round(time.Second), limit))
	}
	return len(notReady) == 0, notReady
}

func stalled(loops []string) string {
	return fmt.Sprintf("its loop %s does not turn any more; restart it", strings.Join(loops, " and its loop "))
}

func because(reasons ...string) string {
	return "the worker is not well: " + strings.Join(reasons, "; ")
}
