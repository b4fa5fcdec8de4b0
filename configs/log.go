package configs

// Log is how a role writes its log. Each level is one that the UnmarshalText of
// slog.Level takes.
type Log struct {
	Level  string `mapstructure:"level" doc:"Least important level that is written: debug, info, warn or error."`
	Format string `mapstructure:"format" doc:"Form of a line: text for people, json for machines, or auto, which is text on a terminal and json elsewhere."`
}

func defaultLog() Log { return Log{Level: "info", Format: "auto"} }

func (l Log) check(c *check) {
	c.oneOf("log.level", l.Level, "debug", "info", "warn", "error")
	c.oneOf("log.format", l.Format, "auto", "text", "json")
}
