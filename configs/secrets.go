package configs

import (
	"net/url"
	"reflect"
)

// SecretsOf are all secrets in a struct of settings: its Secrets, and the
// passwords of its URLs, so that none is forgotten where they are to be hidden.
func SecretsOf(settings any) []Secret {
	return secretsIn(reflect.ValueOf(settings))
}

func secretsIn(v reflect.Value) (found []Secret) {
	switch v.Kind() {
	case reflect.Slice:
		for i := range v.Len() {
			found = append(found, secretsIn(v.Index(i))...)
		}
	case reflect.Struct:
		switch value := v.Interface().(type) {
		case Secret:
			return append(found, value)
		case URL:
			return value.secrets()
		}
		for i := range v.NumField() {
			found = append(found, secretsIn(v.Field(i))...)
		}
	}
	return found
}

// secrets are what String hides of the URL.
func (u URL) secrets() (found []Secret) {
	parsed, err := url.Parse(u.Reveal())
	if err != nil {
		return []Secret{u.secret}
	}
	if password, ok := parsed.User.Password(); ok {
		found = append(found, NewSecret(password))
	} else if parsed.User != nil && !hasScheme(u, "postgres", "postgresql") {
		found = append(found, NewSecret(parsed.User.Username())) // a lone name may be a token
	}
	for key, values := range parsed.Query() {
		for _, value := range values {
			if secretKey(key) {
				found = append(found, NewSecret(value))
			}
		}
	}
	return found
}
