package serving

import (
	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/release"
)

// How far a variant is.
const (
	Ready   = "ready"   // it is loaded and can answer
	Loading = "loading" // or it is about to be
	Failing = "failing" // it does not load, or its calls fail and will go on to
)

// VariantState is how a variant of an endpoint does on this machine.
type VariantState struct {
	release.Variant
	State  string `json:"state"`            // ready | loading | failing
	Why    string `json:"why,omitempty"`    // it is not ready
	Engine string `json:"engine,omitempty"` // that runs it, once it is loaded
}

// States tells how each variant of an assignment does, in its order.
func (s *Service) States(p fairlead.Project, a *release.Assignment) []VariantState {
	out := make([]VariantState, len(a.Variants))
	for i, v := range a.Variants {
		out[i] = VariantState{Variant: v, State: Loading}
		st := s.pool.state(packageKey{p.K, a.Model, v.Version})
		err := st.err
		if st.loaded != nil {
			out[i].Engine = st.loaded.manifest.Engine
			err = st.loaded.health()
		}
		switch {
		case err != nil:
			out[i].State, out[i].Why = Failing, fairlead.MessageOf(err)
		case st.loaded != nil:
			out[i].State = Ready
		}
	}
	return out
}
