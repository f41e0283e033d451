'use strict';

const assert = require('node:assert/strict');
const fs = require('node:fs');
const path = require('node:path');
const test = require('node:test');

const leftover = require('../leftover');
const sudo = require('../sudo');
const { serve, fake, checkout, machine, values, step, state } = require('./helpers');

const posix = { skip: process.platform === 'win32' && 'Windows has no such signals' };
const asRoot = { skip: process.getuid?.() !== 0 && 'needs root to become somebody else' };

// cached is a machine whose tool cache holds the program already.
function cached(t, more) {
  const program = fake();
  const at = checkout(t, { program });
  const { env, root } = machine(t, more);
  const kept = path.join(env.RUNNER_TOOL_CACHE, 'hallmark/1.2.3', process.arch);
  fs.mkdirSync(kept, { recursive: true });
  fs.writeFileSync(path.join(kept, 'hallmark'), program, { mode: 0o755 });
  fs.writeFileSync(kept + '.complete', '');
  return { at, env, root };
}

for (const [signal, code] of [['SIGINT', 130], ['SIGTERM', 143]]) {
  test(`${signal} reaches the program once, and its exit code is the step's`, posix, async (t) => {
    const { at, env } = cached(t, { FAKE_WAIT: '1' });
    let sent = false;
    const end = await step(at, 'main.js', env, {
      seen: (text, running) => {
        if (!sent && /^waiting$/m.test(text)) sent = running.kill(signal);
      },
    });
    assert.equal(end.code, code, end.text);
    assert.equal(end.text.match(/^took /gm).length, 1, end.text);
  });
}

test('what a terminal sends to the whole group reaches the program once', posix, async (t) => {
  const { at, env } = cached(t, { FAKE_WAIT: '1' });
  let sent = false;
  const end = await step(at, 'main.js', env, {
    detached: true,
    seen: (text, running) => {
      if (!sent && /^waiting$/m.test(text)) sent = process.kill(-running.pid, 'SIGINT');
    },
  });
  assert.equal(end.code, 130);
  assert.equal(end.text.match(/^took SIGINT/gm).length, 1, end.text);
});

test('a program that a signal ended gives the code that shells give', posix, async (t) => {
  const { at, env } = cached(t, { FAKE_SIGNAL: 'KILL' });
  assert.equal((await step(at, 'main.js', env)).code, 137);
});

test('a job that is cancelled while the program is fetched leaves nothing', posix, async (t) => {
  const program = fake();
  const at = checkout(t, { program });
  let running;
  const server = await serve(t, (_, response) => {
    response.write(at.asset.subarray(0, 20));
    setTimeout(() => running.kill('SIGINT'), 50);
  });
  const { env } = machine(t, { INPUT_MIRROR: server.url });
  const end = await step(at, 'main.js', env, { seen: (_, step) => (running = step) });
  assert.equal(end.code, 130, end.text);
  const left = fs.readdirSync(env.RUNNER_TOOL_CACHE, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  assert.deepEqual(left, []);
  assert.equal(values(env.GITHUB_OUTPUT).verdict, 'interrupted');
  assert.doesNotMatch(end.text, /hallmark action main|::error/);
});

test('post ends the program that a killed launcher left, before it looks after what that left', posix, async (t) => {
  const { at, env } = cached(t, { FAKE_WAIT: '1' });
  let killed = false;
  const end = await step(at, 'main.js', env, {
    stdio: ['ignore', 'pipe', 'pipe'],
    seen: (text, running) => {
      if (killed || !/^waiting$/m.test(text)) return;
      while (!values(env.GITHUB_STATE).launcher_process); // on a busy machine the program may be the faster one
      killed = running.kill('SIGKILL');
      running.stdout.destroy(); // the program holds the other end, and would keep the step open
      running.stderr.destroy();
    },
  });
  assert.equal(end.signal, 'SIGKILL');
  const [pid] = values(env.GITHUB_STATE).launcher_process.split(' ');
  process.kill(Number(pid), 0); // it is there

  const begun = Date.now();
  const after = await step(at, 'post.js', { ...env, ...state(env), FAKE_WAIT: '' });
  assert.equal(after.code, 0, after.text);
  assert.match(after.text, new RegExp(`Hallmark's process ${pid} is still there[^]*hallmark action post`));
  assert.equal(leftover.name(pid), '', 'it has ended');
  assert.ok(Date.now() - begun < 15_000);
});

test('post never ends a process that got the same number later', posix, async (t) => {
  const { at, env } = cached(t);
  await step(at, 'main.js', env);
  const after = await step(at, 'post.js', { ...env, ...state(env), STATE_launcher_process: `${process.pid} 1` });
  assert.equal(after.code, 0);
  assert.doesNotMatch(after.text, /still there/);
});

for (const [name, inputs, env, machine, want] of [
  ['a run', { command: 'run' }, {}, {}, true],
  ['a build', { command: 'build' }, {}, {}, true],
  ['a check that builds', { command: 'check', reference: '' }, {}, {}, true],
  ['a scan that builds', { command: 'scan' }, {}, {}, true],
  ['a check of an image that is there', { command: 'check', reference: 'ghcr.io/o/app' }, {}, {}, false],
  ['a verification', { command: 'verify' }, {}, {}, false],
  ['a run of root', { command: 'run' }, {}, { uid: 0 }, false],
  ['a run on macOS', { command: 'run' }, {}, { system: 'darwin' }, false],
  ['a run on Windows', { command: 'run' }, {}, { system: 'win32', uid: -1 }, false],
  ['a run with a BuildKit elsewhere', { command: 'run' }, { BUILDKIT_HOST: 'tcp://b' }, {}, false],
  ['a run without a sudo that works', { command: 'run' }, {}, { can: () => false }, false],
  ['a run that is told not to', { command: 'run', sudo: 'false' }, {}, {}, false],
  ['a verification that is told to', { command: 'verify', sudo: 'true' }, {}, {}, true],
]) {
  test(`${name} ${want ? 'uses' : 'does not use'} sudo`, () => {
    assert.equal(sudo.needed({ sudo: 'auto', ...inputs }, env, { system: 'linux', uid: 1001, can: () => true, ...machine }), want);
  });
}

test('sudo that was asked for and does not work is an error', () => {
  assert.throws(() => sudo.needed({ sudo: 'true' }, {}, { system: 'linux', uid: 1001, can: () => false }), /asks for a password/);
  assert.throws(() => sudo.needed({ sudo: 'true' }, {}, { system: 'win32', uid: -1 }), /Windows has none/);
});

// A sudo that checks what it is given, keeps what it may keep as the real one does, and notes its arguments.
const fakeSudo = `#!/bin/sh
printf '%s\\n' "$*" >>"$FAKE_SUDO_LOG"
[ "$1" = -n ] || exit 9
shift
case $1 in --preserve-env=*) shift ;; esac
[ "$1" = -- ] || exit 9
shift
[ -z "$FAKE_SUDO_REFUSES" ] || { echo "sudo: a password is required" >&2; exit 1; }
exec "$@"
`;

test('under sudo no value stands in the arguments, and files of root are kept apart', asRoot, async (t) => {
  const { at, env, root } = cached(t, { INPUT_COMMAND: 'run', SECRET: 'hidden', 'INPUT_GITHUB-TOKEN': 'hidden' });
  fs.mkdirSync(path.join(root, 'bin'));
  fs.writeFileSync(path.join(root, 'bin/sudo'), fakeSudo, { mode: 0o755 });
  env.FAKE_SUDO_LOG = path.join(root, 'sudo.log');
  env.PATH = path.join(root, 'bin') + ':' + env.PATH;
  const end = await step(at, 'main.js', env, { uid: 65534, gid: 65534 });
  assert.equal(end.code, 0, end.text);
  const log = fs.readFileSync(env.FAKE_SUDO_LOG, 'utf8');
  assert.match(log, /--preserve-env=\S*\bSECRET\b/);
  assert.match(log, /--preserve-env=\S*INPUT_GITHUB-TOKEN/);
  assert.match(log, new RegExp(`-- env PATH=${env.PATH} .*hallmark action main`));
  assert.doesNotMatch(log, /hidden/);
  assert.match(end.text, /^env HALLMARK_ACTION_SUDO=true$/m);
  assert.match(end.text, new RegExp(`^env HALLMARK_HOME=${env.HOME}/.local/share/hallmark-root$`, 'm'));
  assert.equal(values(env.GITHUB_STATE).launcher_sudo, 'true');

  const post = await step(at, 'post.js', { ...env, ...state(env) }, { uid: 65534, gid: 65534 });
  assert.match(post.text, /^hallmark action post$/m);
  assert.match(fs.readFileSync(env.FAKE_SUDO_LOG, 'utf8'), /hallmark action post/);

  // What main could not hand back, post does, even where it cannot run the program any more.
  const file = path.join(env.GITHUB_WORKSPACE, 'left.html');
  fs.writeFileSync(file, '');
  const broken = await step(at, 'post.js', { ...env, ...state(env), STATE_launcher_sha256: 'other', INPUT_REPORT: 'left.html' }, { uid: 65534, gid: 65534 });
  assert.equal(broken.code, 3, broken.text);
  assert.match(fs.readFileSync(env.FAKE_SUDO_LOG, 'utf8'), /-- chown -R -P -h 65534:65534 -- \S*left\.html/);

  const refused = await step(at, 'main.js', { ...env, FAKE_SUDO_REFUSES: '1' }, { uid: 65534, gid: 65534 });
  assert.equal(refused.code, 0, refused.text);
  assert.doesNotMatch(refused.text, /HALLMARK_ACTION_SUDO/);
});

// In a mount namespace of the test's own, somebody who may become root without a password, as on GitHub's machines.
const sudoer = ['unshare', '--mount', 'sh', '-euc', `mount -t tmpfs -o mode=755 none /etc/sudoers.d
printf 'nobody ALL=(ALL) NOPASSWD: ALL\\nDefaults use_pty\\n' >/etc/sudoers.d/tests
chmod 440 /etc/sudoers.d/tests
exec setpriv --reuid 65534 --regid 65534 --clear-groups -- "$@"`, 'sh', 'env', 'INPUT_GITHUB-TOKEN=hidden, with=signs']; // that name the shell drops
const real = fs.existsSync('/usr/bin/sudo') ? asRoot : { skip: 'there is no sudo' };

test('the real sudo keeps the environment, passes each signal once, and lets post end what was left', real, async (t) => {
  const secret = 'hidden, with=signs';
  const { at, env } = cached(t, { INPUT_COMMAND: 'run', SECRET: secret, INPUT_REPORT: 'out/report.html' });
  const run = await step(at, 'main.js', env, { prefix: sudoer });
  assert.equal(run.code, 0, run.text);
  for (const line of [`SECRET=${secret}`, `INPUT_GITHUB-TOKEN=${secret}`, `HOME=${env.HOME}`, `PATH=${env.PATH}`, 'HALLMARK_ACTION_SUDO=true']) {
    assert.ok(run.text.includes(`\nenv ${line}\n`), `${line} in ${run.text}`);
  }
  for (const file of ['out', 'out/report.html']) assert.equal(fs.statSync(path.join(env.GITHUB_WORKSPACE, file)).uid, 65534, file);
  assert.equal(fs.statSync(path.join(env.RUNNER_TEMP, 'hallmark/run/report.html')).uid, 65534);
  for (const [signal, code] of [['SIGINT', 130], ['SIGTERM', 143]]) {
    let sent = false;
    const seen = (text, running) => {
      if (!sent && /^waiting$/m.test(text)) sent = running.kill(signal);
    };
    const end = await step(at, 'main.js', { ...env, FAKE_WAIT: '1' }, { prefix: sudoer, seen });
    assert.equal(end.code, code, end.text);
    assert.equal(end.text.match(/^took /gm).length, 1, end.text);
  }

  fs.writeFileSync(env.GITHUB_STATE, '');
  let killed = false;
  await step(at, 'main.js', { ...env, FAKE_WAIT: '1' }, {
    prefix: sudoer,
    seen: (text, running) => {
      if (killed || !/^waiting$/m.test(text)) return;
      while (!values(env.GITHUB_STATE).launcher_process);
      killed = running.kill('SIGKILL');
      running.stdout.destroy();
      running.stderr.destroy();
    },
  });
  const post = await step(at, 'post.js', { ...env, ...state(env) }, { prefix: sudoer });
  assert.equal(post.code, 0, post.text);
  assert.match(post.text, /is still there[^]*^hallmark action post$/m);
  assert.equal(leftover.name(values(env.GITHUB_STATE).launcher_process.split(' ')[0]), '');
});
