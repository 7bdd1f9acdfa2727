package pipeline

import (
	"io/fs"
	"testing"
)

func TestKey_DependsOnAllParts(t *testing.T) {
	base := func() keyParts {
		return keyParts{Format: keyFormat, Step: "s", Command: "c", Env: map[string]string{"e": "1"},
			Outputs: []string{"o"}, Inputs: map[string]string{"i": "d"}, Params: map[string]any{"p": 1},
			Code: "code", Lock: "lock", Platform: "linux/amd64"}
	}
	keys := map[string]string{}
	for name, change := range map[string]func(k *keyParts){
		"nothing":  func(*keyParts) {},
		"format":   func(k *keyParts) { k.Format++ },
		"step":     func(k *keyParts) { k.Step = "t" },
		"command":  func(k *keyParts) { k.Command = "c " },
		"env":      func(k *keyParts) { k.Env["e"] = "2" },
		"outputs":  func(k *keyParts) { k.Outputs[0] = "p" },
		"input":    func(k *keyParts) { k.Inputs["i"] = "e" },
		"param":    func(k *keyParts) { k.Params["p"] = 2 },
		"code":     func(k *keyParts) { k.Code = "edoc" },
		"lock":     func(k *keyParts) { k.Lock = "" },
		"platform": func(k *keyParts) { k.Platform = "linux/arm64" },
	} {
		k := base()
		change(&k)
		key, err := k.key()
		if err != nil {
			t.Fatal(err)
		}
		if other, taken := keys[key]; taken {
			t.Errorf("%s and %s have the same key", name, other)
		}
		keys[key] = name
	}
	again, err := base().key()
	if err != nil || keys[again] != "nothing" {
		t.Errorf("the same parts have another key (%v)", err)
	}
}

func TestTree_DependsOnPathContentAndMode(t *testing.T) {
	seen := map[string]bool{}
	for _, f := range []struct {
		path, digest string
		mode         fs.FileMode
	}{{"a", "d", 0o644}, {"b", "d", 0o644}, {"a", "e", 0o644}, {"a", "d", 0o755}} {
		files := tree{}
		files.add(f.path, f.digest, f.mode)
		if key := files.digest(); seen[key] {
			t.Errorf("%v has the digest of another", f)
		} else {
			seen[key] = true
		}
	}
}
