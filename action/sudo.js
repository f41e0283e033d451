'use strict';

// The embedded engine mounts and makes namespaces: it works as root. Runners work as somebody who may become root.

const child = require('node:child_process');

const { Problem, usage } = require('./problem');

// What builds or launches.
const rooted = ['run', 'build'];

// needed says whether the program is to run as root by sudo. can is asked only where it matters.
function needed(inputs, env, { system = process.platform, uid = process.getuid?.(), can = () => works(env) } = {}) {
  if (inputs.sudo === 'false' || uid === 0) return false;
  if (inputs.sudo === 'true') {
    if (system === 'win32') throw new Problem(usage, 'the input sudo is true, and Windows has none');
    if (!can()) throw new Problem(usage, 'the input sudo is true, but `sudo -n` with the environment kept does not work here: it asks for a password, is missing, or may not keep variables (SETENV)');
    return true;
  }
  return system === 'linux' && rooted.includes(inputs.command) && !env.BUILDKIT_HOST && can();
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

module.exports = { needed, wrap, works };
