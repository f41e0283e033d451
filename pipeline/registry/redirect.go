package registry

import (
	"context"
	"net"
)

type dialFunc = func(ctx context.Context, network, address string) (net.Conn, error)

// redirected dials elsewhere what is meant for some hosts, so that a registry keeps its name wherever it listens.
func redirected(dial dialFunc, redirect map[string]string) dialFunc {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		if elsewhere, found := redirect[address]; found {
			address = elsewhere
		}
		return dial(ctx, network, address)
	}
}

// Credentials is what opens host, for engines that pull by themselves: a user name and its password, or an identity
// token without a user name; neither where nothing is known.
func (c *Client) Credentials(host string) (user, password string, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), helperWait)
	defer cancel()
	// Docker's configuration is asked by host; the repository only matters to helpers that look closer.
	found, err := c.credentials.find(ctx, host, "library/any")
	if err != nil {
		return "", "", err
	}
	if found.IdentityToken != "" {
		return "", found.IdentityToken, nil
	}
	return found.Username, found.Password, nil
}
