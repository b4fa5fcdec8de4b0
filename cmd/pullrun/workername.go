package main

import (
	"fmt"
	"os"
	"regexp"
	"strings"

	"github.com/pullrun/pullrun/api"
)

// workerName is the name that is set, or the host's.
func workerName(set string) (string, error) {
	if set != "" {
		return set, nil
	}
	host, err := os.Hostname()
	if err != nil {
		return "", fmt.Errorf("name of this worker: %w; set name", err)
	}
	name := regexp.MustCompile(`[^a-z0-9._-]+`).ReplaceAllString(strings.ToLower(host), "-")
	name = strings.TrimLeft(name, "._-")
	name = name[:min(len(name), api.MaxNameBytes)]
	if name == "" {
		return "", fmt.Errorf("the host's name %q makes no name for this worker: set name", host)
	}
	return name, nil
}
