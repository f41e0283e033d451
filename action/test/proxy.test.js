'use strict';

const assert = require('node:assert/strict');
const child = require('node:child_process');
const fs = require('node:fs');
const http = require('node:http');
const https = require('node:https');
const net = require('node:net');
const path = require('node:path');
const test = require('node:test');

const { choose, credentials } = require('../proxy');
const { folder, serve, fake, checkout, machine, step } = require('./helpers');

const proxy = 'http://proxy.example:3128';

for (const [target, env, want] of [
  ['https://github.com/x', {}, null],
  ['https://github.com/x', { HTTPS_PROXY: proxy }, 'proxy.example:3128'],
  ['https://github.com/x', { https_proxy: 'lower:1', HTTPS_PROXY: proxy }, 'lower:1'],
  ['https://github.com/x', { HTTP_PROXY: proxy }, null],
  ['http://mirror/x', { HTTP_PROXY: proxy }, 'proxy.example:3128'],
  ['http://mirror/x', { HTTPS_PROXY: proxy }, null],
  ['https://github.com/x', { ALL_PROXY: proxy }, 'proxy.example:3128'],
  ['https://github.com/x', { HTTPS_PROXY: 'proxy.example:3128' }, 'proxy.example:3128'],
  ['https://github.com/x', { HTTPS_PROXY: proxy, NO_PROXY: '*' }, null],
  ['https://github.com/x', { HTTPS_PROXY: proxy, NO_PROXY: 'example.com, github.com' }, null],
  ['https://api.github.com/x', { HTTPS_PROXY: proxy, NO_PROXY: 'github.com' }, null],
  ['https://api.github.com/x', { HTTPS_PROXY: proxy, NO_PROXY: '.github.com' }, null],
  ['https://api.github.com/x', { HTTPS_PROXY: proxy, NO_PROXY: '*.GitHub.com' }, null],
  ['https://mygithub.com/x', { HTTPS_PROXY: proxy, NO_PROXY: 'github.com' }, 'proxy.example:3128'],
  ['https://github.com:8443/x', { HTTPS_PROXY: proxy, NO_PROXY: 'github.com:443' }, 'proxy.example:3128'],
  ['https://github.com/x', { HTTPS_PROXY: proxy, NO_PROXY: 'github.com:443' }, null],
  ['https://10.1.2.3/x', { HTTPS_PROXY: proxy, NO_PROXY: '10.0.0.0/8' }, null],
  ['https://11.1.2.3/x', { HTTPS_PROXY: proxy, NO_PROXY: '10.0.0.0/8' }, 'proxy.example:3128'],
  ['https://10.1.2.3/x', { HTTPS_PROXY: proxy, NO_PROXY: '10.1.2.3' }, null],
  ['https://10.1.2.3/x', { HTTPS_PROXY: proxy, NO_PROXY: '10.0.0.0/99' }, 'proxy.example:3128'],
  ['https://[fd00::1]/x', { HTTPS_PROXY: proxy, NO_PROXY: 'fd00::/8' }, null],
  ['https://[fd00::1]:8443/x', { HTTPS_PROXY: proxy, NO_PROXY: '[fd00::1]:8443' }, null],
]) {
  test(`${target} with ${JSON.stringify(env)} goes through ${want || 'no proxy'}`, () => {
    assert.equal(choose(new URL(target), env)?.host ?? null, want);
  });
}

test('credentials of the proxy are decoded', () => {
  const header = credentials(new URL('http://me:p%40ss@proxy:1'))['Proxy-Authorization'];
  assert.equal(Buffer.from(header.split(' ')[1], 'base64').toString(), 'me:p@ss');
});

// relay is a proxy: it opens tunnels, and passes plain requests on.
async function relay(t, { refuse = 0 } = {}) {
  const tunnels = [];
  const made = await serve(t, (request, response) => {
    const on = http.request(request.url, { headers: request.headers }, (answer) => {
      response.writeHead(answer.statusCode, answer.headers);
      answer.pipe(response);
    });
    on.end();
  });
  made.server.on('connect', (request, socket) => {
    tunnels.push({ to: request.url, authorization: request.headers['proxy-authorization'] });
    if (refuse) return socket.end(`HTTP/1.1 ${refuse} No\r\n\r\n`);
    const [host, port] = request.url.split(':');
    const far = net.connect(port, host, () => {
      socket.write('HTTP/1.1 200 Connection established\r\n\r\n');
      far.pipe(socket).pipe(far);
    });
    far.on('error', () => socket.destroy());
    socket.on('error', () => far.destroy());
    t.after(() => far.destroy());
  });
  return { ...made, tunnels };
}

// certified makes a key and a certificate for this machine's own address.
function certified(t) {
  const made = folder(t);
  const [key, cert] = ['a.pem', 'b.pem'].map((name) => path.join(made, name));
  child.execFileSync('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2', '-subj', '/CN=tests',
    '-addext', 'subjectAltName=IP:127.0.0.1', '-keyout', key, '-out', cert], { stdio: 'ignore' });
  return { key: fs.readFileSync(key), cert: fs.readFileSync(cert), file: cert };
}

test('through a proxy: a tunnel for https, the whole URL for http, its credentials to it alone', async (t) => {
  const program = fake();
  const tls = certified(t);
  const at = checkout(t, { program });
  const secure = await serve(t, (_, response) => response.end(at.asset), { create: (handle) => https.createServer(tls, handle) });
  const plain = await serve(t, (_, response) => response.end(at.asset));
  const between = await relay(t);
  const through = between.url.replace('//', '//me:pass@');
  const variables = { HTTPS_PROXY: through, HTTP_PROXY: through, NODE_EXTRA_CA_CERTS: tls.file };

  const one = machine(t, { ...variables, INPUT_MIRROR: secure.url });
  const tunnelled = await step(at, 'main.js', one.env, { timeout: 60_000 }); // a tunnel left open would hold it
  assert.equal(tunnelled.code, 0, tunnelled.text);
  assert.deepEqual(between.tunnels, [{ to: `127.0.0.1:${secure.port}`, authorization: 'Basic bWU6cGFzcw==' }]);
  assert.equal(secure.asked[0].headers['proxy-authorization'], undefined);

  const two = machine(t, { ...variables, INPUT_MIRROR: plain.url });
  const passed = await step(at, 'main.js', two.env);
  assert.equal(passed.code, 0, passed.text);
  assert.equal(between.asked[0].url, plain.url + at.path);
  assert.equal(between.asked[0].headers['proxy-authorization'], 'Basic bWU6cGFzcw==');

  const three = machine(t, { ...variables, INPUT_MIRROR: plain.url, NO_PROXY: '127.0.0.0/8' });
  assert.equal((await step(at, 'main.js', three.env)).code, 0);
  assert.equal(between.asked.length, 1, 'not asked where it is excepted');
});

test('a proxy that refuses, and a certificate that nobody trusts, are told at once', async (t) => {
  const tls = certified(t);
  const at = checkout(t, { program: fake() });
  const secure = await serve(t, (_, response) => response.end(at.asset), { create: (handle) => https.createServer(tls, handle) });
  const between = await relay(t, { refuse: 407 });
  const refused = await step(at, 'main.js', machine(t, { HTTPS_PROXY: between.url, INPUT_MIRROR: secure.url }).env);
  assert.equal(refused.code, 3);
  assert.match(refused.text, /the proxy 127\.0\.0\.1:\d+ answered 407 .*USER:PASSWORD/);
  assert.equal(between.tunnels.length, 1);

  const distrusted = await step(at, 'main.js', machine(t, { INPUT_MIRROR: secure.url }).env);
  assert.equal(distrusted.code, 3);
  assert.match(distrusted.text, /self-signed certificate.*NODE_EXTRA_CA_CERTS/);

  const down = await serve(t, () => {});
  const downgraded = await serve(t, (_, response) => response.writeHead(302, { Location: down.url }).end(), { create: (handle) => https.createServer(tls, handle) });
  const lowered = await step(at, 'main.js', machine(t, { INPUT_MIRROR: downgraded.url, NODE_EXTRA_CA_CERTS: tls.file }).env);
  assert.match(lowered.text, /redirected to http:.*not protected as the first/);
  assert.equal(down.asked.length, 0);
});
