package chips

import (
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/pullrun/pullrun/engine"
)

// find gives the path of the program that a command names, if it may be run.
func (p programs) find(command []string) (string, error) {
	if len(command) == 0 || command[0] == "" {
		return "", errors.New("command names no program")
	}
	name := command[0]
	if strings.ContainsRune(name, filepath.Separator) && !filepath.IsAbs(name) {
		return "", &engine.Raised{Class: "ProgramRefused", Message: fmt.Sprintf("program %q: want a name or an absolute path", name)}
	}
	path, err := exec.LookPath(name)
	var failed *exec.Error
	if errors.As(err, &failed) {
		err = failed.Err
	}
	if err != nil {
		return "", &engine.Raised{Class: "ProgramNotFound", Message: fmt.Sprintf("program %q: %v", name, err), Err: err}
	}
	real, err := filepath.EvalSymlinks(path)
	if err != nil {
		return "", &engine.Raised{Class: "ProgramNotFound", Message: fmt.Sprintf("program %q: %v", name, err), Err: err}
	}
	if path = canonical(path); !p.allowed(path, real) {
		at := path
		if real != path {
			at += ", which is " + real
		}
		return "", &engine.Raised{Class: "ProgramRefused", Message: fmt.Sprintf("program %q (%s) is not one that process.allow names", name, at)}
	}
	return path, nil
}

// allowed reports whether a program may be run. Whoever names its path means
// what stands there, be it a link; whoever names a pattern means programs, and
// not what a link leads to elsewhere. That a link alone is named does not allow
// the other names of what it leads to, for a program may be many.
func (p programs) allowed(path, real string) bool {
	return slices.ContainsFunc(p.opts.Allow, func(pattern string) bool {
		pattern = canonical(pattern)
		if !strings.ContainsAny(pattern, `*?[\`) {
			return path == pattern
		}
		return matchesPath(pattern, path) && slices.ContainsFunc(p.opts.Allow, func(pattern string) bool {
			return matchesPath(canonical(pattern), real)
		})
	})
}

func matchesPath(pattern, path string) bool {
	ok, err := filepath.Match(pattern, path)
	return ok && err == nil
}

// canonical gives a path without links in its directory, as far as that is
// there: what it names may itself be one.
func canonical(path string) string {
	dir, err := filepath.EvalSymlinks(filepath.Dir(path))
	if err != nil {
		return path
	}
	return filepath.Join(dir, filepath.Base(path))
}
