'use strict';

// How an action speaks to the runner: commands on standard output, and files that the runner reads once a step has ended.

const crypto = require('node:crypto');
const fs = require('node:fs');
const os = require('node:os');

function command(name, text) {
  const escaped = (name === 'add-mask' ? String(text) : String(text).replaceAll('##[', '## [')).replaceAll('%', '%25').replaceAll('\r', '%0D').replaceAll('\n', '%0A');
  fs.writeSync(1, `::${name}::${escaped}\n`);
}

// say writes a line of the log. What servers and files say gets into it: nothing of that may be a command, which the
// runner takes from the beginning of a line, and in its older form from anywhere in it.
const say = (text) => fs.writeSync(1, harmless(text) + '\n');

function harmless(text) {
  return String(text)
    .replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029]+/g, ' ')
    .replaceAll('::', ': :')
    .replaceAll('##[', '## [');
}

const debug = (text) => command('debug', text);
const notice = (text) => command('notice title=Hallmark', text);
const error = (text) => command('error title=Hallmark', text);
const mask = (secret) => command('add-mask', secret);

// append writes one value to the file of the runner that the variable names, in the form that allows any text. Runners of
// other makers may lack the file; there is nobody to tell then.
function append(env, variable, name, value) {
  if (!env[variable]) return;
  const end = 'end-' + crypto.randomUUID();
  fs.appendFileSync(env[variable], `${name}<<${end}${os.EOL}${value}${os.EOL}${end}${os.EOL}`);
}

const output = (env, name, value) => append(env, 'GITHUB_OUTPUT', name, value);
const state = (env, name, value) => append(env, 'GITHUB_STATE', name, value);

module.exports = { harmless, say, debug, notice, error, mask, output, state };
