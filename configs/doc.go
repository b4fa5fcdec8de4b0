// Package configs reads the settings of every role of pullrun: [Worker],
// [Server] and [Client].
//
// The structs are the whole description. Each field has a key in its
// mapstructure tag and its contract in its doc tag: what it does, its unit,
// what zero means, what it must agree with. Everything else follows from
// them: the keys of the YAML file, the environment variables, the flags, their
// help, and the commented files worker.yaml, server.yaml and client.yaml.
//
// A setting is looked for in four places, and the first that has it wins:
//
//	--server-url           flag
//	PULLRUN_SERVER_URL     environment variable
//	server: {url: ...}     settings file
//	                       default
//
// A place gives a setting as a whole: labels from the environment replace the
// labels of the file, they are not added to them. An empty variable and a key
// without a value count as not set.
//
// # How values are written
//
// A file is typed as YAML is, so 12 is not text and '7' is not a number.
// Durations want a unit (30s, 1h30m, 7d), and so do sizes (512KiB, 1MiB). In
// a variable or a flag a list is a,b and a map is k=v,k=v, and spaces around
// commas do not count; a list of structures is YAML in flow form. Flags of
// lists and maps may be repeated.
//
// # Secrets
//
// A [Secret] shows itself as ••• to everything that prints, logs or encodes
// it. Wherever there is a key X and a key X_file, the latter names a file that
// holds the former, without the line break at its end; only one of the two may
// be set. A relative path starts at the working directory.
//
// # What is wrong is said at once
//
// [Load] returns [Problems]: a line for each, sorted by key, with the place
// that the value came from. A key that does not exist is one of them.
//
// The values are read once into a plain struct. To read them again, call Load
// again: nothing here watches, remembers or runs.
package configs
