'use strict';

const assert = require('node:assert/strict');
const fs = require('node:fs');
const path = require('node:path');
const test = require('node:test');
const zlib = require('node:zlib');

const { sha256, serve, fake, checkout, machine, values, step, state } = require('./helpers');

const program = fake();

// offered is a checkout whose release is served here; fail may break the answer.
async function offered(t, fail) {
  const at = checkout(t, { program });
  const server = await serve(t, (request, response, n) => {
    if (fail && fail(request, response, n)) return;
    if (request.url !== at.path) return response.writeHead(404).end();
    response.end(at.asset);
  });
  const file = path.join(at.top, 'action/release.json');
  fs.writeFileSync(file, fs.readFileSync(file, 'utf8').replace('http://127.0.0.1:1', server.url));
  return { ...at, server };
}

test('a release is fetched, kept as the tool cache keeps tools, and run', async (t) => {
  const at = await offered(t);
  const { env } = machine(t, { INPUT_COMMAND: 'verify', 'INPUT_GITHUB-TOKEN': 'abc', FAKE_EXIT: '3' });
  const end = await step(at, 'main.js', env);
  assert.equal(end.code, 3, end.text);
  assert.match(end.text, /^hallmark action main$/m);
  assert.match(end.text, /^env INPUT_GITHUB-TOKEN=abc$/m);
  assert.equal(values(env.GITHUB_OUTPUT).verdict, 'pass');

  const kept = path.join(env.RUNNER_TOOL_CACHE, 'hallmark/1.2.3', process.arch);
  assert.deepEqual(fs.readdirSync(path.dirname(kept)).sort(), [process.arch, process.arch + '.complete']);
  assert.deepEqual(fs.readdirSync(kept), ['hallmark']);
  assert.equal(fs.statSync(path.join(kept, 'hallmark')).mode & 0o777, 0o755);
  assert.equal(fs.statSync(kept + '.complete').size, 0);

  const again = await step(at, 'main.js', { ...env, FAKE_EXIT: '0' });
  assert.equal(again.code, 0, again.text);
  assert.equal(at.server.asked.length, 1, 'a warm tool cache asks nobody');
});

test('a program in the tool cache that was changed is fetched again', async (t) => {
  const at = await offered(t);
  const { env } = machine(t);
  await step(at, 'main.js', env);
  const kept = path.join(env.RUNNER_TOOL_CACHE, 'hallmark/1.2.3', process.arch, 'hallmark');
  fs.appendFileSync(kept, 'echo stolen\n');
  const end = await step(at, 'main.js', env);
  assert.equal(end.code, 0, end.text);
  assert.match(end.text, /deleted, and fetched again/);
  assert.equal(sha256(fs.readFileSync(kept)), sha256(program));
  assert.equal(at.server.asked.length, 2);
});

test('without its marker a folder of the tool cache is not taken', async (t) => {
  const at = await offered(t);
  const { env } = machine(t);
  const kept = path.join(env.RUNNER_TOOL_CACHE, 'hallmark/1.2.3', process.arch);
  fs.mkdirSync(kept, { recursive: true });
  fs.writeFileSync(path.join(kept, 'hallmark'), 'half a file');
  const end = await step(at, 'main.js', env);
  assert.equal(end.code, 0, end.text);
  assert.equal(at.server.asked.length, 1);
});

test('what was served with another checksum is deleted and not run', async (t) => {
  const other = zlib.gzipSync(Buffer.from('#!/bin/sh\necho stolen\n'));
  const at = await offered(t, (_, response) => response.end(other));
  const { env } = machine(t);
  const end = await step(at, 'main.js', env);
  assert.equal(end.code, 3, end.text);
  assert.match(end.text, /^::error title=Hallmark::.*sha256:[0-9a-f]{64}.*sha256:[0-9a-f]{64}/m);
  assert.match(end.text, new RegExp(sha256(program)));
  assert.match(end.text, new RegExp(sha256(Buffer.from('#!/bin/sh\necho stolen\n'))));
  assert.doesNotMatch(end.text, /^stolen/m);
  assert.equal(at.server.asked.length, 1, 'another attempt would bring the same');
  assert.equal(values(env.GITHUB_OUTPUT).verdict, 'inconclusive');
  assert.deepEqual(left(env), []);
});

// left are the files of the tool cache.
function left(env) {
  return fs.readdirSync(env.RUNNER_TOOL_CACHE, { recursive: true, withFileTypes: true }).filter((e) => e.isFile()).map((e) => e.name);
}

test('two jobs that fetch at the same time both run', async (t) => {
  const at = await offered(t);
  const { env } = machine(t);
  const ends = await Promise.all([1, 2, 3].map(() => step(at, 'main.js', env)));
  for (const end of ends) assert.equal(end.code, 0, end.text);
  assert.deepEqual(left(env).sort(), ['hallmark', process.arch + '.complete']);
});

test('a tool cache that cannot be written to is gone round', { skip: process.getuid() !== 0 && 'needs root to become somebody else' }, async (t) => {
  const at = await offered(t);
  const { env } = machine(t, { INPUT_COMMAND: 'verify' });
  fs.chmodSync(env.RUNNER_TOOL_CACHE, 0o555);
  const end = await step(at, 'main.js', env, { uid: 65534, gid: 65534 });
  assert.equal(end.code, 0, end.text);
  assert.deepEqual(left(env), []);
  assert.ok(fs.existsSync(path.join(env.RUNNER_TEMP, 'hallmark-tools/hallmark/1.2.3', process.arch, 'hallmark')));
});

test('a mirror serves the same file, and its token stays with it', async (t) => {
  const store = await serve(t, (_, response) => response.end(at.asset));
  const at = checkout(t, { program });
  const mirror = await serve(t, (request, response) => response.writeHead(302, { Location: store.url + '/object?signed' }).end());
  const { env } = machine(t, { INPUT_MIRROR: mirror.url + '/files/', 'INPUT_MIRROR-TOKEN': 'mirrored' });
  const end = await step(at, 'main.js', env);
  assert.equal(end.code, 0, end.text);
  assert.equal(mirror.asked[0].url, '/files' + at.path);
  assert.equal(mirror.asked[0].headers.authorization, 'Bearer mirrored');
  assert.equal(store.asked[0].headers.authorization, undefined);
  assert.match(end.text, /^::add-mask::mirrored$/m);
  assert.equal(end.text.match(/mirrored/g).length, 1, 'the token is in the mask alone, and not in the program\'s environment');
});

test('a file on the runner must have the checksum of the release', async (t) => {
  const at = checkout(t, { program });
  const { env } = machine(t, { INPUT_BINARY: 'tools/hallmark.gz' });
  fs.mkdirSync(path.join(env.GITHUB_WORKSPACE, 'tools'));
  const file = path.join(env.GITHUB_WORKSPACE, 'tools/hallmark.gz');
  fs.writeFileSync(file, at.asset);
  const good = await step(at, 'main.js', env);
  assert.equal(good.code, 0, good.text);
  assert.match(good.text, /^hallmark action main$/m);

  const other = Buffer.from('#!/bin/sh\necho another "$@"\n');
  fs.writeFileSync(file, zlib.gzipSync(other));
  const bad = await step(at, 'main.js', env);
  assert.equal(bad.code, 2, bad.text);
  assert.doesNotMatch(bad.text, /^another/m);
  assert.match(bad.text, new RegExp(sha256(other)));
  assert.match(bad.text, new RegExp(sha256(program)));

  const meant = await step(at, 'main.js', { ...env, INPUT_SHA256: sha256(other) });
  assert.equal(meant.code, 0, meant.text);
  assert.match(meant.text, /^another action main$/m);

  const missing = await step(at, 'main.js', { ...env, INPUT_BINARY: 'tools/none' });
  assert.equal(missing.code, 2);
  assert.match(missing.text, /which is no file on this runner/);
});

test('a commit that is no release says so, and wants Go or a file', async (t) => {
  const at = checkout(t);
  for (const name of ['cmd', 'pipeline', 'policies']) fs.mkdirSync(path.join(at.top, name));
  for (const name of ['go.mod', 'go.sum', 'cmd/main.go']) fs.writeFileSync(path.join(at.top, name), '');
  const { env, root } = machine(t);
  const bare = path.join(root, 'bare');
  fs.mkdirSync(bare);
  const end = await step(at, 'main.js', { ...env, PATH: bare });
  assert.equal(end.code, 2, end.text);
  assert.match(end.text, /no release, and there is no Go on PATH/);

  // A compiler that notes what it may see, and makes the fake.
  fs.writeFileSync(path.join(root, 'program'), program);
  fs.writeFileSync(path.join(bare, 'go'), `#!/bin/sh
env >${root}/seen
while [ "$1" != -o ]; do shift; done
cp ${root}/program "$2" && chmod 755 "$2"
`, { mode: 0o755 });
  const withGo = { ...env, PATH: bare + ':' + env.PATH, 'INPUT_GITHUB-TOKEN': 'secret', GH_TOKEN: 'secret', DB_PASSWORD: 'secret', DEPLOY_KEY: 'secret', PGPASS: 'secret', HTTPS_PROXY: '' };
  const built = await step(at, 'main.js', withGo);
  assert.equal(built.code, 0, built.text);
  assert.match(built.text, /::notice title=Hallmark::This commit of the action is no release/);
  assert.match(built.text, /^hallmark action main$/m);
  const seen = fs.readFileSync(path.join(root, 'seen'), 'utf8');
  assert.doesNotMatch(seen, /secret/);
  assert.match(seen, new RegExp(`^HOME=${env.HOME}$`, 'm'));

  // Changed since, or with a record that others may write: it is built again, not run.
  const [record] = fs.readdirSync(env.RUNNER_TOOL_CACHE, { recursive: true }).filter((name) => name.endsWith('.sha256'));
  const sum = path.join(env.RUNNER_TOOL_CACHE, record);
  for (const spoil of [() => fs.appendFileSync(sum.replace('.sha256', ''), 'echo stolen\n'), () => fs.chmodSync(sum, 0o666), () => fs.rmSync(sum)]) {
    spoil();
    const again = await step(at, 'main.js', withGo);
    assert.equal(again.code, 0, again.text);
    assert.match(again.text, /deleted, and built again[^]*::notice/);
    assert.doesNotMatch(again.text, /stolen/);
  }

  // The runtime that a build leaves is no other source.
  fs.mkdirSync(path.join(at.top, 'pipeline/engine/runtime/amd64'), { recursive: true });
  fs.writeFileSync(path.join(at.top, 'pipeline/engine/runtime/amd64/runc.gz'), 'made by the build');

  fs.rmSync(path.join(bare, 'go'));
  const kept = await step(at, 'main.js', withGo);
  assert.equal(kept.code, 0, kept.text);
  assert.doesNotMatch(kept.text, /::notice/);

  fs.writeFileSync(path.join(at.top, 'cmd/main.go'), 'package main');
  fs.writeFileSync(path.join(bare, 'go'), '#!/bin/sh\nexit 1\n', { mode: 0o755 });
  const changed = await step(at, 'main.js', withGo);
  assert.equal(changed.code, 3, changed.text);
  assert.match(changed.text, /building Hallmark from source with .*exit code 1/);
});

test('inputs that cannot be meant are refused before anything is fetched', async (t) => {
  const at = checkout(t, { program });
  for (const [inputs, said] of [
    [{ INPUT_SUDO: 'yes' }, /it must be auto, true or false/],
    [{ INPUT_BINARY: 'a', INPUT_MIRROR: 'https://mirror.example' }, /exclude each other/],
    [{ INPUT_MIRROR: 'mirror.example' }, /is no URL/],
    [{ INPUT_MIRROR: 'file:///srv' }, /https or http URL/],
    [{ INPUT_MIRROR: 'https://me:secret@mirror.example' }, /mirror-token/],
    [{ INPUT_MIRROR: 'https://mirror.example/?a=b' }, /query/],
    [{ INPUT_SHA256: 'abc', INPUT_BINARY: 'a' }, /64 hexadecimal digits/],
    [{ INPUT_SHA256: 'a'.repeat(64) }, /goes with the input binary/],
    [{ 'INPUT_MIRROR-TOKEN': 'secret' }, /goes with the input mirror/],
    [{ INPUT_MIRROR: 'http://mirror.example', 'INPUT_MIRROR-TOKEN': 'secret' }, /use https/],
    [{ INPUT_MIRROR: 'http://127.evil.example', 'INPUT_MIRROR-TOKEN': 'secret' }, /use https/],
  ]) {
    const { env } = machine(t, inputs);
    const end = await step(at, 'main.js', env);
    assert.equal(end.code, 2, end.text);
    assert.match(end.text, said);
    assert.doesNotMatch(end.text, /secret/);
    const out = values(env.GITHUB_OUTPUT);
    assert.equal(out.verdict, 'usage');
    assert.equal(out.promoted, 'false');
    assert.match(out.summary, said);
  }
});

test('what a server says is no command of the runner', async (t) => {
  const at = checkout(t, { program });
  const server = await serve(t, (_, response) => response.writeHead(403, '::add-path::/evil ##[add-path]/evil').end());
  const { env } = machine(t, { INPUT_MIRROR: server.url });
  const end = await step(at, 'main.js', env);
  assert.equal(end.code, 3, end.text);
  assert.match(end.text, /answered 403/);
  for (const line of end.text.split('\n')) {
    assert.doesNotMatch(line, /^\s*::add-path|##\[/);
    if (!line.startsWith('::')) assert.doesNotMatch(line, /::/);
  }
  assert.equal(require('../runner').harmless('a\n::set-env::b\r##[x]'), 'a : :set-env: :b ## [x]');
});

test('post runs the same program, and nothing where main had none', async (t) => {
  const at = await offered(t);
  const { env } = machine(t);
  const before = await step(at, 'post.js', env);
  assert.deepEqual([before.code, before.text], [0, '']);
  await step(at, 'main.js', env);
  const after = await step(at, 'post.js', { ...env, ...state(env), FAKE_EXIT: '1' });
  assert.equal(after.code, 1);
  assert.match(after.text, /^hallmark action post$/m);

  const kept = path.join(env.RUNNER_TOOL_CACHE, 'hallmark/1.2.3', process.arch, 'hallmark');
  fs.appendFileSync(kept, 'echo stolen\n');
  const changed = await step(at, 'post.js', { ...env, ...state(env) });
  assert.equal(changed.code, 3);
  assert.match(changed.text, /a later step of the job has replaced it/);
});

test('a warm tool cache is enough; how long it takes is told, and judged by nobody', async (t) => {
  const heavy = fake(92 << 20);
  const at = checkout(t, { program: heavy });
  const { env } = machine(t);
  const kept = path.join(env.RUNNER_TOOL_CACHE, 'hallmark/1.2.3', process.arch);
  fs.mkdirSync(kept, { recursive: true });
  fs.writeFileSync(path.join(kept, 'hallmark'), heavy, { mode: 0o755 });
  fs.writeFileSync(kept + '.complete', '');
  const took = [];
  for (let i = 0; i < 5; i++) {
    const end = await step(at, 'main.js', env);
    assert.equal(end.code, 0, end.text.slice(0, 2000));
    took.push(Math.round(end.first));
  }
  t.diagnostic(`from the start of Node to the program's first line: ${took.join(', ')} ms`);
  assert.ok(took.every((ms) => ms > 0), 'the program has said nothing');
});
