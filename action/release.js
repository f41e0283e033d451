'use strict';

// What this commit says of the program that belongs to it. A commit that is no release names no version.

const fs = require('node:fs');
const path = require('node:path');

const { Problem, usage } = require('./problem');

// Node's names for systems and processors, as the tool cache has them, to Go's, as the files have them.
const systems = { linux: 'linux', darwin: 'darwin', win32: 'windows' };
const processors = { x64: 'amd64', arm64: 'arm64' };

// platform is what of a release this machine needs.
function platform(system = process.platform, processor = process.arch) {
  const os = systems[system];
  let arch = processors[processor];
  if (system === 'win32' && processor === 'arm64') arch = 'amd64'; // Windows on ARM runs programs for the other processor
  if (!os || !arch) {
    throw new Problem(usage, `there is no Hallmark for ${system} on ${processor}; there is one for Linux, macOS and Windows on x64 and arm64`);
  }
  const suffix = os === 'windows' ? '.exe' : '';
  return { os, arch, node: processor, program: 'hallmark' + suffix, asset: `hallmark-${os}-${arch}${suffix}.gz` };
}

// read returns { version, base, sha256 } for the platform; version is empty in a commit that is no release.
function read(folder, at) {
  const file = path.join(folder, 'release.json');
  const release = JSON.parse(fs.readFileSync(file, 'utf8'));
  if (!release.version) return { version: '', base: release.base, sha256: '', size: 0 };
  const entry = release.binaries[at.asset];
  if (!entry) {
    throw new Problem(usage, `release ${release.version} has no ${at.asset}; it has ${Object.keys(release.binaries).join(', ')}`);
  }
  if (!/^[0-9a-f]{64}$/.test(entry.sha256) || !(entry.size > 0)) {
    throw new Problem(usage, `${file} has no checksum and size for ${at.asset}: this commit is damaged, pin another one`);
  }
  return { version: release.version, base: release.base, sha256: entry.sha256, size: entry.size };
}

module.exports = { platform, read };
