package chips

import (
	"bytes"
	"encoding/json"
	"net/url"
	"strings"

	"github.com/pullrun/pullrun/engine"
)

// A modelAnswer is what the answers of language models have in common: in the
// forms of OpenAI, which most others speak as well, of Anthropic and of Gemini.
type modelAnswer struct {
	Model string `json:"model"`
	Usage *struct {
		Prompt     *int `json:"prompt_tokens"`
		Completion int  `json:"completion_tokens"`
		Input      *int `json:"input_tokens"`
		Output     int  `json:"output_tokens"`
	} `json:"usage"`
	ModelVersion string `json:"modelVersion"`
	Gemini       *struct {
		Prompt     int `json:"promptTokenCount"`
		Candidates int `json:"candidatesTokenCount"`
	} `json:"usageMetadata"`
}

// modelCall reports whether an answer is a language model's, and what it says.
func modelCall(from *url.URL, body []byte) (engine.ModelCall, bool) {
	var a modelAnswer
	if !bytes.Contains(body, []byte(`"usage`)) || json.Unmarshal(body, &a) != nil {
		return engine.ModelCall{}, false
	}
	call := engine.ModelCall{Operation: operation(from.Path), Provider: "openai", Model: a.Model}
	switch u := a.Usage; {
	case a.Gemini != nil:
		call.Provider, call.Model, call.Input, call.Output = "gcp.gemini", a.ModelVersion, a.Gemini.Prompt, a.Gemini.Candidates
	case u == nil:
		return engine.ModelCall{}, false
	case u.Prompt != nil:
		call.Input, call.Output = *u.Prompt, u.Completion
	case u.Input != nil:
		call.Input, call.Output = *u.Input, u.Output
		if strings.HasSuffix(from.Path, "/messages") {
			call.Provider = "anthropic"
		}
	default:
		return engine.ModelCall{}, false
	}
	return call, call.Model != "" && call.Input >= 0 && call.Output >= 0
}

// operation is what a path asks a model for, in the words of
// https://opentelemetry.io/docs/specs/semconv/gen-ai/.
func operation(path string) string {
	switch {
	case strings.HasSuffix(path, "/embeddings"):
		return "embeddings"
	case strings.HasSuffix(path, ":generateContent"):
		return "generate_content"
	case strings.HasSuffix(path, "/completions") && !strings.HasSuffix(path, "/chat/completions"):
		return "text_completion"
	}
	return "chat"
}
