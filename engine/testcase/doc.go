// Package testcase runs pipelines with given variables and compares what they
// come to with what is expected.
//
// A case is a YAML document: which pipeline to run, with which variables, and
// the result or the error to expect. Pipelines stand in the case, or are those
// of the directory that it lies in. The chips that reach out into the world are
// replaced by canned answers; a call that has none fails the case, so that a
// test never sends what it should not.
//
//	name: totals by customer
//	entry: orders.total
//	variables: {url: https://api.example.com/orders}
//	chips:
//	  http.get: {status_code: 200, json: [{customer: Ada, total: 3}]}
//	expect:
//	  result: {Ada: 3}
//
// [Runner.Dir] reads the cases below a directory and reports everything that
// is wrong with them at once; [Runner.Run] runs one.
package testcase
