// Command refit-runner is the companion of the Refit provider.
package main

import (
	"context"
	"fmt"
	"os"

	"github.com/fleetrefit/terraform-provider-refit/runner"
)

func main() {
	if err := runner.New().ExecuteContext(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, "refit-runner:", err)
		os.Exit(1)
	}
}
