'use strict';

const crypto = require('node:crypto');
const fs = require('node:fs');

// ofFile reads in large pieces and without a stream: every step of a job waits for this.
function ofFile(file) {
  const sum = crypto.createHash('sha256');
  const handle = fs.openSync(file, 'r');
  try {
    const piece = Buffer.allocUnsafe(4 << 20);
    for (let n; (n = fs.readSync(handle, piece)) > 0; ) sum.update(piece.subarray(0, n));
  } finally {
    fs.closeSync(handle);
  }
  return sum.digest('hex');
}

module.exports = { ofFile };
