package registry

// LimitTags lowers what the client reads of a list of tags, so that a test need not make a million of them.
func (c *Client) LimitTags(tags, pages int, bytes int64) {
	c.tagLimits = tagLimits{tags: tags, pages: pages, bytes: bytes}
}
