package registry

import "time"

// LimitTags lowers what the client reads of a list of tags, so that a test need not make a million of them.
func (c *Client) LimitTags(tags, pages int, bytes int64) {
	c.tagLimits = tagLimits{tags: tags, pages: pages, bytes: bytes}
}

// EndAzureTokens makes the client take its refresh tokens for Azure's registries for ended.
func (c *Client) EndAzureTokens() {
	a := c.credentials.azure
	a.mu.Lock()
	defer a.mu.Unlock()
	for host, kept := range a.kept {
		kept.expires = time.Now()
		a.kept[host] = kept
	}
}
