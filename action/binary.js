'use strict';

// Where the program comes from: a file on the runner, the tool cache, a download, or this commit's source.

const fs = require('node:fs');
const path = require('node:path');

const checksum = require('./checksum');
const releases = require('./release');
const source = require('./source');
const { download, unpack } = require('./download');
const { Problem, usage, inconclusive } = require('./problem');
const { slot } = require('./toolcache');

// obtain returns { file, sha256, from }: the program, its checksum, and a few words about where it is from.
async function obtain(inputs, { top, env, signal, say, notice, within }) {
  const at = releases.platform();
  const release = releases.read(path.join(top, 'action'), at);
  if (inputs.binary) return given(inputs, release, at, { env, signal, notice });
  if (release.version) return released(inputs, release, at, { env, signal, say, within });
  if (inputs.mirror) {
    throw new Problem(usage, 'this commit of the action is no release, so a mirror has no program for it: pin a release, or give the input binary');
  }
  return source.obtain(top, at, { env, signal, say, notice });
}

async function released(inputs, release, at, { env, signal, say, within }) {
  const place = slot(env, release.version, at);
  if (place.filled()) {
    const found = checksum.ofFile(place.program);
    if (found === release.sha256) return { file: place.program, sha256: found, from: `release ${release.version}, from the tool cache` };
    place.drop();
    say(`${place.program} has the checksum sha256:${found} and not sha256:${release.sha256}: deleted, and fetched again`);
  }
  const url = new URL(`${(inputs.mirror || release.base).replace(/\/+$/, '')}/v${release.version}/${at.asset}`);
  say(`fetching ${url.href}`);
  const partial = place.partial();
  const { took } = await download(url, partial, {
    token: inputs.mirrorToken, sha256: release.sha256, size: release.size, env, signal, say, within,
  });
  return { file: place.keep(partial), sha256: release.sha256, from: `release ${release.version}, fetched in ${(took / 1000).toFixed(1)} s` };
}

// given takes the file that a step before has laid there, or that the machine's image has.
async function given(inputs, release, at, { env, signal, notice }) {
  const file = path.resolve(env.GITHUB_WORKSPACE || '.', inputs.binary);
  if (!fs.statSync(file, { throwIfNoEntry: false })?.isFile()) {
    throw new Problem(usage, `the input binary names ${file}, which is no file on this runner`);
  }
  const expected = inputs.sha256 || release.sha256;
  let program = file;
  let found;
  if (file.endsWith('.gz')) {
    const folder = fs.mkdtempSync(path.join(env.RUNNER_TEMP || path.dirname(file), 'hallmark-'));
    program = path.join(folder, at.program);
    try {
      found = await unpack(fs.createReadStream(file), program, { compressed: true, size: inputs.sha256 ? 0 : release.size, signal });
    } catch (cause) {
      fs.rmSync(folder, { recursive: true, force: true });
      throw new Problem(inconclusive, `decompressing ${file}: ${cause.message}`);
    }
  } else {
    found = checksum.ofFile(file);
  }
  if (expected && found !== expected) {
    if (program !== file) fs.rmSync(path.dirname(program), { recursive: true, force: true });
    throw mismatch(file, found, expected, inputs.sha256);
  }
  if (!expected) notice(`${file} (sha256:${found}) is run unchecked: this commit of the action is no release, and the input sha256 is not given`);
  if (program === file) executable(file);
  return { file: program, sha256: found, from: file };
}

function mismatch(file, found, expected, bySha256) {
  if (bySha256) return new Problem(usage, `${file} has the checksum sha256:${found}, and the input sha256 is ${expected}. It was not run`);
  return new Problem(
    usage,
    `${file} has the checksum sha256:${found}, and this release's program has sha256:${expected}. It was not run. ` +
      'Lay the file of this release there, or say with the input sha256 which other one is meant',
  );
}

function executable(file) {
  if (process.platform === 'win32') return;
  try {
    fs.accessSync(file, fs.constants.X_OK);
  } catch {
    throw new Problem(usage, `${file} may not be executed: chmod +x it (artifacts lose that bit)`);
  }
}

// check is for the post step: the same program must still be there.
function check(file, sha256) {
  const found = checksum.ofFile(file);
  if (found === sha256) return;
  throw new Problem(inconclusive, `${file} has the checksum sha256:${found}, and had sha256:${sha256} when it was started: a later step of the job has replaced it. It was not run again`);
}

module.exports = { obtain, check };
