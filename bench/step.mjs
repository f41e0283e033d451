// How long it takes from the start of the action's step to the program's first line, with a warm tool cache.
//
//   node bench/step.mjs [PROGRAM] [ROUNDS]     bin/hallmark and 21, if not said
//
// The step is what the runner starts: node on action/main.js, of a copy of the action that is a release of the program. The
// step verifies a reference in a registry that is not there: its first line is the program's own, not the launcher's.
import { spawn } from 'node:child_process';
import crypto from 'node:crypto';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';

const top = path.resolve(import.meta.dirname ?? path.dirname(new URL(import.meta.url).pathname), '..');
const program = path.resolve(process.argv[2] ?? path.join(top, 'bin/hallmark'));
const rounds = Number(process.argv[3] ?? 21);
const version = '0.0.1';

const room = fs.mkdtempSync(path.join(os.tmpdir(), 'hallmark-step-'));
process.on('exit', () => fs.rmSync(room, { recursive: true, force: true }));
fs.cpSync(path.join(top, 'action'), path.join(room, 'action'), { recursive: true });
fs.copyFileSync(path.join(top, 'action.yml'), path.join(room, 'action.yml'));
const body = fs.readFileSync(program);
const arch = { x64: 'amd64', arm64: 'arm64' }[process.arch];
fs.writeFileSync(path.join(room, 'action/release.json'), JSON.stringify({
  version, base: 'http://127.0.0.1:1',
  binaries: { [`hallmark-${process.platform}-${arch}.gz`]: { sha256: crypto.createHash('sha256').update(body).digest('hex'), size: body.length } },
}));
const slot = path.join(room, 'tools/hallmark', version, process.arch);
fs.mkdirSync(slot, { recursive: true });
fs.writeFileSync(path.join(slot, 'hallmark'), body, { mode: 0o755 });
fs.writeFileSync(slot + '.complete', '');
const files = {};
for (const name of ['OUTPUT', 'STATE', 'STEP_SUMMARY']) {
  files['GITHUB_' + name] = path.join(room, name);
  fs.writeFileSync(files['GITHUB_' + name], '');
}
const work = path.join(room, 'work');
fs.mkdirSync(work);

function once() {
  return new Promise((done, failed) => {
    const began = process.hrtime.bigint();
    const step = spawn(process.execPath, [path.join(room, 'action/main.js')], {
      cwd: work, stdio: ['ignore', 'pipe', 'inherit'],
      env: {
        PATH: process.env.PATH, HOME: room, GITHUB_ACTIONS: 'true', GITHUB_WORKSPACE: work, RUNNER_TEMP: room, RUNNER_TOOL_CACHE: path.join(room, 'tools'),
        INPUT_COMMAND: 'verify', INPUT_REFERENCE: '127.0.0.1:1/spark@sha256:' + '0'.repeat(64), INPUT_SUDO: 'false', ...files,
      },
    });
    let said = '';
    let first;
    step.stdout.on('data', (text) => {
      said += text;
      first ??= said.includes('::group::verify') ? Number(process.hrtime.bigint() - began) / 1e6 : undefined;
      if (first !== undefined) step.kill('SIGKILL');
    });
    step.on('exit', () => (first === undefined ? failed(new Error('the program said nothing of its own:\n' + said)) : done(first)));
  });
}

const took = [];
await once(); // the page cache
for (let i = 0; i < rounds; i++) took.push(await once());
took.sort((a, b) => a - b);
console.log(`${rounds} steps: median ${took[rounds >> 1].toFixed(0)} ms, ${took[0].toFixed(0)} to ${took[rounds - 1].toFixed(0)} ms; a program of ${(body.length / 1e6).toFixed(0)} MB, Node ${process.version}`);
