package runner

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/fleetrefit/terraform-provider-refit/internal/image"
	"github.com/fleetrefit/terraform-provider-refit/internal/journal"
)

// newQuarantineCommand shows and clears automatic quarantines.
func newQuarantineCommand() *cobra.Command {
	var o accountOptions
	cmd := &cobra.Command{
		Use:   "quarantine",
		Short: "Show and clear what is not rolled to again because it failed",
		Long: `When a roll goes back because its image failed, that template is not rolled to
the same version data again until the quarantine ends or is cleared.

The ban of an image from the whole fleet is another thing: it is the resource
refit_image_quarantine, and ends when that is destroyed.`,
		Args: cobra.NoArgs, // so that a mistyped subcommand is an error
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	o.flags(cmd)
	cmd.AddCommand(newQuarantineListCommand(&o), newQuarantineClearCommand(&o))
	return cmd
}

func newQuarantineListCommand(o *accountOptions) *cobra.Command {
	var template string
	var asJSON bool
	cmd := &cobra.Command{
		Use:     "list",
		Short:   "Show what is in quarantine",
		Example: "  refit-runner quarantine list --template lt-0123456789abcdef0 --json",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if template != "" {
				if err := checkTemplate("--template", template); err != nil {
					return err
				}
			}
			_, list, err := o.quarantines(cmd.Context(), template)
			if err != nil {
				return plain(err)
			}
			if asJSON {
				return printJSON(cmd.OutOrStdout(), list)
			}
			return printTable(cmd.OutOrStdout(), list)
		},
	}
	cmd.Flags().StringVar(&template, "template", "", "only what this launch template is held back from (lt-…)")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print a JSON array, for scripts")
	return cmd
}

func newQuarantineClearCommand(o *accountOptions) *cobra.Command {
	var which selection
	cmd := &cobra.Command{
		Use:   "clear TEMPLATE",
		Short: "Let a launch template be rolled to again what failed before",
		Long: `Clears quarantines of a launch template: those of one image, one version data (as
"quarantine list" shows it), or all of them. Where there is only one, it need not
be named. Nothing is rolled; the next plan takes the image up again.`,
		Example: `  refit-runner quarantine clear lt-0123456789abcdef0
  refit-runner quarantine clear lt-0123456789abcdef0 --image ami-0123456789abcdef0`,
		Args: one("the id of a launch template", "lt-0123456789abcdef0"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := checkTemplate("TEMPLATE", args[0]); err != nil {
				return err
			}
			docs, list, err := o.quarantines(cmd.Context(), args[0])
			if err == nil {
				err = which.clear(cmd.Context(), docs, list, cmd.OutOrStdout())
			}
			return plain(err)
		},
	}
	f := cmd.Flags()
	f.StringVar(&which.image, "image", "", "clear those of this image (ami-…)")
	f.StringVar(&which.data, "data", "", "clear the one of this version data")
	f.BoolVar(&which.all, "all", false, "clear all of the template")
	cmd.MarkFlagsMutuallyExclusive("image", "data", "all")
	return cmd
}

var templateID = regexp.MustCompile(`^lt-[0-9a-f]+$`)

func checkTemplate(what, id string) error {
	if templateID.MatchString(id) {
		return nil
	}
	return fmt.Errorf(`%s is %q; give the id of a launch template, such as "lt-0123456789abcdef0" (not its name)`, what, id)
}

// quarantines reads the active quarantines of a template, or of all when none
// is given.
func (o accountOptions) quarantines(ctx context.Context, template string) (*journal.Documents, []image.Quarantine, error) {
	a, err := o.open(ctx)
	if err != nil {
		return nil, nil, err
	}
	docs, now := a.documents(), a.clock.Now()
	all, err := journal.All[image.Quarantine](ctx, docs, strings.TrimSuffix(image.QuarantineRoot+"/"+template, "/"))
	if err != nil {
		return nil, nil, fmt.Errorf("read the quarantines: %w", err)
	}
	// Not nil: in JSON that is an empty array.
	return docs, slices.DeleteFunc(all, func(q image.Quarantine) bool { return !q.Active(now) }), nil
}

func printJSON(out io.Writer, list []image.Quarantine) error {
	enc := json.NewEncoder(out)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(list)
}

func printTable(out io.Writer, list []image.Quarantine) error {
	if len(list) == 0 {
		_, err := fmt.Fprintln(out, "nothing is in quarantine")
		return err
	}
	// A reason may be any text; as the last column it cannot push others aside.
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(w, "TEMPLATE\tIMAGE\tDATA\tUNTIL\tREASON") // Flush gives the error
	for _, q := range list {
		until := "-"
		if !q.Until.IsZero() {
			until = q.Until.UTC().Format(time.RFC3339)
		}
		_, _ = fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", q.Template, q.Image, q.Data, until, strings.Join(strings.Fields(q.Reason), " "))
	}
	return w.Flush()
}

// selection says which quarantines to clear; the zero value, the only one.
type selection struct {
	image, data string
	all         bool
}

// of picks from a template's quarantines. An error says what there is.
func (s selection) of(list []image.Quarantine) ([]image.Quarantine, error) {
	if s.all || len(list) == 0 {
		return list, nil
	}
	named := s.image != "" || s.data != ""
	if !named && len(list) == 1 {
		return list, nil
	}
	var out []image.Quarantine
	var there []string
	for _, q := range list {
		there = append(there, fmt.Sprintf("image %s with data %s", q.Image, q.Data))
		if named && (q.Image == s.image || q.Data == s.data) {
			out = append(out, q)
		}
	}
	switch {
	case len(out) > 0:
		return out, nil
	case named:
		return nil, fmt.Errorf("%s is not in quarantine for launch template %s; these are: %s", s.image+s.data, list[0].Template, strings.Join(there, ", "))
	}
	return nil, fmt.Errorf("launch template %s has %d quarantines; choose with --image, --data or --all: %s", list[0].Template, len(list), strings.Join(there, ", "))
}

// clear lifts what is selected. Documents stay, so that they can be set again
// at once: Parameter Store does not take a deleted name for half a minute.
func (s selection) clear(ctx context.Context, docs *journal.Documents, list []image.Quarantine, out io.Writer) error {
	chosen, err := s.of(list)
	if err != nil {
		return err
	}
	if len(chosen) == 0 {
		_, err := fmt.Fprintln(out, "nothing is in quarantine: there is nothing to clear")
		return err
	}
	for _, q := range chosen {
		q.Cleared = true
		if err := docs.Put(ctx, image.QuarantinePath(q.Template, q.Data), q); err != nil {
			return fmt.Errorf("clear the quarantine of image %s: %w", q.Image, err)
		}
		if _, err := fmt.Fprintf(out, "cleared: image %s with data %s, which had failed: %s\n", q.Image, q.Data, q.Reason); err != nil {
			return err
		}
	}
	return nil
}
