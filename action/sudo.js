'use strict';

// The embedded engine mounts and makes namespaces: it works as root. Runners work as somebody who may become root.

const child = require('node:child_process');
const fs = require('node:fs');
const path = require('node:path');

const { Problem, usage } = require('./problem');

// What builds or launches: a check or a scan, too, unless it is given an image that is there.
function rooted(inputs) {
  return ['run', 'build'].includes(inputs.command) || (['check', 'scan'].includes(inputs.command) && !inputs.reference);
}

// needed says whether the program is to run as root by sudo. can is asked only where it matters.
function needed(inputs, env, { system = process.platform, uid = process.getuid?.(), can = () => works(env) } = {}) {
  if (inputs.sudo === 'false' || uid === 0) return false;
  if (inputs.sudo === 'true') {
    if (system === 'win32') throw new Problem(usage, 'the input sudo is true, and Windows has none');
    if (!can()) throw new Problem(usage, 'the input sudo is true, but `sudo -n` with the environment kept does not work here: it asks for a password, is missing, or may not keep variables (SETENV)');
    return true;
  }
  return system === 'linux' && rooted(inputs) && !env.BUILDKIT_HOST && can();
}

// works tries what will be done: become root without a question, and keep variables.
function works(env) {
  const tried = child.spawnSync('sudo', ['-n', '--preserve-env=PATH', '--', 'true'], { env, stdio: 'ignore', timeout: 10_000 });
  return tried.status === 0;
}

// Set by sudo itself, or of no use to anybody else.
const left = /^(PATH|_|SHLVL|OLDPWD|LS_COLORS|MAIL|LOGNAME|USER|USERNAME|SUDO_.*)$/;

// wrap is the command line that runs another one as root in the same environment. Variables are kept by their names:
// values would stand in the list of processes for everyone to read. PATH alone is given as a value, as sudo puts one of
// its own in its place.
function wrap(command, args, env) {
  const names = Object.keys(env).filter((name) => !left.test(name) && !/[,=]/.test(name));
  return ['sudo', ['-n', `--preserve-env=${names.join(',')}`, '--', 'env', `PATH=${env.PATH || ''}`, command, ...args]];
}

// The files that the program writes for the user, and the folder of the reports that nobody named.
function results(env) {
  const named = ['REPORT', 'SARIF', 'SBOM', 'JUNIT'].map((name) => (env['INPUT_' + name] || '').trim()).filter(Boolean);
  const files = named.map((file) => path.resolve(env.GITHUB_WORKSPACE || '.', file));
  return { files, folders: env.RUNNER_TEMP ? [path.join(env.RUNNER_TEMP, 'hallmark')] : [] };
}

// prepare makes, as the user, the folders that root would make else.
function prepare(env) {
  const { files } = results(env);
  for (const file of files) fs.mkdirSync(path.dirname(file), { recursive: true });
}

// handBack gives the user what root has written for them: later steps read it, and the next checkout removes it. Links are
// given back themselves, never what they point to.
function handBack(env) {
  const { files, folders } = results(env);
  const there = [...files, ...folders].filter((file) => fs.existsSync(file));
  if (there.length === 0) return;
  const owner = `${process.getuid()}:${process.getgid()}`;
  child.spawnSync('sudo', ['-n', '--', 'chown', '-R', '-P', '-h', owner, '--', ...there], { env, stdio: 'ignore', timeout: 30_000 });
}

module.exports = { needed, wrap, works, prepare, handBack };
