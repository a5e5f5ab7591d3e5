// Command terraform-provider-refit serves the Refit provider to Terraform and
// OpenTofu.
package main

import (
	"context"
	"flag"
	"log"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/hashicorp/terraform-plugin-framework/providerserver"

	"github.com/fleetrefit/terraform-provider-refit/internal/clock"
	"github.com/fleetrefit/terraform-provider-refit/internal/provider"
)

// version is set by the release build.
var version = "dev"

const address = "registry.terraform.io/fleetrefit/refit"

func main() {
	debug := flag.Bool("debug", false, "serve for a debugger, and print what to set TF_REATTACH_PROVIDERS to")
	flag.Parse()

	// SIGTERM to the process group (systemd, some CI systems) would end the
	// plugin at once, while Terraform itself asks it to stop in order. And once
	// Terraform is dead, the first line of log would end it by SIGPIPE.
	signal.Ignore(syscall.SIGTERM, syscall.SIGPIPE)

	rolls := &provider.Activity{}
	if !*debug {
		go leaveWithParent(clock.Real{}, os.Getppid(), rolls)
	}
	err := providerserver.Serve(context.Background(), provider.New(provider.Options{Version: version, Activity: rolls}),
		providerserver.ServeOpts{Address: address, Debug: *debug})
	if err != nil {
		log.Fatal(err)
	}
}

// leaveWithParent ends the process once Terraform is gone, killed without a
// chance to say so, and whatever was under way here has come to a safe point.
func leaveWithParent(clk clock.Clock, parent int, rolls *provider.Activity) {
	for os.Getppid() == parent {
		if err := clk.Sleep(context.Background(), time.Second); err != nil {
			return
		}
	}
	rolls.Stop()
	os.Exit(1)
}
