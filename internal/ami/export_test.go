package ami

import "context"

// Ensure finds a version, or makes one.
func (c *Client) Ensure(ctx context.Context, w Want) (Made, error) {
	t, found, err := c.FindVersion(ctx, w)
	if err != nil || found.Version.Number != 0 {
		return found, err
	}
	return c.Make(ctx, w, t, found.Source)
}
