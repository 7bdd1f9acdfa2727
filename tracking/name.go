package tracking

import (
	"fmt"
	"math/rand/v2"
)

// inventName returns a name for a run that got none, such as "calm-heron-314".
func inventName() string {
	return fmt.Sprintf("%s-%s-%d", adjectives[rand.IntN(len(adjectives))],
		nouns[rand.IntN(len(nouns))], rand.IntN(1000))
}

var adjectives = []string{
	"able", "amber", "bold", "brave", "bright", "brisk", "calm", "clear", "clever", "cosy", "crisp",
	"deft", "eager", "early", "fair", "fleet", "fond", "frank", "fresh", "glad", "golden", "grand",
	"happy", "hardy", "keen", "kind", "lively", "loyal", "lucid", "mellow", "merry", "mild", "neat",
	"nimble", "noble", "open", "patient", "placid", "proud", "quick", "quiet", "rapid", "sage",
	"serene", "sharp", "silver", "smart", "solid", "spry", "steady", "still", "sunny", "swift",
	"tidy", "true", "vivid", "warm", "wise", "witty", "young",
}

var nouns = []string{
	"anchor", "auk", "bark", "bay", "beacon", "bosun", "breeze", "brig", "buoy", "canal", "cape",
	"clipper", "compass", "coral", "cove", "crane", "cutter", "delta", "dhow", "dock", "dolphin",
	"eel", "ferry", "fjord", "gale", "gannet", "gull", "harbour", "heron", "hull", "island", "jetty",
	"kelp", "ketch", "lagoon", "lantern", "mast", "oar", "otter", "petrel", "pier", "pilot", "plover",
	"quay", "reef", "sail", "seal", "skiff", "sloop", "sound", "spar", "strait", "tern", "tide",
	"tiller", "trawler", "wave", "wharf", "whale", "yawl",
}
