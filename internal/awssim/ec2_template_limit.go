package awssim

import "fmt"

// defaultTemplateVersions is the quota of an account that has asked for no
// other: https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/launch-template-restrictions.html
// AWS documents the number, but not the code that it answers beyond it; this one is
// made like those for its other limits.
const defaultTemplateVersions = 10_000

// SetTemplateVersionLimit sets how many versions a launch template may have. Less
// than 1 is an error.
func (w *World) SetTemplateVersionLimit(n int) error {
	if n < 1 {
		return fmt.Errorf("a launch template has at least 1 version, not %d", n)
	}
	w.lock()
	defer w.mu.Unlock()
	w.ec2.templateVersions = n
	return nil
}
