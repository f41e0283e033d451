'use strict';

const assert = require('node:assert/strict');
const fs = require('node:fs');
const path = require('node:path');
const test = require('node:test');
const zlib = require('node:zlib');

const { download, limits } = require('../download');
const { Problem } = require('../problem');
const { folder, serve, sha256 } = require('./helpers');

const data = Buffer.from('#!/bin/sh\n' + 'echo of some length\n'.repeat(5000));
const packed = zlib.gzipSync(data);
const within = { ...limits, pause: 10, longestPause: 100 };
const hasty = { ...within, connect: 1000, idle: 1000 };
const endless = zlib.gzipSync(Buffer.alloc(8 << 20));

// fetch downloads from a server that does as handle says, and returns what was said and left.
async function fetch(t, handle, more = {}) {
  const server = await serve(t, handle);
  const to = path.join(folder(t), 'hallmark');
  const said = [];
  const options = { sha256: sha256(data), size: data.length, env: {}, say: (line) => said.push(line), within, ...more };
  const problem = await download(new URL(server.url + '/v1/hallmark.gz'), to, options).then(() => null, (cause) => cause);
  return { problem, said, asked: server.asked, there: fs.existsSync(to), to };
}

test('it is written, executable and checked', async (t) => {
  const { problem, asked, to } = await fetch(t, (_, response) => response.end(packed));
  assert.ifError(problem);
  assert.equal(sha256(fs.readFileSync(to)), sha256(data));
  assert.equal(fs.statSync(to).mode & 0o777, 0o755);
  assert.equal(asked[0].headers.authorization, undefined);
});

// What passes is tried again; the second attempt brings the file.
for (const [name, fail, waits] of [
  ['an overloaded server', (_, response) => response.writeHead(503).end()],
  ['too many requests', (_, response) => response.writeHead(429, { 'Retry-After': '0' }).end()],
  ['a connection that is cut', (request) => request.socket.destroy()],
  ['a transfer that is cut', (_, response) => {
    response.writeHead(200, { 'Content-Length': packed.length });
    response.write(packed.subarray(0, 100), () => response.destroy());
  }],
  ['a transfer that ends early without a word of its length', (_, response) => response.end(packed.subarray(0, packed.length - 20))],
  ['a server that never answers', () => {}, true],
  ['a transfer that stands still', (_, response) => response.write(packed.subarray(0, 100)), true],
]) {
  test(`${name} is tried again`, async (t) => {
    const { problem, said, asked } = await fetch(t, (request, response, n) => (n === 1 ? fail(request, response) : response.end(packed)), { within: waits ? hasty : within });
    assert.ifError(problem);
    assert.ok(waits ? asked.length >= 2 : asked.length === 2); // on a busy machine a short wait may end early once more
    assert.match(said.join(), /attempt 2 of 4 in/);
  });
}

// What stays ends the download at once, with a word on what to do.
for (const [name, handle, said] of [
  ['a file that is not there', (_, response) => response.writeHead(404).end('no'), /answered 404 Not Found.*no such file/],
  ['a mirror that wants a token', (_, response) => response.writeHead(401).end(), /answered 401.*mirror-token/],
  ['a page instead of the file', (_, response) => response.end('<html>Sign in</html>'), /not compressed as the release is/],
  ['another file', (_, response) => response.end(zlib.gzipSync('other')), /sha256:[0-9a-f]{64}.*sha256:[0-9a-f]{64}.*deleted/],
  ['a file without end', (_, response) => response.end(endless), /larger than the \d+ bytes/],
  ['a redirect to something else', (_, response) => response.writeHead(302, { Location: 'ftp://example.com/x' }).end(), /redirected to ftp:\/\/example.com/],
  ['a redirect to nothing', (_, response) => response.writeHead(302, { Location: 'http://[' }).end(), /no URL/],
]) {
  test(`${name} is told, and nothing is left`, async (t) => {
    const { problem, asked, there } = await fetch(t, handle);
    assert.ok(problem instanceof Problem);
    assert.equal(problem.code, 3);
    assert.match(problem.message, said);
    assert.equal(asked.length, 1);
    assert.equal(there, false);
  });
}

test('a redirect in a circle ends', async (t) => {
  const { problem, asked } = await fetch(t, (request, response) => response.writeHead(307, { Location: request.url }).end());
  assert.match(problem.message, /redirected for the 6th time/);
  assert.equal(asked.length, 6);
});

test('attempts end, and the error says how many there were', async (t) => {
  const { problem, asked, there } = await fetch(t, (_, response) => response.writeHead(502).end());
  assert.match(problem.message, /502 Bad Gateway \(after 4 attempts\)\. Run the job again later/);
  assert.equal(asked.length, 4);
  assert.equal(there, false);
});

test('a server that asks for an hour is not waited for so long', async (t) => {
  const { said } = await fetch(t, (_, response) => response.writeHead(503, { 'Retry-After': '3600' }).end());
  assert.equal(said.length, 3);
  for (const line of said) assert.match(line, /in 0\.1 s$/);
});

test('an attempt that drips for ever ends', async (t) => {
  const drip = (_, response) => {
    let at = 0;
    const timer = setInterval(() => response.write(packed.subarray(at, ++at)), 50);
    response.on('close', () => clearInterval(timer));
  };
  const { problem, asked } = await fetch(t, drip, { within: { ...within, attempt: 400, attempts: 2 } });
  assert.match(problem.message, /not there after 0.4 s/);
  assert.equal(asked.length, 2);
});

test('a token goes to the first host, also after a redirect within it, and to no other', async (t) => {
  const other = await serve(t, (_, response) => response.end(packed));
  const handle = (request, response) =>
    response.writeHead(302, { Location: request.url === '/v1/hallmark.gz' ? '/moved' : other.url + '/object.gz' }).end();
  const { problem, asked } = await fetch(t, handle, { token: 'secret' });
  assert.ifError(problem);
  assert.deepEqual(asked.map((one) => one.headers.authorization), ['Bearer secret', 'Bearer secret']);
  assert.equal(other.asked.length, 1);
  assert.equal(other.asked[0].headers.authorization, undefined);
});

test('a job that is cancelled stops at once and leaves nothing', async (t) => {
  const stop = new AbortController();
  const begun = Date.now();
  const { problem, there, asked } = await fetch(t, (_, response) => {
    response.write(packed.subarray(0, 100));
    setTimeout(() => stop.abort(), 50);
  }, { signal: stop.signal, within: limits });
  assert.equal(problem.name, 'AbortError');
  assert.equal(there, false);
  assert.equal(asked.length, 1);
  assert.ok(Date.now() - begun < 10_000);
});

test('a folder that is not there is no reason to ask again', async (t) => {
  const server = await serve(t, (_, response) => response.end(packed));
  const to = path.join(folder(t), 'none', 'hallmark');
  await assert.rejects(download(new URL(server.url + '/a.gz'), to, { sha256: sha256(data), env: {}, say: () => {}, within }), /writing .*none|ENOENT/);
  assert.equal(server.asked.length, 1);
});
