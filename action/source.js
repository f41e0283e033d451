'use strict';

// A commit that is no release has no program to fetch: it is built from the commit's own source, and kept by what that
// source is.

const child = require('node:child_process');
const crypto = require('node:crypto');
const fs = require('node:fs');
const path = require('node:path');

const checksum = require('./checksum');
const { Problem, usage, inconclusive } = require('./problem');
const { slot } = require('./toolcache');

const longest = 30 * 60_000; // a cold compile takes five minutes on two processors

async function obtain(top, at, { env, signal, say, notice }) {
  const state = digest(top);
  const place = slot(env, `0.0.0-source.${state.slice(0, 12)}`, at);
  const from = 'built from source, as this commit of the action is no release';
  const record = place.program + '.sha256';
  if (place.filled()) {
    const sha256 = recorded(record);
    if (sha256 && checksum.ofFile(place.program) === sha256) return { file: place.program, sha256, from };
    place.drop();
    say(`${place.program} is not known to be what was built there: deleted, and built again`);
  }

  notice('This commit of the action is no release: Hallmark is built from its source with Go, which takes minutes. Pin a release to fetch it instead.');
  const go = findGo(env);
  const clean = compileEnvironment(env);
  const options = { cwd: top, env: clean, signal };
  if (at.os === 'linux') await runtime(top, at, options, { say });
  const partial = place.partial();
  const version = `0.0.0-source.${state.slice(0, 12)}`;
  try {
    await run(go, ['build', '-trimpath', '-ldflags', `-s -w -X main.version=${version}`, '-o', partial, './cmd/hallmark'], options);
  } catch (cause) {
    fs.rmSync(partial, { force: true });
    if (signal?.aborted) throw cause;
    throw new Problem(inconclusive, `building Hallmark from source with ${go}: ${cause.message}. Pin a release of the action, or give the input binary`);
  }
  const sha256 = checksum.ofFile(partial);
  fs.rmSync(record, { force: true }); // it may be somebody else's
  fs.writeFileSync(record, sha256 + '\n', { mode: 0o644, flag: 'wx' });
  return { file: place.keep(partial), sha256, from };
}

// recorded is the checksum that a program had when it was built, if nobody but this user or root may have written it.
function recorded(file) {
  const stat = fs.lstatSync(file, { throwIfNoEntry: false });
  if (!stat?.isFile()) return '';
  if (process.platform !== 'win32' && ((stat.mode & 0o022) !== 0 || ![0, process.getuid()].includes(stat.uid))) return '';
  const text = fs.readFileSync(file, 'utf8').trim();
  return /^[0-9a-f]{64}$/.test(text) ? text : '';
}

// runtime builds the container runtime that the program embeds, where that can be done; without it the program takes the
// machine's.
async function runtime(top, at, options, { say }) {
  if (fs.existsSync(path.join(top, 'pipeline/engine/runtime', at.arch, 'runc.gz'))) return;
  try {
    await run('sh', ['pipeline/engine/runtime/build.sh'], options);
  } catch (cause) {
    if (options.signal?.aborted) throw cause;
    say(`no container runtime is embedded (${cause.message}; it needs gcc and libseccomp-dev): Hallmark takes runc from PATH`);
  }
}

// What Go, a C compiler and a shell read: where things are, and how modules are reached.
const needed = new RegExp(
  '^(' +
    [
      'PATH|PATHEXT|HOME|USERPROFILE|LOCALAPPDATA|APPDATA|PROGRAMDATA|SYSTEMROOT|SYSTEMDRIVE|WINDIR|COMSPEC|TMPDIR|TEMP|TMP|XDG_CACHE_HOME|XDG_CONFIG_HOME',
      'LANG|LC_[A-Z]+|TZ|GOROOT|GOROOT_[A-Z0-9_]+|GOPATH|GOCACHE|GOMODCACHE|GOTMPDIR|GOENV|GOPROXY|GONOPROXY|GOSUMDB|GONOSUMDB|GOPRIVATE|GOINSECURE|GOMAXPROCS',
      'CC|PKG_CONFIG|PKG_CONFIG_PATH|HTTPS?_PROXY|NO_PROXY|ALL_PROXY|SSL_CERT_FILE|SSL_CERT_DIR',
    ].join('|') +
    ')$',
  'i',
);

// compileEnvironment is what a compiler needs of the environment, and nothing else: whatever a workflow gives its steps
// may be a secret, by whatever name.
function compileEnvironment(env) {
  const kept = Object.entries(env).filter(([name]) => needed.test(name));
  return { ...Object.fromEntries(kept), CGO_ENABLED: '0', GOEXPERIMENT: 'jsonv2', GOTOOLCHAIN: 'auto', GOFLAGS: '-buildvcs=false', GOWORK: 'off' };
}

// findGo looks on PATH, then where GitHub's machines keep versions of Go. Any since 1.21 fetches the one that go.mod wants.
function findGo(env) {
  const name = process.platform === 'win32' ? 'go.exe' : 'go';
  const kept = Object.keys(env)
    .filter((key) => /^GOROOT_1_\d+_/.test(key))
    .sort((a, b) => b.localeCompare(a, 'en', { numeric: true }))
    .map((key) => path.join(env[key], 'bin'));
  const found = [...(env.PATH || env.Path || '').split(path.delimiter), ...kept].filter(Boolean).map((folder) => path.join(folder, name)).find((file) => fs.existsSync(file));
  if (found) return found;
  throw new Problem(usage, 'this commit of the action is no release, and there is no Go on PATH to build it: pin a release of the action, run actions/setup-go before it, or give the input binary');
}

function run(command, args, { cwd, env, signal }) {
  return new Promise((resolve, reject) => {
    const process = child.spawn(command, args, { cwd, env, signal, stdio: ['ignore', 'inherit', 'inherit'], timeout: longest });
    process.on('error', reject);
    process.on('close', (code, by) => (code === 0 ? resolve() : reject(new Error(by ? `ended by ${by}` : `exit code ${code}`))));
  });
}

// digest stands for everything that the program is compiled from.
function digest(top) {
  const sum = crypto.createHash('sha256');
  const visit = (file) => {
    const stat = fs.statSync(path.join(top, file));
    if (stat.isDirectory()) {
      for (const name of fs.readdirSync(path.join(top, file)).sort()) if (name !== 'testdata' && !name.startsWith('.')) visit(file + '/' + name);
      return;
    }
    // The build makes the runtime itself: with it the second step would not find what the first has built.
    if (file.endsWith('_test.go') || /^pipeline\/engine\/runtime\/[^/]+\/runc\.gz$/.test(file)) return;
    sum.update(`${file}\0${stat.size}\0`).update(fs.readFileSync(path.join(top, file)));
  };
  ['go.mod', 'go.sum', 'cmd', 'pipeline', 'policies'].forEach(visit);
  return sum.digest('hex');
}

module.exports = { obtain, digest, findGo, compileEnvironment };
