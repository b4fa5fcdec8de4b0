package configs

import (
	"fmt"
	"os"
	"reflect"
	"strings"
)

// A filePair is a setting and the setting that names a file with its value.
type filePair struct{ value, file setting }

func filePairs(t reflect.Type) []filePair {
	all := settingsOf(t)
	var pairs []filePair
	for _, file := range all {
		for _, value := range all {
			if file.key == value.key+"_file" {
				pairs = append(pairs, filePair{value, file})
			}
		}
	}
	return pairs
}

// setFromFile sets a value to what a file holds, without the line breaks at
// its end, which editors and `echo` leave there.
func setFromFile(to reflect.Value, path string) error {
	data, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	text := strings.TrimRight(string(data), "\r\n")
	switch {
	case text == "":
		return fmt.Errorf("file %q is empty", path)
	case strings.ContainsAny(text, "\r\n\x00"):
		return fmt.Errorf("file %q holds more than one line", path)
	}
	return setText(to, text)
}
