package release

import (
	"cmp"
	"slices"

	"github.com/fairlead-ml/fairlead/spec"
)

// Roles: what a version does at an endpoint.
const (
	RoleLive    = "live"    // answers its share, scores all
	RoleCanary  = "canary"  // answers its share, scores all
	RoleShadow  = "shadow"  // answers none, scores all
	RoleStandby = "standby" // neither; kept ready for a rollback
)

// Variant is one version in one role. A version may have several: a standing
// shadow may become live and stays a shadow. Whoever serves loads it once and
// scores a request with it once; the one prediction stands for all its roles.
type Variant struct {
	Version int64   `json:"version"`
	Role    string  `json:"role"`    // live | canary | shadow | standby
	Percent float64 `json:"percent"` // of the requests it answers, 0 to 100
}

// Assignment is what an endpoint should serve.
type Assignment struct {
	Endpoint           string           `json:"endpoint"` // "{model}@{environment}"
	Environment        string           `json:"environment"`
	Model              string           `json:"model"`
	Generation         int64            `json:"generation"`               // from 1, one more each change
	ObservedGeneration int64            `json:"observed_generation"`      // the newest that is served
	Failure            string           `json:"failure,omitempty"`        // why the newest cannot be served
	FailedVersion      int64            `json:"failed_version,omitempty"` // that the failure is about
	Variants           []Variant        `json:"variants"`                 // live, canary, shadows, standbys
	Reason             string           `json:"reason"`                   // for the newest change
	Settings           spec.Environment `json:"settings"`                 // of the newest rollout
}

// Version returns the version in a role that only one can have, 0 for none.
func (a *Assignment) Version(role string) int64 { return versionIn(a.Variants, role) }

func versionIn(all []Variant, role string) int64 {
	for _, v := range all {
		if v.Role == role {
			return v.Version
		}
	}
	return 0
}

// Scoring returns the versions that score every request, each once, ascending.
func (a *Assignment) Scoring() []int64 {
	var out []int64
	for _, v := range a.Variants {
		if v.Role != RoleStandby {
			out = append(out, v.Version)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// endpoint is what stands at an endpoint, as the machine sees it.
type endpoint struct {
	live    int64    // 0: nothing was released yet
	standby []int64  // newest first
	reason  string   // for the newest change
	shadows []int64  // standing ones, ascending; a rollout's own is not among them
	rollout *Rollout // the active one; after a transition also the one that it ended
}

func (e endpoint) active() bool { return e.rollout != nil && e.rollout.Active() }

// variants writes the endpoint as an assignment has it.
func (e endpoint) variants() []Variant {
	share := 0.0
	var out []Variant
	if e.active() && e.rollout.Strategy == spec.Canary {
		share = e.rollout.Percent
		out = append(out, Variant{e.rollout.To, RoleCanary, share})
	}
	if e.live != 0 {
		out = slices.Insert(out, 0, Variant{e.live, RoleLive, 100 - share})
	}
	shadows := slices.Clone(e.shadows)
	if e.active() && e.rollout.Strategy == spec.Shadow {
		shadows = append(shadows, e.rollout.To)
	}
	slices.SortFunc(shadows, cmp.Compare)
	for _, v := range slices.Compact(shadows) {
		out = append(out, Variant{v, RoleShadow, 0})
	}
	for _, v := range e.standby {
		out = append(out, Variant{v, RoleStandby, 0})
	}
	return out
}
