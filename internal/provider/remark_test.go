package provider

import "testing"

// TestRemarks: apply shows what plan said as well, and Terraform shows one
// warning only of those with the same summary.
func TestRemarks(t *testing.T) {
	t.Parallel()
	before, after := about("web", []string{"one is left", "one is left"}), outcome("web", []string{"one was left", "it was slow"})
	if len(before) != 1 || before[0].Detail() != "One is left." || len(after) != 1 || after[0].Detail() != "One was left.\nIt was slow." {
		t.Fatalf("got %v and %v, want a warning each", before, after)
	}
	if before[0].Summary() == after[0].Summary() {
		t.Errorf("both summaries are %q, want two", before[0].Summary())
	}
	if none := outcome("web", nil); none != nil {
		t.Errorf("got %v of nothing, want nothing", none)
	}
}
