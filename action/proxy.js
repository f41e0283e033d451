'use strict';

// Node's own fetch and https ask no proxy unless a newer Node is started with a switch of its own, which an action cannot
// give: so the variables that everybody else honours are read here.

const net = require('node:net');

const first = (env, ...names) => names.map((name) => env[name]).find(Boolean) || '';

// choose returns the proxy's URL for a target, or null for a direct connection.
function choose(target, env) {
  const named =
    target.protocol === 'https:'
      ? first(env, 'https_proxy', 'HTTPS_PROXY', 'all_proxy', 'ALL_PROXY')
      : first(env, 'http_proxy', 'HTTP_PROXY', 'all_proxy', 'ALL_PROXY');
  if (!named || excepted(target, first(env, 'no_proxy', 'NO_PROXY'))) return null;
  return new URL(/^[a-z][a-z0-9+.-]*:\/\//i.test(named) ? named : 'http://' + named);
}

// excepted follows the rules that curl and Go have: a name covers its subdomains, with or without a dot before it; an
// address or a range of addresses covers literal addresses; a port narrows the entry; an asterisk covers everything.
function excepted(target, list) {
  const host = target.hostname.replace(/^\[|\]$/g, '').toLowerCase();
  const port = target.port || (target.protocol === 'https:' ? '443' : '80');
  return list
    .split(/[\s,]+/)
    .filter(Boolean)
    .some((entry) => {
      entry = entry.toLowerCase();
      if (entry === '*') return true;
      const ported = /^(?:\[(.+)\]|([^:]+)):(\d+)$/.exec(entry);
      if (ported) {
        if (ported[3] !== port) return false;
        entry = ported[1] || ported[2];
      }
      entry = entry.replace(/^\[|\]$/g, '');
      if (net.isIP(host)) return inRange(host, entry);
      const name = entry.replace(/^\*?\./, '');
      return host === name || host.endsWith('.' + name);
    });
}

function inRange(address, entry) {
  const [base, bits] = entry.split('/');
  const family = net.isIP(base);
  if (!family || family !== net.isIP(address)) return false;
  const list = new net.BlockList();
  const kind = family === 6 ? 'ipv6' : 'ipv4';
  try {
    list.addSubnet(base, bits === undefined ? (family === 6 ? 128 : 32) : Number(bits), kind);
  } catch {
    return false; // no range: nothing is excepted by it
  }
  return list.check(address, kind);
}

// credentials are the header for a proxy whose URL holds a name and a password.
function credentials(proxy) {
  if (!proxy.username && !proxy.password) return {};
  const pair = decodeURIComponent(proxy.username) + ':' + decodeURIComponent(proxy.password);
  return { 'Proxy-Authorization': 'Basic ' + Buffer.from(pair).toString('base64') };
}

module.exports = { choose, credentials };
