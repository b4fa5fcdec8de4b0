package engine

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// LoadOptions say what [Load] reads.
type LoadOptions struct {
	// Dirs are the folders that hold pipeline files. When two hold a
	// pipeline of the same name, that of the later folder is used.
	Dirs []string

	// FS holds pipeline files too, read before Dirs. It may be nil.
	FS fs.FS

	// Chips are what pipelines can call. Nil means the chips that the
	// engine brings along itself.
	Chips *Chips

	// Limits bound the files and each run.
	Limits Limits

	// Strict makes every warning an error.
	Strict bool

	// ForbidChip says of a chip, by its full name, why pipelines may not call
	// it here, and ForbidCode why they may not run code. What is forbidden is
	// an error where it stands. Nil and "" allow it.
	ForbidChip func(chip string) (why string)
	ForbidCode string
}

// A Collection is a set of pipelines that has been read, compiled and
// checked. It never changes and may be used by any number of goroutines.
type Collection struct {
	pipelines map[string]*pipeline
	chips     *Chips
	limits    Limits
	warnings  []Problem
	skipped   map[string]string // name -> file that was left out, for hints
}

// A pipeline is one file.
type pipeline struct {
	name    string
	file    string
	digest  string
	tasks   []*task
	inputs  []input // nil if there is no header
	secrets []secret
}

// A Pipeline describes one pipeline of a collection.
type Pipeline struct {
	Name   string
	File   string
	Digest string      // "sha256:" and the hash of the file in hex
	Inputs []InputSpec // nil if the file does not say
}

// Load reads every `*.yml` file below the given folders: `a/b.yml` is the
// pipeline `a.b`. Files whose name begins with an underscore are left out.
// When anything is wrong the error is a *[LoadError] that holds all of it,
// unless a folder cannot be read at all.
func Load(opts LoadOptions) (*Collection, error) {
	chips := opts.Chips
	if chips == nil {
		chips = NewChips()
	}
	l := &loader{
		limits:   opts.Limits.filled(),
		chips:    chips,
		sources:  map[string]source{},
		skipped:  map[string]string{},
		programs: map[string]*program{},
		blocks:   map[string]*program{},
		kinds:    taskKinds(),

		forbidChip: opts.ForbidChip,
		forbidCode: opts.ForbidCode,
	}
	if opts.FS != nil {
		if err := l.find(opts.FS, ""); err != nil {
			return nil, err
		}
	}
	for _, dir := range opts.Dirs {
		if err := l.dir(dir); err != nil {
			return nil, err
		}
	}
	c := l.compile()
	if opts.Strict {
		l.errors, l.warnings = append(l.errors, l.warnings...), nil
	}
	c.warnings = sorted(l.warnings)
	if len(l.errors) > 0 {
		return nil, &LoadError{Problems: sorted(l.errors), Warnings: c.warnings}
	}
	return c, nil
}

// Warnings gives what is doubtful in the collection but may be meant.
func (c *Collection) Warnings() []Problem { return slices.Clone(c.warnings) }

// Pipelines describes the pipelines, sorted by name.
func (c *Collection) Pipelines() []Pipeline {
	list := make([]Pipeline, 0, len(c.pipelines))
	for _, p := range c.pipelines {
		list = append(list, Pipeline{Name: p.name, File: p.file, Digest: p.digest, Inputs: p.inputSpecs()})
	}
	slices.SortFunc(list, func(a, b Pipeline) int { return strings.Compare(a.Name, b.Name) })
	return list
}

// Chips gives the chips that the collection's pipelines can call.
func (c *Collection) Chips() *Chips { return c.chips }

// A loader gathers files and makes a collection of them.
type loader struct {
	problems
	limits   Limits
	chips    *Chips
	sources  map[string]source // by pipeline name
	skipped  map[string]string
	programs map[string]*program // by source text, so that each is compiled once
	blocks   map[string]*program // the same for code
	kinds    []kindSpec

	forbidChip func(string) string // may be nil
	forbidCode string
}

type source struct {
	name, dir, file string
	data            []byte
	tooLarge        bool
}

// dir reads one folder. Nothing outside it can be reached, links included.
func (l *loader) dir(dir string) error {
	root, err := os.OpenRoot(dir)
	if err != nil {
		if info, found := os.Stat(dir); found == nil && !info.IsDir() {
			l.error(Problem{File: dir, Class: ParsingException, Phase: "load", Message: "is a file, and not a directory of pipelines"})
			return nil
		}
		return fmt.Errorf("open pipelines: %w", err)
	}
	defer root.Close()
	return l.find(root.FS(), dir)
}

func (l *loader) find(fsys fs.FS, dir string) error {
	err := fs.WalkDir(fsys, ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if strings.HasPrefix(d.Name(), "..") { // a volume's own bookkeeping
				return fs.SkipDir
			}
			return nil
		}
		name, ok := pipelineName(path)
		file := filepath.Join(dir, filepath.FromSlash(path))
		if !ok {
			if near := nearlyPipeline(path); near != "" {
				l.skipped[near] = file
			}
			return nil
		}
		if info, err := fs.Stat(fsys, path); err != nil || info.IsDir() {
			return err
		}
		src := source{name: name, dir: dir, file: file}
		src.data, src.tooLarge, err = readFile(fsys, path, l.limits.FileBytes)
		if err != nil {
			return err
		}
		if was, ok := l.sources[name]; ok && was.dir == dir {
			l.warn(Problem{
				File: was.file, At: name, Class: ValidationException, Phase: PhaseValidate,
				Message: fmt.Sprintf("not used: %s is pipeline %q too", file, name),
			})
		}
		l.sources[name] = src
		return nil
	})
	if err != nil {
		return fmt.Errorf("read pipelines: %w", err)
	}
	return nil
}

func readFile(fsys fs.FS, path string, limit int64) (data []byte, tooLarge bool, err error) {
	f, err := fsys.Open(path)
	if err != nil {
		return nil, false, err
	}
	data, err = io.ReadAll(io.LimitReader(f, limit+1))
	err = errors.Join(err, f.Close())
	if int64(len(data)) > limit {
		return nil, true, err
	}
	return data, false, err
}

// pipelineName gives the name of the pipeline in a file, and false for a
// file that holds none.
func pipelineName(path string) (string, bool) {
	base := path[strings.LastIndexByte(path, '/')+1:]
	if !strings.HasSuffix(base, ".yml") || strings.HasPrefix(base, "_") {
		return "", false
	}
	name := strings.ReplaceAll(strings.ReplaceAll(path, ".yml", ""), "/", ".")
	return name, name != "" && !strings.HasSuffix(name, ".")
}

// nearlyPipeline gives the name that a file would have had, were it not
// left out for its spelling: `a.yaml` and `_a.yml` are nearly `a`.
func nearlyPipeline(path string) string {
	folder, base := "", path
	if i := strings.LastIndexByte(path, '/'); i >= 0 {
		folder, base = path[:i+1], path[i+1:]
	}
	base, yaml := strings.CutSuffix(base, ".yaml")
	base, yml := strings.CutSuffix(base, ".yml")
	if !yaml && !yml {
		return ""
	}
	return strings.ReplaceAll(folder+strings.TrimPrefix(base, "_"), "/", ".")
}

func digest(data []byte) string {
	sum := sha256.Sum256(data)
	return "sha256:" + hex.EncodeToString(sum[:])
}
