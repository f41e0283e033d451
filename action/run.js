'use strict';

const child = require('node:child_process');
const os = require('node:os');

const sudo = require('./sudo');

// What the runner sends when a job is cancelled: SIGINT, 7.5 s later SIGTERM, 2.5 s later the end.
const signals = ['SIGINT', 'SIGTERM'];

// run starts the program with this process's streams, passes signals on, and resolves with its exit code.
function run(file, args, { env, root, system = process.platform, started = () => {} }) {
  const [command, line] = root ? sudo.wrap(file, args, env) : [file, args];
  return new Promise((resolve, reject) => {
    // A group of its own: what a terminal sends to all of its processes would otherwise arrive twice, and the second
    // SIGINT ends the program where it stands. sudo, besides, passes on no signal that its own group sent.
    // Windows sends Ctrl-C to all processes of a console by itself, and its kill gives no time to take anything down.
    const windows = system === 'win32';
    const program = child.spawn(command, line, { env, stdio: 'inherit', detached: !windows });
    const pass = (signal) => {
      if (windows) return;
      if (root) child.spawn('sudo', ['-n', '--', 'kill', '-s', signal.slice(3), String(program.pid)], { env, stdio: 'ignore', detached: true }).on('error', () => {});
      else program.kill(signal);
    };
    for (const signal of signals) process.on(signal, pass);
    const over = () => signals.forEach((signal) => process.removeListener(signal, pass));
    if (program.pid) started(program.pid);
    program.on('error', (cause) => {
      over();
      reject(cause);
    });
    program.on('close', (code, signal) => {
      over();
      resolve(signal ? 128 + os.constants.signals[signal] : code);
    });
  });
}

module.exports = { run };
