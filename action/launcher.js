'use strict';

// The action's outside: it gets the program that belongs to this commit and becomes it, as far as a Node process can.
// What inputs mean, and what is told to the workflow, the program itself knows (`hallmark action`).

const path = require('node:path');

const binary = require('./binary');
const inputs = require('./inputs');
const leftover = require('./leftover');
const runner = require('./runner');
const sudo = require('./sudo');
const { Problem, usage, inconclusive, interrupted } = require('./problem');
const { run } = require('./run');

// The program gets all of the environment but this: it has no use for it.
const ours = ['INPUT_MIRROR-TOKEN'];

function environment(env, root) {
  const passed = { ...env };
  for (const name of ours) delete passed[name];
  if (root) {
    passed.HALLMARK_ACTION_SUDO = 'true';
    // What root writes in a home folder, its owner could not use or remove: it is kept apart.
    if (!env.HALLMARK_HOME) passed.HALLMARK_HOME = path.join(env.XDG_DATA_HOME || path.join(env.HOME || '/root', '.local', 'share'), 'hallmark-root');
  }
  return passed;
}

async function main(env, top, started = Date.now() - process.uptime() * 1000) {
  const given = inputs.read(env);
  if (given.mirrorToken) runner.mask(given.mirrorToken);

  // Until the program runs, a cancelled job has only files of ours to be cleaned of.
  const cancelled = new AbortController();
  const stop = () => cancelled.abort();
  process.on('SIGINT', stop).on('SIGTERM', stop);
  const program = await binary.obtain(given, { top, env, signal: cancelled.signal, ...runner });
  const root = sudo.needed(given, env);
  if (cancelled.signal.aborted) return stopped('main', env);

  runner.debug(`${program.file}: ${program.from}; started after ${Math.round(Date.now() - started)} ms${root ? ', by sudo' : ''}`);
  runner.state(env, 'launcher_binary', program.file);
  runner.state(env, 'launcher_sha256', program.sha256);
  runner.state(env, 'launcher_sudo', root);
  if (root) sudo.prepare(env);
  try {
    return await run(program.file, ['action', 'main'], {
      env: environment(env, root), root, started: (pid) => runner.state(env, 'launcher_process', leftover.name(pid)),
    });
  } finally {
    if (root) sudo.handBack(env);
  }
}

// post lets the program look after what main left. There is nothing to look after where main never ran it.
async function post(env) {
  const file = env.STATE_launcher_binary;
  if (!file) return 0;
  const root = env.STATE_launcher_sudo === 'true';
  try {
    await leftover.end(env.STATE_launcher_process, { root, env, say: runner.say });
    binary.check(file, env.STATE_launcher_sha256);
    return await run(file, ['action', 'post'], { env: environment(env, root), root });
  } finally {
    if (root) sudo.handBack(env); // a main that was killed could not
  }
}

// start runs one of the two and ends the process with its exit code, whatever else may still be open.
async function start(step, env = process.env) {
  process.exit(await outcome(step, env));
}

async function outcome(step, env) {
  try {
    return step === 'post' ? await post(env) : await main(env, path.dirname(__dirname));
  } catch (cause) {
    if (cause.name === 'AbortError') return stopped(step, env);
    const problem = cause instanceof Problem ? cause : new Problem(inconclusive, `starting Hallmark: ${cause.stack || cause}`);
    runner.error(problem.message);
    if (step === 'main') told(env, problem.code === usage ? 'usage' : 'inconclusive', problem.message);
    return problem.code;
  }
}

// stopped is the end of a job that was cancelled before the program ran.
function stopped(step, env) {
  if (step === 'main') told(env, 'interrupted', 'The job was cancelled before anything began');
  return interrupted;
}

// told are the outputs of a step whose program never ran; those that it does not name are empty.
function told(env, verdict, summary) {
  for (const [name, value] of Object.entries({ verdict, promoted: false, summary: runner.harmless(summary) })) runner.output(env, name, value);
}

module.exports = { start, main, post, environment };
