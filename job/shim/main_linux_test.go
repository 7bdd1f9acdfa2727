package shim_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"testing"

	"github.com/fairlead-ml/fairlead/job/shim"
)

// serverVar holds a Spec: the process that has it plays a server that starts
// the step, says so, and lives until it is killed.
const serverVar = "FAIRLEAD_TEST_SERVER"

func TestMain(m *testing.M) {
	shim.Main()
	if spec, ok := os.LookupEnv(serverVar); ok {
		serve(spec)
	}
	os.Exit(m.Run())
}

func serve(spec string) {
	var s shim.Spec
	if err := json.Unmarshal([]byte(spec), &s); err != nil {
		panic(err)
	}
	if _, err := shim.Start(context.Background(), s); err != nil {
		panic(err)
	}
	fmt.Println("started")
	select {}
}
