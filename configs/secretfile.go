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

// ParseSecret is what the file at path holds, without the line breaks at its end,
// which editors and `echo` leave there. It is one line, and not empty.
func ParseSecret(data []byte, path string) (Secret, error) {
	text := strings.TrimRight(string(data), "\r\n")
	switch {
	case text == "":
		return Secret{}, fmt.Errorf("file %q is empty", path)
	case strings.ContainsAny(text, "\r\n\x00"):
		return Secret{}, fmt.Errorf("file %q holds more than one line", path)
	}
	return NewSecret(text), nil
}

// ReadSecret is [ParseSecret] of the file as it is now.
func ReadSecret(path string) (Secret, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return Secret{}, err
	}
	return ParseSecret(data, path)
}

// setFromFile sets a value to the secret that a file holds.
func setFromFile(to reflect.Value, path string) error {
	secret, err := ReadSecret(path)
	if err != nil {
		return err
	}
	return setText(to, secret.Reveal())
}
