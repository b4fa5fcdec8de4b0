package main

import (
	"bufio"
	"bytes"
	"io/fs"
	"log/slog"
	"os"
	"path"
	"strconv"
	"strings"
	"sync"
	"time"
)

const (
	// memoryFresh is how long a look at the machine's memory counts.
	memoryFresh = time.Second
	// memoryBack is how far, in points, memory must fall below its limit until
	// runs are taken again.
	memoryBack = 5
)

// machineMemory knows whether so much of the machine's memory is in use that the
// worker should take nothing more: of its cgroup's, if that has a limit, or else
// of all there is. Where neither can be told, which is anywhere but on Linux, it
// never is.
type machineMemory struct {
	limit func() int // percent; zero is none
	root  fs.FS
	log   *slog.Logger

	mu sync.Mutex
	// Guarded by mu.
	looked time.Time
	full   bool
}

func newMachineMemory(limit func() int, log *slog.Logger) *machineMemory {
	return &machineMemory{limit: limit, root: os.DirFS("/"), log: log}
}

// tight looks at the memory, and says once that it has become tight, and that it
// is so no longer.
func (m *machineMemory) tight() bool {
	limit := m.limit()
	m.mu.Lock()
	defer m.mu.Unlock()
	if limit == 0 {
		m.full = false
		return false
	}
	if now := time.Now(); now.Sub(m.looked) > memoryFresh {
		m.looked = now
		m.look(limit)
	}
	return m.full
}

// look notes whether the memory is tight. The caller has locked mu.
func (m *machineMemory) look(limit int) {
	used, ok := memoryUsed(m.root)
	switch {
	case !ok:
	case !m.full && used >= limit:
		m.full = true
		m.log.Warn("memory is short, taking nothing more", "percent", used)
	case m.full && used < limit-memoryBack:
		m.full = false
		m.log.Info("memory is free again, taking runs", "percent", used)
	}
}

// memoryUsed is how much of the memory is in use, in percent.
func memoryUsed(root fs.FS) (percent int, ok bool) {
	if used, limit, ok := cgroupMemory(root); ok {
		return int(100 * used / limit), true
	}
	info := numbers(root, "proc/meminfo")
	total, free := info["MemTotal:"], info["MemAvailable:"]
	if total <= 0 {
		return 0, false
	}
	return int(100 * (total - free) / total), true
}

// cgroupMemory is what the process's cgroup uses of its limit, in bytes, caches
// that can be dropped left out. Of several limits on the way up it is the one that
// leaves the least room.
func cgroupMemory(root fs.FS) (used, limit int64, ok bool) {
	for _, v := range cgroups(root) {
		for dir := v.dir; ; dir = path.Dir(dir) {
			most, limited := number(root, path.Join(v.mount, dir, v.limit))
			now, known := number(root, path.Join(v.mount, dir, v.usage))
			if limited && known && most > 0 && most < unlimited {
				now -= numbers(root, path.Join(v.mount, dir, "memory.stat"))[v.cache]
				if !ok || float64(now)/float64(most) > float64(used)/float64(limit) {
					used, limit, ok = now, most, true
				}
			}
			if dir == "/" || dir == "." {
				break
			}
		}
	}
	return used, limit, ok
}

// unlimited is less than what version 1 says where there is no limit.
const unlimited = 1 << 60

// A cgroup is one that the process is in, and the names of its files.
type cgroup struct{ mount, dir, limit, usage, cache string }

// cgroups are those that may limit the process's memory.
func cgroups(root fs.FS) (found []cgroup) {
	raw, err := fs.ReadFile(root, "proc/self/cgroup")
	if err != nil {
		return nil
	}
	for line := range strings.Lines(string(raw)) {
		fields := strings.SplitN(strings.TrimSpace(line), ":", 3)
		switch {
		case len(fields) < 3:
		case fields[1] == "":
			found = append(found, cgroup{"sys/fs/cgroup", fields[2], "memory.max", "memory.current", "inactive_file"})
		case fields[1] == "memory":
			found = append(found, cgroup{"sys/fs/cgroup/memory", fields[2], "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"})
		}
	}
	return found
}

// number reads a file that holds one.
func number(root fs.FS, name string) (int64, bool) {
	raw, err := fs.ReadFile(root, strings.TrimPrefix(name, "/"))
	if err != nil {
		return 0, false
	}
	n, err := strconv.ParseInt(string(bytes.TrimSpace(raw)), 10, 64)
	return n, err == nil
}

// numbers reads a file of names and numbers.
func numbers(root fs.FS, name string) map[string]int64 {
	raw, err := fs.ReadFile(root, strings.TrimPrefix(name, "/"))
	if err != nil {
		return nil
	}
	out := make(map[string]int64)
	for s := bufio.NewScanner(bytes.NewReader(raw)); s.Scan(); {
		if fields := strings.Fields(s.Text()); len(fields) > 1 {
			out[fields[0]], _ = strconv.ParseInt(fields[1], 10, 64) // what is no number is not asked for
		}
	}
	return out
}
