package configs

import (
	"errors"
	"io/fs"
	"os"
	"reflect"

	"go.yaml.in/yaml/v4"
)

// readFile finds the settings file and returns its contents and name. The
// name is empty if no file was asked for and none of the usual ones is there.
func readFile(explicit string, search []string) (data []byte, name string, err error) {
	if explicit != "" {
		data, err = os.ReadFile(explicit)
		return data, explicit, err
	}
	for _, name := range search {
		data, err := os.ReadFile(name)
		if !errors.Is(err, fs.ErrNotExist) {
			return data, name, err
		}
	}
	return nil, "", nil
}

// file takes the contents of a settings file apart.
func (d decoder) file(data []byte, t reflect.Type) map[string]any {
	documents, err := parse(data)
	switch {
	case err != nil:
		line, message := whatIsBroken(err)
		d.fail("", &yaml.Node{Line: line}, "%s", message)
	case len(documents) > 1:
		d.fail("", &documents[1], "wants one document, and a second begins here")
	case len(documents) == 1 && !isNull(documents[0].Content[0]):
		if anchor := findAnchor(&documents[0]); anchor != nil {
			d.fail("", anchor, noAnchors)
		}
		return d.layer("", documents[0].Content[0], t)
	}
	return nil
}

func parse(data []byte) (documents []yaml.Node, err error) {
	err = yaml.Load(data, &documents, yaml.WithAllDocuments())
	return documents, err
}

const noAnchors = "anchors and aliases are not supported; put text that begins with & or * in quotes"

// whatIsBroken describes an error of the parser. Only the composer quotes the
// file: the name of an unknown anchor, which may be a secret that begins with
// a star.
func whatIsBroken(err error) (line int, message string) {
	broken, ok := errors.AsType[*yaml.LoadError](err)
	switch {
	case !ok:
		return 0, "is not YAML"
	case broken.Stage == yaml.ComposerStage:
		return broken.Mark.Line, noAnchors
	default:
		return broken.Mark.Line, broken.Message
	}
}

func findAnchor(n *yaml.Node) *yaml.Node {
	if n.Kind == yaml.AliasNode || n.Anchor != "" {
		return n
	}
	for _, child := range n.Content {
		if found := findAnchor(child); found != nil {
			return found
		}
	}
	return nil
}
