package engine

// fieldSchemas describes the fields of tasks: what each is for, in the words
// that editors show, and what it may hold. Which kind of task takes which
// fields stands in [taskKinds].
func fieldSchemas() map[string]jsonSchema {
	all := map[string]jsonSchema{}
	add := func(name, doc string, s jsonSchema) {
		s["description"] = doc
		all[name] = s
	}
	add("tasks", "Tasks that run one after the other in a scope of their own.", jsonSchema{"type": "array", "items": jsonSchema{"$ref": "#/definitions/task"}})
	add("dispatch", "The pipeline to run. What it returns is the result of this task.", jsonSchema{"type": "string"})
	add("branch", "The pipeline to go on with. This one, and all that called it, is left for good.", jsonSchema{"type": "string"})
	add("return", "The value that ends the pipeline, or the task set around, as its result. It is rendered.", jsonSchema{})
	add("declare", "Variables to set, rendered.", jsonSchema{"type": "object"})
	add("terminate", "The value that ends the whole run as its result, from any depth. It is rendered.", jsonSchema{})
	add("chip", "The chip to call. Its response is the result of this task.", jsonSchema{"type": "string"})
	add("code", "Python code. The result of this task is the value of its last expression or assignment.", jsonSchema{"type": "string"})
	add("assert", "An expression that must be true, or a list of them.", orList("string"))

	add("name", "What the task is called in errors, logs and traces.", orNull("string"))
	add("comment", "A remark. It does nothing.", orNull("string"))
	add("when", "An expression. The task is skipped unless it is true.", orNull("string"))
	add("log", "The level at which to log the task when it is done.", jsonSchema{"enum": []any{"info", "debug", "trace", nil}})

	add("variables", "Variables for this task alone, taken as they stand: they are not rendered.", orNull("object"))
	add("params", "What this task is given, rendered: the params of a chip, and variables for anything else.", orNull("object"))
	add("loop", "A list, rendered, or an expression that gives one. The task runs for each item, with item and loop at hand.",
		jsonSchema{"type": []string{"string", "array", "null"}})
	add("loop_parallel", "How many items are worked on at once. Each starts with the variables as they were before the loop; results keep the order of the items.",
		jsonSchema{"type": []string{"integer", "null"}, "minimum": 1, "maximum": maxCount})

	add("run_async", "Whether to run in the background while the pipeline goes on. The result is a handle for reasonchip.async.wait_for.", flag())
	add("return_result", "Whether to return the result of this task, as return does.", flag())
	add("store_result_as", "The variable that gets the result, or a path to a part of one, such as report.rows[0].", orNull("string"))
	add("append_result_into", "The list that the result is appended to. It is made if it is not there.", orNull("string"))
	add("key_result_into", "The map that gets the result under a key. It is made if it is not there.", jsonSchema{
		"type": []string{"object", "null"}, "additionalProperties": false, "required": []string{"name", "key"},
		"properties": jsonSchema{
			"name": jsonSchema{"type": "string", "minLength": 1, "description": "The map."},
			"key":  jsonSchema{"type": "string", "description": "The key, rendered."},
		},
	})

	add("timeout", "How long the task may take, all its tries together, such as 30s or 1m30s.", duration("string", "null"))
	add("retry", "How often the task is tried again when it fails: a number, or a map of max, backoff and on.", jsonSchema{
		"type": []string{"integer", "object", "null"}, "minimum": 1, "maximum": maxCount,
		"additionalProperties": false, "required": []string{"max"},
		"properties": jsonSchema{
			"max":     jsonSchema{"type": "integer", "minimum": 1, "maximum": maxCount, "description": "How often it is tried again."},
			"backoff": describe(duration("string"), "The wait before the second try, such as 500ms. Each further one is twice as long, up to a minute. 1s if left out."),
			"on":      describe(orList("string"), "The classes of errors that are worth another try, such as ChipException. All if left out."),
		},
	})
	add("rescue", "Tasks to run when this one has failed, with what happened in error.type, error.message, error.cause and error.at. What they return is the result.", taskList())
	add("finally", "Tasks to run at the end in any case.", taskList())
	return all
}

// maxCount is the most that a count in a task may be.
const maxCount = 1000

func describe(s jsonSchema, doc string) jsonSchema {
	s["description"] = doc
	return s
}

func orNull(typ string) jsonSchema { return jsonSchema{"type": []string{typ, "null"}} }

func orList(typ string) jsonSchema {
	return jsonSchema{"type": []string{typ, "array"}, "items": jsonSchema{"type": typ}}
}

func taskList() jsonSchema {
	return jsonSchema{"type": []string{"array", "null"}, "items": jsonSchema{"$ref": "#/definitions/task"}}
}

// flag describes a boolean, which may be written as one of the words that
// are understood as one.
func flag() jsonSchema {
	return jsonSchema{"anyOf": []jsonSchema{
		{"type": []string{"boolean", "null"}},
		{"type": "number", "enum": []int{0, 1}},
		{"type": "string", "pattern": "^([Yy]|[Yy][Ee][Ss]|[Nn]|[Nn][Oo]|[Oo][Nn]|[Oo][Ff][Ff]|[Tt]|[Tt][Rr][Uu][Ee]|[Ff]|[Ff][Aa][Ll][Ss][Ee]|0|1)$"},
	}}
}

// duration describes a length of time as Go writes it.
func duration(types ...string) jsonSchema {
	return jsonSchema{"type": types, "pattern": `^\+?([0-9]+(\.[0-9]*)?|\.[0-9]+)(ns|us|µs|μs|ms|s|m|h)(([0-9]+(\.[0-9]*)?|\.[0-9]+)(ns|us|µs|μs|ms|s|m|h))*$`}
}
