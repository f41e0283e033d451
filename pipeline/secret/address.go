package secret

import (
	"net"
	"net/netip"
	"net/url"
	"strings"
)

// MayGoTo says whether a secret may be sent to an address: by TLS, or where there is no way on which it could be read.
func MayGoTo(address *url.URL) bool {
	return address.Scheme == "https" && address.Host != "" || address.Scheme == "http" && Loopback(address.Host)
}

// Loopback says whether a host ("name", "name:port", an address of either kind) is this machine by its very name.
func Loopback(host string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	host = strings.Trim(host, "[]")
	if strings.EqualFold(host, "localhost") {
		return true
	}
	address, err := netip.ParseAddr(host)
	return err == nil && address.Unmap().IsLoopback()
}
