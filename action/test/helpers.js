'use strict';

const child = require('node:child_process');
const crypto = require('node:crypto');
const fs = require('node:fs');
const http = require('node:http');
const os = require('node:os');
const path = require('node:path');
const zlib = require('node:zlib');

const top = path.resolve(__dirname, '../..');
const sha256 = (data) => crypto.createHash('sha256').update(data).digest('hex');

// folder is a temporary one that goes with the test.
function folder(t) {
  const made = fs.mkdtempSync(path.join(os.tmpdir(), 'hallmark-action-'));
  fs.chmodSync(made, 0o777); // some tests run the launcher as somebody else
  t.after(() => fs.rmSync(made, { recursive: true, force: true }));
  return made;
}

// serve is a server on this machine; handle may do to a request whatever servers do. What was asked is kept.
async function serve(t, handle, { create = http.createServer } = {}) {
  const asked = [];
  const server = create((request, response) => {
    asked.push({ method: request.method, url: request.url, headers: request.headers });
    handle(request, response, asked.length);
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  const scheme = server.setSecureContext ? 'https' : 'http';
  return { url: `${scheme}://127.0.0.1:${server.address().port}`, port: server.address().port, asked, server };
}

// fake is a program that says what it was given, and does what FAKE_* says. (Shells drop variables with hyphens in their
// names, so it looks where the kernel keeps what it was started with.) Its padding makes it as heavy as wanted.
function fake(padding = 0) {
  const script = `#!/bin/sh
echo "hallmark $*"
echo "verdict=pass" >>"$GITHUB_OUTPUT"
{ tr '\\0' '\\n' </proc/$$/environ 2>/dev/null || env; } | grep -E '^(INPUT_|HALLMARK_|HOME=|SECRET=|PATH=)' | sed 's/^/env /'
if [ -n "$INPUT_REPORT" ]; then
	mkdir -p "$RUNNER_TEMP/hallmark/run" && echo report >"$RUNNER_TEMP/hallmark/run/report.html" && echo report >"$GITHUB_WORKSPACE/$INPUT_REPORT"
	chmod 600 "$GITHUB_WORKSPACE/$INPUT_REPORT"
fi
if [ -n "$FAKE_WAIT" ]; then
	trap 'echo "took SIGINT"; [ -n "$FAKE_DEAF" ] || exit 130' INT
	trap 'echo "took SIGTERM"; [ -n "$FAKE_DEAF" ] || exit 143' TERM
	echo waiting
	i=0
	while [ $i -lt 200 ]; do sleep 0.05; i=$((i + 1)); done
fi
[ -z "$FAKE_SIGNAL" ] || kill -s "$FAKE_SIGNAL" $$
exit "\${FAKE_EXIT:-0}"
`;
  return Buffer.concat([Buffer.from(script), padding ? crypto.randomBytes(padding) : Buffer.alloc(0)]);
}

// checkout is this action as a runner lays it down, at a release of its own whose program is the given one.
function checkout(t, { program, version = '1.2.3', base = 'http://127.0.0.1:1' } = {}) {
  const at = require('../release').platform();
  const made = folder(t);
  fs.mkdirSync(path.join(made, 'action'));
  for (const name of fs.readdirSync(path.join(top, 'action'))) {
    if (name.endsWith('.js')) fs.copyFileSync(path.join(top, 'action', name), path.join(made, 'action', name));
  }
  const binaries = program ? { [at.asset]: { sha256: sha256(program), size: program.length } } : {};
  fs.writeFileSync(path.join(made, 'action/release.json'), JSON.stringify({ version: program ? version : '', base, binaries }));
  fs.chmodSync(path.join(made, 'action'), 0o755);
  return { top: made, at, asset: program && zlib.gzipSync(program), path: `/v${version}/${at.asset}` };
}

// machine is what a runner gives to a step: folders, files for commands, the environment.
function machine(t, more = {}) {
  const root = folder(t);
  const env = {
    PATH: process.env.PATH,
    HOME: path.join(root, 'home'),
    RUNNER_TEMP: path.join(root, 'temp'),
    RUNNER_TOOL_CACHE: path.join(root, 'tools'),
    GITHUB_WORKSPACE: path.join(root, 'work'),
    GITHUB_OUTPUT: path.join(root, 'output'),
    GITHUB_STATE: path.join(root, 'state'),
    ...more,
  };
  for (const name of ['HOME', 'RUNNER_TEMP', 'RUNNER_TOOL_CACHE', 'GITHUB_WORKSPACE']) fs.mkdirSync(env[name], { mode: 0o777 });
  for (const name of ['GITHUB_OUTPUT', 'GITHUB_STATE']) fs.writeFileSync(env[name], '', { mode: 0o666 });
  for (const name of ['HOME', 'RUNNER_TEMP', 'RUNNER_TOOL_CACHE', 'GITHUB_WORKSPACE', 'GITHUB_OUTPUT', 'GITHUB_STATE']) fs.chmodSync(env[name], 0o777);
  return { root, env };
}

// values reads a file of commands as the runner does.
function values(file) {
  const found = {};
  const lines = fs.readFileSync(file, 'utf8').split('\n');
  for (let i = 0; i < lines.length; i++) {
    const [, name, end] = /^([^=<]+)<<(.+)$/.exec(lines[i]) || [];
    if (!name) {
      const at = lines[i].indexOf('=');
      if (at > 0) found[lines[i].slice(0, at)] = lines[i].slice(at + 1);
      continue;
    }
    const value = [];
    while (lines[++i] !== end) {
      if (i >= lines.length) throw new Error(`the value of ${name} has no end`);
      value.push(lines[i]);
    }
    found[name] = value.join('\n');
  }
  return found;
}

// step runs one of the action's two entries as the runner does. During it, seen(text, process) is called for all output.
// prefix is a command that becomes Node.
function step(at, file, env, { seen = () => {}, prefix = [], ...options } = {}) {
  return new Promise((resolve, reject) => {
    const begun = process.hrtime.bigint();
    const [command, ...line] = [...prefix, process.execPath, path.join(at.top, 'action', file)];
    const running = child.spawn(command, line, { env, ...options });
    let text = '';
    let first = 0;
    const take = (chunk) => {
      if (!first && text.concat(chunk).includes('hallmark action')) first = Number(process.hrtime.bigint() - begun) / 1e6;
      text += chunk;
      seen(text, running);
    };
    running.stdout.on('data', take);
    running.stderr.on('data', take);
    running.on('error', reject);
    running.on('close', (code, signal) => resolve({ code, signal, text, first }));
  });
}

// state is the environment of the post step: what main wrote to its state.
function state(env) {
  return Object.fromEntries(Object.entries(values(env.GITHUB_STATE)).map(([name, value]) => ['STATE_' + name, value]));
}

module.exports = { top, sha256, folder, serve, fake, checkout, machine, values, step, state };
