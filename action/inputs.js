'use strict';

const { Problem, usage } = require('./problem');

// value is an input as the runner passes it: in a variable whose name keeps hyphens.
function value(env, name) {
  return (env['INPUT_' + name.toUpperCase()] || '').trim();
}

// read takes the inputs that are the launcher's; all others are the program's.
function read(env) {
  const inputs = {
    command: value(env, 'command') || 'run',
    reference: value(env, 'reference'),
    sudo: value(env, 'sudo') || 'auto',
    binary: value(env, 'binary'),
    sha256: value(env, 'sha256').toLowerCase(),
    mirror: value(env, 'mirror'),
    mirrorToken: value(env, 'mirror-token'),
  };
  if (!['auto', 'true', 'false'].includes(inputs.sudo)) {
    throw new Problem(usage, `the input sudo is ${JSON.stringify(inputs.sudo)}; it must be auto, true or false`);
  }
  if (inputs.binary && inputs.mirror) {
    throw new Problem(usage, 'the inputs binary and mirror exclude each other: give the file, or the place to fetch it from');
  }
  if (inputs.sha256 && !/^[0-9a-f]{64}$/.test(inputs.sha256)) {
    throw new Problem(usage, `the input sha256 must be 64 hexadecimal digits, not ${JSON.stringify(inputs.sha256)}`);
  }
  if (inputs.sha256 && !inputs.binary) {
    throw new Problem(usage, 'the input sha256 goes with the input binary; what is downloaded has the checksum of its release');
  }
  if (inputs.mirrorToken && !inputs.mirror) {
    throw new Problem(usage, 'the input mirror-token goes with the input mirror');
  }
  if (inputs.mirror) mirrorURL(inputs.mirror, inputs.mirrorToken);
  return inputs;
}

function mirrorURL(text, token) {
  let url;
  try {
    url = new URL(text);
  } catch {
    throw new Problem(usage, `the input mirror is no URL: ${JSON.stringify(text)}`);
  }
  if (url.protocol !== 'https:' && url.protocol !== 'http:') {
    throw new Problem(usage, `the input mirror begins with ${url.protocol}//; it must be an https or http URL. For a file on the runner there is the input binary`);
  }
  if (token && url.protocol === 'http:' && !loopback(url.hostname)) {
    throw new Problem(usage, 'the input mirror is an http URL, on which everybody on the way could read mirror-token: use https');
  }
  if (url.username || url.password) {
    throw new Problem(usage, 'the input mirror holds a user name or a password, which logs would show: give a token as mirror-token');
  }
  if (url.search || url.hash) {
    throw new Problem(usage, 'the input mirror ends in a query or a fragment; it must be the URL of a folder');
  }
}

// loopback is this machine itself, by the names that resolve to nothing else.
function loopback(host) {
  return host === 'localhost' || host === '[::1]' || /^127(\.\d{1,3}){3}$/.test(host);
}

module.exports = { read, loopback };
