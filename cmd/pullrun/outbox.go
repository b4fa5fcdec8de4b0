package main

import (
	"fmt"
	"log/slog"
	"os"
	"path/filepath"

	"github.com/pullrun/pullrun/configs"
	"github.com/pullrun/pullrun/manager"
	"github.com/pullrun/pullrun/manager/outbox"
)

// openOutbox opens the outbox of the worker with this name, and says how to let
// go of it. It is nil when the settings want none.
func openOutbox(cfg configs.Outbox, name string, log *slog.Logger) (manager.Outbox, func(), error) {
	dir, err := outboxDir(cfg, name)
	if err != nil {
		return nil, nil, err
	}
	if dir == "" {
		log.Warn("results are kept in memory alone, those that the server does not have are lost when this process dies: outbox.dir is empty")
		return nil, func() {}, nil
	}
	box, err := outbox.Open(outbox.Config{Dir: dir, Max: int64(cfg.Max)}, log)
	if err != nil {
		return nil, nil, err
	}
	log.Info("results are kept on disk until the server has them", "dir", dir)
	return box, func() {
		_ = box.Close() // all that counts is synced
	}, nil
}

// outboxDir is where the worker with this name has its outbox. Empty is in memory.
func outboxDir(cfg configs.Outbox, name string) (string, error) {
	if cfg.Dir != configs.AutoOutbox {
		return cfg.Dir, nil
	}
	state, err := stateDir()
	if err != nil {
		return "", err
	}
	return filepath.Join(state, "outbox", name), nil
}

// stateDir is where the system wants a service, or else a user's program, to
// keep what it must not lose.
func stateDir() (string, error) {
	if dirs := filepath.SplitList(os.Getenv("STATE_DIRECTORY")); len(dirs) > 0 {
		return dirs[0], nil
	}
	if dir := os.Getenv("XDG_STATE_HOME"); filepath.IsAbs(dir) { // others are to be ignored, says its specification
		return filepath.Join(dir, "pullrun"), nil
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return "", fmt.Errorf("directory for the outbox: %w; set outbox.dir, or set it to nothing to keep results in memory", err)
	}
	return filepath.Join(home, ".local", "state", "pullrun"), nil
}
