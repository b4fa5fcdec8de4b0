package testcase

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"go.yaml.in/yaml/v4"

	"github.com/pullrun/pullrun/engine"
)

// A directory is the pipelines that the cases below a directory share.
type directory struct {
	path      string
	pipelines *engine.Collection
}

// Dir reads the cases below a directory, sorted by file: those in files that
// end in `.test.yml` or `.test.yaml`, or, where there are no pipelines, in any
// that ends in `.yaml`. Cases without pipelines of their own run those of the
// directory. What is wrong with cases or pipelines is told all at once, in an
// *[engine.LoadError].
func (r *Runner) Dir(dir string) ([]*Case, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("open cases: %w", err)
	}
	defer root.Close()
	files, err := caseFiles(root.FS())
	if err != nil {
		return nil, fmt.Errorf("read cases: %w", err)
	}
	var cases []*Case
	var problems []engine.Problem
	shared := &directory{path: dir}
	used := false
	for _, file := range files {
		data, err := root.ReadFile(file)
		if err != nil {
			return nil, fmt.Errorf("read cases: %w", err)
		}
		some, err := r.Read(filepath.Join(dir, file), data)
		var wrong *engine.LoadError
		if errors.As(err, &wrong) {
			problems = append(problems, wrong.Problems...)
		}
		for _, c := range some {
			if c.files == nil {
				c.shared, used = shared, true
			}
		}
		cases = append(cases, some...)
	}
	if used {
		shared.pipelines, err = engine.Load(engine.LoadOptions{FS: withoutCases{root.FS()}, Chips: r.chips, Limits: r.opts.Limits})
		var wrong *engine.LoadError
		switch {
		case errors.As(err, &wrong):
			problems = append(problems, shared.placed(wrong.Problems)...)
		case err != nil:
			return nil, err
		}
	}
	if problems != nil {
		return nil, &engine.LoadError{Problems: problems}
	}
	return cases, nil
}

// placed gives problems with the paths of their files.
func (d *directory) placed(problems []engine.Problem) []engine.Problem {
	for i := range problems {
		problems[i].File = filepath.Join(d.path, problems[i].File)
	}
	return problems
}

// Read reads the cases in a file, one a document. Its error is an
// *[engine.LoadError].
func (r *Runner) Read(file string, data []byte) ([]*Case, error) {
	rd := &reader{file: file, chips: r.opts.Chips}
	var cases []*Case
	for d := yaml.NewDecoder(bytes.NewReader(data)); ; {
		var doc yaml.Node
		err := d.Decode(&doc)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			rd.wrong(&yaml.Node{}, "%s", strings.TrimPrefix(err.Error(), "yaml: "))
			break
		}
		if len(doc.Content) > 0 {
			cases = append(cases, rd.read(doc.Content[0]))
		}
	}
	name := filepath.Base(file)
	name = strings.TrimPrefix(name[:strings.IndexByte(name+".", '.')], "_")
	for i, c := range cases {
		switch {
		case c.Name != "":
		case len(cases) > 1:
			c.Name = fmt.Sprintf("%s %d", name, i+1)
		default:
			c.Name = name
		}
	}
	if rd.problems != nil {
		return cases, &engine.LoadError{Problems: rd.problems}
	}
	return cases, nil
}

// caseFiles finds the files that hold cases.
func caseFiles(fsys fs.FS) ([]string, error) {
	var marked, plain []string
	pipelines := false
	err := fs.WalkDir(fsys, ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		switch name := d.Name(); {
		case d.IsDir():
			if path != "." && strings.HasPrefix(name, ".") {
				return fs.SkipDir
			}
		case isCase(name):
			marked = append(marked, path)
		case strings.HasSuffix(name, ".yaml"):
			plain = append(plain, path)
		case strings.HasSuffix(name, ".yml") && !strings.HasPrefix(name, "_"):
			pipelines = true
		}
		return nil
	})
	if !pipelines {
		marked = append(marked, plain...)
	}
	return marked, err
}

func isCase(name string) bool {
	return strings.HasSuffix(name, ".test.yml") || strings.HasSuffix(name, ".test.yaml")
}

// withoutCases is a file system whose folders do not show cases, which are no
// pipelines.
type withoutCases struct {
	fs.FS
}

// ReadDir implements [fs.ReadDirFS].
func (f withoutCases) ReadDir(name string) ([]fs.DirEntry, error) {
	all, err := fs.ReadDir(f.FS, name)
	var list []fs.DirEntry
	for _, d := range all {
		if !isCase(d.Name()) {
			list = append(list, d)
		}
	}
	return list, err
}
