package chips

// An Example is a small pipeline that shows a chip at work.
type Example struct {
	Pipeline string // YAML
	Result   string // JSON; "" where it depends on the world outside
}

// ExampleOf gives the example of a standard chip, and false for a chip that
// has none.
func ExampleOf(chip string) (Example, bool) {
	e, ok := examples()[chip]
	return e, ok
}

func examples() map[string]Example {
	return map[string]Example{
		"http.http_request": {Pipeline: `- chip: http.http_request
  params:
    method: GET
    url: https://api.example.com/orders/42
    headers: {Accept: application/json}
    timeout: 10
  store_result_as: answer
- return: "{{ answer.json }}"
  when: answer.status == "OK" and answer.status_code == 200
- return: "{{ answer.error_message or answer.status_code }}"
`},
		"http.post_json_object": {Pipeline: `- chip: http.post_json_object
  params:
    url: https://api.example.com/orders
    content: {customer: Ada, total: 12.5}
  store_result_as: answer
- return: "{{ answer.status_code }}"
`},
		"http.get": {Pipeline: `- chip: http.get
  params:
    url: https://api.example.com/orders
    query: {customer: Ada}
  store_result_as: answer
- return: "{{ answer.json }}"
`},
		"http.options": {Pipeline: `- chip: http.options
  params:
    url: https://api.example.com/orders
  store_result_as: answer
- return: "{{ answer.headers.get('allow') }}"
`},
		"http.head": {Pipeline: `- chip: http.head
  params:
    url: https://api.example.com/report.pdf
  store_result_as: answer
- return: "{{ answer.status_code == 200 }}"
`},
		"http.post": {Pipeline: `- chip: http.post
  params:
    url: https://api.example.com/notes
    content: All is well.
    headers: {Content-Type: text/plain}
  store_result_as: answer
- return: "{{ answer.status_code }}"
`},
		"http.put": {Pipeline: `- chip: http.put
  params:
    url: https://api.example.com/orders/42
    json: {customer: Ada, total: 12.5}
  store_result_as: answer
- return: "{{ answer.status_code }}"
`},
		"http.delete": {Pipeline: `- chip: http.delete
  params:
    url: https://api.example.com/orders/42
  store_result_as: answer
- return: "{{ answer.status_code }}"
`},
		"http.patch": {Pipeline: `- chip: http.patch
  params:
    url: https://api.example.com/orders/42
    json: {total: 13}
  store_result_as: answer
- return: "{{ answer.status_code }}"
`},
		"process.run": {Pipeline: `- chip: process.run
  params:
    command: [sort, --numeric-sort, --reverse]
    stdin: "9\n10\n"
    timeout: 10
  store_result_as: sorted
- return: "{{ sorted.stdout.split() }}"
`, Result: `["10","9"]`},
		"reasonchip.async.wait_for": {Pipeline: `- code: 6 * 7
  run_async: true
  store_result_as: working
- chip: reasonchip.async.wait_for
  params:
    task: "{{ working }}"
    timeout: 5
  store_result_as: waited
- return: "{{ waited.resp }}"
`, Result: `42`},
		"reasonchip.debug.log": {Pipeline: `- declare:
    order: {id: 42}
- chip: reasonchip.debug.log
  params:
    message: "order {{ order.id }} is next"
    level: debug
`, Result: `null`},
		"reasonchip.streams.read_stdin": {Pipeline: `- chip: reasonchip.streams.read_stdin
  params:
    max_bytes: -1
  store_result_as: stdin
- return: "{{ len(stdin.data.decode().split()) }}"
`, Result: `0`},
		"reasonchip.streams.read_bytes": {Pipeline: `- chip: reasonchip.streams.read_bytes
  params:
    max_bytes: 4
  store_result_as: head
- return: "{{ head.data == b'%PDF' }}"
`, Result: `false`},
		"reasonchip.streams.read_line": {Pipeline: `- chip: reasonchip.streams.read_line
  store_result_as: line
- return: "{{ line.data.decode().strip() or 'nobody' }}"
`, Result: `"nobody"`},
		"reasonchip.streams.write_stdout": {Pipeline: `- chip: reasonchip.streams.write_stdout
  params:
    data: "{{ 'grüße'.encode('latin-1') }}"
  store_result_as: written
- return: "{{ written.success }}"
`, Result: `true`},
		"reasonchip.streams.write_stderr": {Pipeline: `- chip: reasonchip.streams.write_stderr
  params:
    data: "half done\n"
  store_result_as: written
- return: "{{ written.success }}"
`, Result: `true`},
		"reasonchip.streams.print_stdout": {Pipeline: `- chip: reasonchip.streams.print_stdout
  params:
    message: "{{ 6 * 7 }} orders"
  store_result_as: printed
- return: "{{ printed.success }}"
`, Result: `true`},
		"utils.json.dumps": {Pipeline: `- chip: utils.json.dumps
  params:
    obj: {customer: Ada, items: [1, 2.5]}
  store_result_as: written
- return: "{{ written.result }}"
`, Result: `"{\"customer\": \"Ada\", \"items\": [1, 2.5]}"`},
		"utils.json.loads": {Pipeline: `- chip: utils.json.loads
  params:
    string: '[{"customer": "Ada"}]'
  store_result_as: read
- return: "{{ read.result[0].customer }}"
  when: read.status == "OK"
- return: "{{ read.error_message }}"
`, Result: `"Ada"`},
		"utils.strings.remove_code_block": {Pipeline: "- chip: utils.strings.remove_code_block\n" + `  params:
    string: |
      ` + "```json" + `
      {"answer": 42}
      ` + "```" + `
  store_result_as: block
- return: ["{{ block.language }}", "{{ block.result }}"]
`, Result: `["json","{\"answer\": 42}"]`},
		"utils.time.now": {Pipeline: `- chip: utils.time.now
  store_result_as: clock
- return: "checked on {{ clock.date }}"
`},
		"utils.time.sleep": {Pipeline: `- chip: utils.time.sleep
  params:
    milliseconds: 50
  store_result_as: rest
- return: "{{ rest.status }}"
`, Result: `"OK"`},
	}
}
