package runner

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/fleetrefit/terraform-provider-refit/internal/awssim"
)

// simOptions are the flags of the sim command.
type simOptions struct {
	listen, scenario, key string
	speed                 float64
	seed                  uint64
	events                bool
}

// simKeyVariable is the environment's way to give --key, which keeps it out of
// the process list.
const simKeyVariable = "REFIT_SIM_KEY"

// newSimCommand serves a simulated AWS.
func newSimCommand() *cobra.Command {
	var o simOptions
	cmd := &cobra.Command{
		Use:   "sim",
		Short: "Serve a simulated AWS for trying, learning and testing",
		Long: `Serves one account and region of a simulated AWS: EC2, EC2 Auto Scaling, Elastic
Load Balancing, CloudWatch alarms, Lambda, Service Quotas, SSM, S3 and STS. Any AWS
client works with it when AWS_ENDPOINT_URL names the address that is printed first;
with HTTP_PROXY set to it, HTTP requests reach members and load balancers.

Nothing real is touched, and nothing is kept when it ends.`,
		Example: `  refit-runner sim --scenario examples/scenarios/web.hcl --speed 60
  AWS_ENDPOINT_URL=http://127.0.0.1:4566 aws autoscaling describe-auto-scaling-groups`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if o.key == "" {
				o.key = os.Getenv(simKeyVariable)
			}
			ctx, stop := signal.NotifyContext(cmd.Context(), os.Interrupt, syscall.SIGTERM)
			defer stop()
			return serveSim(ctx, o, cmd.OutOrStdout())
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.listen, "listen", "127.0.0.1:0", "address to listen on; port 0 picks a free one")
	f.StringVar(&o.scenario, "scenario", "", "scenario file (HCL); an empty account when not given")
	f.Float64Var(&o.speed, "speed", 60, "simulated seconds that pass in a second; 0 lets time pass only on request")
	f.Uint64Var(&o.seed, "seed", 0, "makes ids and random choices differ between runs")
	f.StringVar(&o.key, "key", "", "key for the control path, required beyond loopback (default $"+simKeyVariable+")")
	f.BoolVar(&o.events, "events", false, "print what happens to the groups")
	return cmd
}

// serveSim serves a world until ctx ends.
func serveSim(ctx context.Context, o simOptions, out io.Writer) error {
	if o.speed < 0 {
		return fmt.Errorf("speed %v is negative", o.speed)
	}
	if err := checkListen(o.listen, o.key); err != nil {
		return err
	}
	scenario := new(awssim.Scenario)
	if o.scenario != "" {
		var err error
		if scenario, err = awssim.ReadScenario(o.scenario); err != nil {
			return err
		}
	}
	world, err := awssim.NewScenario(awssim.Options{Speed: o.speed, Seed: o.seed}, scenario)
	if err != nil {
		return fmt.Errorf("scenario %s: %w", o.scenario, err)
	}
	defer world.Close()
	var config net.ListenConfig
	listener, err := config.Listen(ctx, "tcp", o.listen)
	if err != nil {
		return fmt.Errorf("listen on %s: %w", o.listen, err)
	}
	// The first line is for scripts, which read the port from it.
	if _, err := fmt.Fprintf(out, "listening on http://%s\n", listener.Addr()); err != nil {
		return errors.Join(err, listener.Close())
	}
	if o.events {
		world.OnEvent(func(e awssim.Event) {
			_, _ = fmt.Fprintf(out, "%s %s %s\n", e.At.Format(time.TimeOnly), e.Group, e.Text) // nobody to tell
		})
	}
	return serveUntil(ctx, listener, world.Handler(o.key))
}

// checkListen refuses to show the control path to a network without a key.
func checkListen(address, key string) error {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return fmt.Errorf("listen address %q: %w", address, err)
	}
	ip := net.ParseIP(host)
	if key != "" || host == "localhost" || ip != nil && ip.IsLoopback() {
		return nil
	}
	return fmt.Errorf("listen address %q is not a loopback one: anybody who reaches it could change the simulation; give --key or $%s", address, simKeyVariable)
}

// serveUntil serves until ctx ends, and then lets requests under way finish.
func serveUntil(ctx context.Context, listener net.Listener, handler http.Handler) error {
	server := &http.Server{Handler: handler, ReadHeaderTimeout: 10 * time.Second}
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(listener) }()
	select {
	case err := <-failed:
		return fmt.Errorf("serve: %w", err)
	case <-ctx.Done():
	}
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
	defer cancel()
	if err := server.Shutdown(grace); err != nil {
		return server.Close() // an event stream never ends by itself
	}
	return nil
}
