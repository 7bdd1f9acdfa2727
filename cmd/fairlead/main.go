// Command fairlead runs the whole life of a model: the server, and the command line
// that talks to it. Everything it does goes through the public API; this package
// parses flags, calls, and prints.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/fairlead-ml/fairlead"
	_ "github.com/fairlead-ml/fairlead/cmd/fairlead/early"
	"github.com/fairlead-ml/fairlead/data/query"
	"github.com/fairlead-ml/fairlead/engine/onnx"
	"github.com/fairlead-ml/fairlead/job/shim"
	_ "github.com/fairlead-ml/fairlead/job/shim/early" // a step starts before the rest is initialised
)

// version is set by the linker, from what Git says of the tree (see the Makefile).
var version = "0.1.0-dev"

func main() {
	shim.Main()       // a step's shim is this program too, and must start at once
	onnx.ChildMain()  // so is the child that runs an ONNX model
	query.ChildMain() // and the one that runs SQL
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // the second signal ends at once
	os.Exit(execute(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// execute runs a command line, prints its error, if any, in the form that -o asks for,
// and returns the status that the table of codes gives it.
func execute(ctx context.Context, args []string, out, stderr io.Writer) int {
	root := newRoot(out, stderr)
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return fairlead.ExitOK
	}
	f := newFailure(err)
	if root.PersistentFlags().Lookup("output").Value.String() == "json" {
		enc := json.NewEncoder(stderr)
		enc.SetEscapeHTML(false)
		enc.Encode(f)
	} else {
		fmt.Fprintln(stderr, "fairlead: "+plain(f.Error, "\n"))
	}
	return f.Status
}

// failure is how an error is printed with -o json.
type failure struct {
	Error  string        `json:"error"`
	Code   fairlead.Code `json:"code"`
	Status int           `json:"status"` // of the exit
}

// statusCodes name the exit statuses that no error code stands for.
var statusCodes = map[int]fairlead.Code{fairlead.ExitError: "failed", fairlead.ExitUsage: "usage",
	fairlead.ExitGateFailed: "gate_failed", fairlead.ExitNeedsApproval: "needs_approval"}

func newFailure(err error) failure {
	var status *statusError
	if errors.As(err, &status) {
		return failure{status.message, statusCodes[status.status], status.status}
	}
	code := fairlead.CodeOf(err)
	return failure{err.Error(), code, code.ExitStatus()}
}
