//go:build !linux

package shim

import (
	"context"

	"github.com/fairlead-ml/fairlead"
)

// Handle is one attempt, running or ended.
type Handle struct{}

var errPlatform = fairlead.Errorf(fairlead.Unimplemented,
	"steps run on Linux only: they need pidfd, flock and a child subreaper")

// Start refuses: there are no shims on this platform.
func Start(context.Context, Spec) (*Handle, error) { return nil, errPlatform }

// Attach refuses: there are no shims on this platform.
func Attach(string) (*Handle, error) { return nil, errPlatform }

// Alive is false on this platform.
func (h *Handle) Alive() bool { return false }

// Wait refuses: there are no shims on this platform.
func (h *Handle) Wait(context.Context) (Exit, error) { return Exit{}, errPlatform }

// Kill refuses: there are no shims on this platform.
func (h *Handle) Kill(context.Context) error { return errPlatform }

// Close does nothing on this platform.
func (h *Handle) Close() error { return nil }

// Void refuses: there are no shims on this platform.
func Void(string) error { return errPlatform }
