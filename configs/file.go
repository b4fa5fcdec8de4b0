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
	if broken, ok := errors.AsType[*yaml.LoadError](err); ok {
		d.fail("", &yaml.Node{Line: broken.Mark.Line}, "%s", whatIsBroken(broken))
		return nil
	}
	switch {
	case err != nil:
		d.fail("", &yaml.Node{}, "%v", err)
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

// whatIsBroken describes a syntax error. The composer's only one quotes the
// name of an unknown anchor, which is a secret if that begins with a star.
func whatIsBroken(err *yaml.LoadError) string {
	if err.Stage == yaml.ComposerStage {
		return noAnchors
	}
	return err.Message
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
