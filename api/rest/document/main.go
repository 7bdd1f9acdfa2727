// Document prints the OpenAPI document of the native API, from which the web interface
// gets its types.
package main

import (
	"fmt"
	"os"

	"github.com/fairlead-ml/fairlead/api/rest"
)

func main() {
	b, err := rest.New(rest.Services{}, "").OpenAPI()
	if err != nil {
		fmt.Fprintln(os.Stderr, "document:", err)
		os.Exit(1)
	}
	os.Stdout.Write(b)
}
