package main

import (
	"bytes"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/fstest"
	"testing/synctest"
	"time"
)

func files(pairs ...string) fstest.MapFS {
	out := fstest.MapFS{}
	for i := 0; i < len(pairs); i += 2 {
		out[pairs[i]] = &fstest.MapFile{Data: []byte(pairs[i+1])}
	}
	return out
}

const meminfo = "MemTotal:       1000 kB\nMemFree:         100 kB\nMemAvailable:    700 kB\n"

func TestMemoryUsed(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name  string
		files fstest.MapFS
		want  int
		ok    bool
	}{
		{"a machine without cgroups", files("proc/meminfo", meminfo), 30, true},
		{"a system that is not Linux", files(), 0, false},
		{"version 2, in a container", files("proc/meminfo", meminfo, "proc/self/cgroup", "0::/\n",
			"sys/fs/cgroup/memory.max", "1000\n", "sys/fs/cgroup/memory.current", "900\n", "sys/fs/cgroup/memory.stat", "anon 1\ninactive_file 100\n"), 80, true},
		{"version 2, a service", files("proc/meminfo", meminfo, "proc/self/cgroup", "0::/system.slice/pullrun.service\n",
			"sys/fs/cgroup/system.slice/pullrun.service/memory.max", "1000\n", "sys/fs/cgroup/system.slice/pullrun.service/memory.current", "500\n"), 50, true},
		{"version 2, limited further up", files("proc/meminfo", meminfo, "proc/self/cgroup", "0::/a/b\n",
			"sys/fs/cgroup/a/b/memory.max", "max\n", "sys/fs/cgroup/a/b/memory.current", "100\n",
			"sys/fs/cgroup/a/memory.max", "1000\n", "sys/fs/cgroup/a/memory.current", "950\n"), 95, true},
		{"version 2, limited twice", files("proc/self/cgroup", "0::/a/b\n",
			"sys/fs/cgroup/a/b/memory.max", "1000\n", "sys/fs/cgroup/a/b/memory.current", "600\n",
			"sys/fs/cgroup/a/memory.max", "10000\n", "sys/fs/cgroup/a/memory.current", "9000\n"), 90, true},
		{"version 2 without a limit", files("proc/meminfo", meminfo, "proc/self/cgroup", "0::/a\n",
			"sys/fs/cgroup/a/memory.max", "max\n", "sys/fs/cgroup/a/memory.current", "100\n"), 30, true},
		{"version 1", files("proc/meminfo", meminfo, "proc/self/cgroup", "5:cpu:/x\n4:memory:/docker/1\n",
			"sys/fs/cgroup/memory/memory.limit_in_bytes", "2000\n", "sys/fs/cgroup/memory/memory.usage_in_bytes", "1900\n",
			"sys/fs/cgroup/memory/memory.stat", "total_inactive_file 300\n"), 80, true},
		{"version 1 without a limit", files("proc/meminfo", meminfo, "proc/self/cgroup", "4:memory:/\n",
			"sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n", "sys/fs/cgroup/memory/memory.usage_in_bytes", "1900\n"), 30, true},
		{"what makes no sense", files("proc/meminfo", "MemTotal: x\n", "proc/self/cgroup", "nonsense\n"), 0, false},
	} {
		if got, ok := memoryUsed(tt.files); got != tt.want || ok != tt.ok {
			t.Errorf("%s: %d%%, %t, want %d%%, %t", tt.name, got, ok, tt.want, tt.ok)
		}
	}
}

// A worker says once that memory is short, and once that it is not any more.
func TestMachineMemory(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		root := files()
		m := &machineMemory{limit: func() int { return 80 }, root: root, log: slog.New(slog.NewTextHandler(&log, nil))}
		for i, step := range []struct {
			used int
			want bool
		}{{10, false}, {79, false}, {80, true}, {99, true}, {78, true}, {75, true}, {74, false}, {79, false}, {85, true}} {
			root["proc/meminfo"] = &fstest.MapFile{Data: []byte(fmt.Sprintf("MemTotal: 100 kB\nMemAvailable: %d kB\n", 100-step.used))}
			time.Sleep(2 * memoryFresh)
			if got := m.tight(); got != step.want {
				t.Errorf("step %d, %d%% in use: tight is %t, want %t", i, step.used, got, step.want)
			}
		}
		if short, free := strings.Count(log.String(), "memory is short"), strings.Count(log.String(), "memory is free"); short != 2 || free != 1 {
			t.Errorf("said %d times that memory is short and %d times that it is free, want 2 and 1:\n%s", short, free, log.String())
		}
	})
	none := &machineMemory{limit: func() int { return 0 }, root: files("proc/meminfo", "MemTotal: 100 kB\nMemAvailable: 0 kB\n")}
	if none.tight() {
		t.Error("memory is tight where there is no limit")
	}
}
