package rest

import (
	"net/http"
	"reflect"

	"github.com/danielgtaylor/huma/v2"

	"github.com/fairlead-ml/fairlead/auth"
)

// describe is what the document says of an operation by what it states about itself.
func describe(o op) huma.Operation {
	doc := huma.Operation{OperationID: o.id, Method: o.method, Path: o.path, Summary: o.summary,
		Extensions: map[string]any{"x-permission": string(o.may)}}
	switch o.may {
	case auth.EventTime, auth.Run, auth.Operate, auth.Administer:
		doc.Security = []map[string][]string{{ownerScheme: {}}}
	}
	return doc
}

// content is what a body or an answer is, by its media type.
type content map[string]*huma.MediaType

func contentOf(kind string, schema *huma.Schema) content {
	return content{kind: {Schema: schema}}
}

// The schemas of what is no JSON.
var (
	textSchema    = &huma.Schema{Type: "string"}
	integerSchema = &huma.Schema{Type: "integer"}
	binarySchema  = &huma.Schema{Type: "string", Format: "binary"}
)

// jsonOf is JSON of a type, which has the name among the document's schemas.
func jsonOf[T any](a *API, name string) content {
	return contentOf("application/json",
		a.huma.OpenAPI().Components.Schemas.Schema(reflect.TypeFor[T](), true, name))
}

// rawOp is an operation of a project that is not registered, because it streams or is no
// JSON; its path is whole. A route and its handler are stated beside it.
type rawOp struct {
	op
	params []*huma.Param // besides the project
	body   content       // nil for none
	answer content
	told   string // of the answer; default OK
}

// document describes a raw operation as add does those that are registered.
func (a *API) document(o rawOp) {
	doc := describe(o.op)
	doc.Parameters = append([]*huma.Param{{Name: "project", In: "path", Required: true,
		Schema: textSchema}}, o.params...)
	if o.body != nil {
		doc.RequestBody = &huma.RequestBody{Required: true, Content: o.body}
	}
	if o.told == "" {
		o.told = "OK"
	}
	doc.Responses = map[string]*huma.Response{"200": {Description: o.told, Content: o.answer}}
	schemas := a.huma.OpenAPI().Components.Schemas
	for _, status := range failures(o.op) {
		doc.Responses[number(int64(status))] = &huma.Response{Description: http.StatusText(status),
			Content: contentOf("application/problem+json",
				schemas.Schema(reflect.TypeFor[problem](), true, "Problem"))}
	}
	a.huma.OpenAPI().AddOperation(&doc)
}
