// Package child runs the processes that engines need: workers, installers, the
// packaging script. Each has a group of its own, ends with this process, whatever
// ends that, and sees only what it should of this process's environment.
//
// It knows nothing of what runs in them. Commands that must outlive the server are
// steps, and run under job/shim instead.
package child
