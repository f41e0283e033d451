'use strict';

// A job that is cancelled gives its step ten seconds; then this launcher is killed, and the program, which may still be
// taking its cluster down, is left behind (under sudo the runner may not even signal it). The post step ends it first.

const child = require('node:child_process');
const fs = require('node:fs');
const timers = require('node:timers/promises');

const grace = 20_000;

// name identifies a process beyond its number, which is given to others later: by the time that it was started. Systems
// without /proc have no leftover that the runner itself cannot end.
function name(pid) {
  const at = startOf(pid);
  return at ? `${pid} ${at}` : '';
}

function startOf(pid) {
  try {
    const stat = fs.readFileSync(`/proc/${pid}/stat`, 'utf8');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' '); // the name before may hold anything
    return fields[0] === 'Z' ? '' : fields[19];
  } catch {
    return '';
  }
}

// end asks the process to end, waits, and ends it.
async function end(named, { root, env, say, within = grace }) {
  const [pid, at] = (named || '').split(' ');
  const alive = () => at && startOf(pid) === at;
  if (!alive()) return;
  say(`Hallmark's process ${pid} is still there: it is asked to end`);
  const send = (signal) => {
    if (root) child.spawnSync('sudo', ['-n', '--', 'kill', '-s', signal.slice(3), pid], { env, stdio: 'ignore', timeout: 10_000 });
    else if (alive()) process.kill(Number(pid), signal);
  };
  send('SIGTERM');
  for (const until = Date.now() + within; Date.now() < until; await timers.setTimeout(100)) if (!alive()) return;
  say(`it has not ended within ${within / 1000} s, and is killed`);
  send('SIGKILL');
}

module.exports = { name, end };
