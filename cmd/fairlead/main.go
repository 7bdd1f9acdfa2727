// Command fairlead runs the whole life of a model: the server, and the command line
// that talks to it. Everything it does goes through the public API; this package
// parses flags, calls, and prints.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/engine/onnx"
	"github.com/fairlead-ml/fairlead/job/shim"
	_ "github.com/fairlead-ml/fairlead/job/shim/early" // a step starts before the rest is initialised
)

// version is set by the linker for a release.
var version = "0.1.0-dev"

func main() {
	shim.Main()      // a step's shim is this program too, and must start at once
	onnx.ChildMain() // so is the child that runs an ONNX model
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // the second signal ends at once
	os.Exit(exitStatus(os.Stderr, newRoot(os.Stdout, os.Stderr).ExecuteContext(ctx)))
}

// exitStatus prints the error, if any, and returns the status that the table of
// codes gives it.
func exitStatus(w io.Writer, err error) int {
	var status *statusError
	switch {
	case err == nil:
		return fairlead.ExitOK
	case errors.As(err, &status):
		if status.message != "" {
			fmt.Fprintln(w, "fairlead: "+status.message)
		}
		return status.status
	}
	fmt.Fprintln(w, "fairlead: "+err.Error())
	var known *fairlead.Error
	if errors.As(err, &known) {
		return known.Code.ExitStatus()
	}
	return fairlead.ExitError
}
