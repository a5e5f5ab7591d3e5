// Package runner is refit-runner: its commands and their wiring.
//
// It must not hold rules about rolls, windows or campaigns.
package runner

import "github.com/spf13/cobra"

// New is the root command.
func New() *cobra.Command {
	root := &cobra.Command{
		Use:           "refit-runner",
		Short:         "Keeps fleets of EC2 Auto Scaling groups patched when nobody runs Terraform",
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	root.AddCommand(newSimCommand(), newWatchCommand(), newSettleCommand(), newQuarantineCommand())
	return root
}
