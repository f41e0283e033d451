'use strict';

// The runner's tool cache, laid out as everybody's: TOOL/VERSION/ARCHITECTURE, and beside it ARCHITECTURE.complete once
// the folder is whole. Machine images may be made with it filled.

const crypto = require('node:crypto');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');

// A partial file that old is nobody's any more: no attempt lasts so long.
const abandoned = 6 * 60 * 60_000;

// slot is where one version of the program is, or will be.
class Slot {
  constructor(root, version, at) {
    this.folder = path.join(root, 'hallmark', version, at.node);
    this.program = path.join(this.folder, at.program);
    this.marker = this.folder + '.complete';
  }

  filled() {
    return fs.existsSync(this.marker) && fs.existsSync(this.program);
  }

  // partial is a name beside the folder, on the same disk, so that moving the file is one step.
  partial() {
    fs.mkdirSync(this.folder, { recursive: true });
    this.sweep();
    return `${this.folder}.partial-${crypto.randomUUID()}`;
  }

  // keep moves a checked file to its place. Another job may be doing the same: either's file is the right one.
  keep(file) {
    fs.renameSync(file, this.program);
    fs.writeFileSync(this.marker, '');
    return this.program;
  }

  drop() {
    fs.rmSync(this.marker, { force: true });
    fs.rmSync(this.program, { force: true });
  }

  sweep() {
    const beside = path.dirname(this.folder);
    for (const name of fs.readdirSync(beside)) {
      const file = path.join(beside, name);
      const stat = name.includes('.partial-') && fs.statSync(file, { throwIfNoEntry: false });
      if (stat && Date.now() - stat.mtimeMs > abandoned) fs.rmSync(file, { force: true });
    }
  }
}

// slot chooses the first place that can be written to, or that holds the program already: the tool cache, the runner's
// temporary folder, the machine's.
function slot(env, version, at) {
  const roots = [env.RUNNER_TOOL_CACHE, env.RUNNER_TEMP && path.join(env.RUNNER_TEMP, 'hallmark-tools')].filter(Boolean);
  for (const root of roots) {
    const one = new Slot(root, version, at);
    if (one.filled() || writable(one.folder)) return one;
  }
  return new Slot(fs.mkdtempSync(path.join(os.tmpdir(), 'hallmark-tools-')), version, at);
}

function writable(folder) {
  try {
    fs.mkdirSync(folder, { recursive: true });
    fs.accessSync(path.dirname(folder), fs.constants.W_OK);
    fs.accessSync(folder, fs.constants.W_OK);
    return true;
  } catch {
    return false;
  }
}

module.exports = { slot };
