package chips

import (
	"net/url"
	"testing"

	"github.com/pullrun/pullrun/engine"
)

func TestAnswersOfLanguageModelsAreKnown(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, from, body string
		want             engine.ModelCall // none if its model is ""
	}{
		{"a chat in the form of OpenAI", "https://gpu.internal/v1/chat/completions",
			`{"model": "m-1", "choices": [], "usage": {"prompt_tokens": 12, "completion_tokens": 3, "total_tokens": 15}}`,
			engine.ModelCall{Operation: "chat", Provider: "openai", Model: "m-1", Input: 12, Output: 3}},
		{"a response in the form of OpenAI", "https://api.openai.com/v1/responses",
			`{"model": "m-1", "usage": {"input_tokens": 12, "output_tokens": 3}}`,
			engine.ModelCall{Operation: "chat", Provider: "openai", Model: "m-1", Input: 12, Output: 3}},
		{"a message in the form of Anthropic", "https://api.anthropic.com/v1/messages",
			`{"model": "m-2", "usage": {"input_tokens": 7, "output_tokens": 0}}`,
			engine.ModelCall{Operation: "chat", Provider: "anthropic", Model: "m-2", Input: 7}},
		{"a content in the form of Gemini", "https://g/v1beta/models/m-3:generateContent",
			`{"modelVersion": "m-3", "usageMetadata": {"promptTokenCount": 4, "candidatesTokenCount": 5}}`,
			engine.ModelCall{Operation: "generate_content", Provider: "gcp.gemini", Model: "m-3", Input: 4, Output: 5}},
		{"embeddings", "https://h/v1/embeddings", `{"model": "m-4", "usage": {"prompt_tokens": 8, "total_tokens": 8}}`,
			engine.ModelCall{Operation: "embeddings", Provider: "openai", Model: "m-4", Input: 8}},
		{"a completion", "https://h/v1/completions", `{"model": "m-5", "usage": {"prompt_tokens": 1, "completion_tokens": 2}}`,
			engine.ModelCall{Operation: "text_completion", Provider: "openai", Model: "m-5", Input: 1, Output: 2}},
		{"a usage of something else", "https://h/disk", `{"model": "sda", "usage": {"bytes": 12}}`, engine.ModelCall{}},
		{"a usage that is no map", "https://h/disk", `{"model": "sda", "usage": 12}`, engine.ModelCall{}},
		{"tokens without a model", "https://h/x", `{"usage": {"prompt_tokens": 1}}`, engine.ModelCall{}},
		{"fewer tokens than none", "https://h/x", `{"model": "m", "usage": {"prompt_tokens": -1}}`, engine.ModelCall{}},
		{"what is no JSON", "https://h/x", `"usage`, engine.ModelCall{}},
	} {
		u, err := url.Parse(tt.from)
		if err != nil {
			t.Fatal(err)
		}
		got, ok := modelCall(u, []byte(tt.body))
		if ok != (tt.want.Model != "") || ok && got != tt.want {
			t.Errorf("%s: modelCall() = %+v, %v, want %+v", tt.name, got, ok, tt.want)
		}
	}
}
