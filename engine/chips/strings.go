package chips

import (
	"context"
	"regexp"
	"strings"

	"github.com/pullrun/pullrun/engine"
)

func stringsChips() []engine.Chip {
	return []engine.Chip{
		engine.NewChip("utils.strings.remove_code_block",
			"Takes the fence off a text that is one fenced code block, and tells its language.", removeCodeBlock),
	}
}

type (
	codeBlockRequest struct {
		String string `doc:"The text." required:"true"`
	}
	codeBlockResponse struct {
		Status       string  `doc:"Always OK." enum:"OK,ERROR"`
		Language     *string `doc:"The language that the fence names."`
		Result       *string `doc:"The text inside the fence, or the whole text if it has none."`
		ErrorMessage *string `doc:"Always null."`
	}
)

var codeBlock = regexp.MustCompile("^```([^\\s`]*)[ \\t]*\\r?\\n((?s:.*?))\\r?\\n?```$")

func removeCodeBlock(_ context.Context, req codeBlockRequest) (codeBlockResponse, error) {
	resp := codeBlockResponse{Status: "OK", Result: &req.String}
	if m := codeBlock.FindStringSubmatch(strings.TrimSpace(req.String)); m != nil {
		resp.Result = &m[2]
		if m[1] != "" {
			resp.Language = &m[1]
		}
	}
	return resp, nil
}
