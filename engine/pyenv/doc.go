// Package pyenv builds Python environments and finds them again. An environment
// is keyed by its exact requirements, its Python and the platform, shared by all
// that ask for the same, and never changed after it is published.
//
// Under the root directory: envs/<key>/ is a virtual environment, complete when
// it holds fairlead-env.json; requests/<digest> names the key that a requirements
// text was resolved to, so that asking again needs no network; locks/ keeps
// concurrent builders apart, also those of other processes.
//
// It uses uv, and `python -m venv` with pip when there is none. It runs no model
// and deletes no published environment.
//
// Start reading in manager.go.
package pyenv
