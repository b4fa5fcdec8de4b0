package chips

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// lingering is how long the streams of a program are read when all of its
	// group is gone: another that it has sent out of the group may hold them.
	lingering = time.Second
	// lookEvery is how often it is seen whether a group that was told to end
	// has. Nothing tells of the end of processes that are nobody's children.
	lookEvery = 20 * time.Millisecond
)

// runGroup runs a command in a process group of its own, to its end. When ctx
// ends before, the group gets SIGTERM, and after the grace SIGKILL. What is
// left of the group when the command has ended is killed. Should this process
// be killed, so is the command.
func runGroup(ctx context.Context, cmd *exec.Cmd, grace time.Duration) (ended, error) {
	// The kernel sends Pdeathsig when the thread that started the command ends,
	// which may be before the process does: this one stays.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	cmd.WaitDelay = lingering
	if err := cmd.Start(); err != nil {
		return ended{}, err
	}
	g := group(cmd.Process.Pid)
	exited, killed := make(chan struct{}), make(chan bool, 1)
	go func() { killed <- g.endWith(ctx, grace, exited) }()
	g.awaitLeader()
	close(exited)
	end := ended{killed: <-killed}
	// The leader is waited for last, so that its number is nobody else's yet.
	g.signal(syscall.SIGKILL)
	err := cmd.Wait()
	g.putAway()
	end.exit = cmd.ProcessState.ExitCode()
	if status, ok := cmd.ProcessState.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		end.signal = unix.SignalName(status.Signal())
	}
	if errors.As(err, new(*exec.ExitError)) || errors.Is(err, exec.ErrWaitDelay) {
		err = nil
	}
	return end, err
}

// A group is a process group, by the number of its leader, a child of this
// process that has not been waited for.
type group int

// endWith ends the group when ctx ends, and reports whether it had to kill it.
// Nothing happens when the leader exits before.
func (g group) endWith(ctx context.Context, grace time.Duration, exited <-chan struct{}) (killed bool) {
	select {
	case <-exited:
		return false
	case <-ctx.Done():
	}
	over := time.NewTimer(grace)
	defer over.Stop()
	if grace > 0 {
		g.signal(syscall.SIGTERM)
	}
	look := time.NewTicker(lookEvery)
	defer look.Stop()
	for {
		select {
		case <-over.C:
			g.signal(syscall.SIGKILL)
			return true
		case <-exited: // not so what it has started, perhaps
			if !g.alive() {
				return false
			}
			exited = nil
		case <-look.C:
			if exited == nil && !g.alive() {
				return false
			}
		}
	}
}

func (g group) signal(s syscall.Signal) {
	_ = syscall.Kill(-int(g), s) // it fails when all are gone, or are another user's
}

// awaitLeader waits until the leader has exited, and leaves it to be waited for.
func (g group) awaitLeader() {
	for unix.Waitid(unix.P_PID, int(g), nil, unix.WEXITED|unix.WNOWAIT, nil) == unix.EINTR {
	}
}

// putAway waits for what is left of the group after its leader, where this
// process has become its parent: the first of a container does, and nobody else
// would wait for it.
func (g group) putAway() {
	for {
		if _, err := unix.Wait4(-int(g), nil, 0, nil); err != nil && err != unix.EINTR {
			return
		}
	}
}

// alive reports whether a process of the group has not exited.
func (g group) alive() bool {
	stats, _ := filepath.Glob("/proc/[0-9]*/stat") // its only error is the pattern's
	for _, file := range stats {
		stat, err := os.ReadFile(file)
		if err != nil {
			continue // it is gone
		}
		// After the name, which may hold anything, stand the state, the
		// parent and the group.
		fields := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])
		if len(fields) > 2 && string(fields[2]) == strconv.Itoa(int(g)) && fields[0][0] != 'Z' && fields[0][0] != 'X' {
			return true
		}
	}
	return false
}
