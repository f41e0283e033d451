'use strict';

// The program's own exit codes for what can stop the launcher as well.
const usage = 2;
const inconclusive = 3;
const interrupted = 130;

// Problem ends the launcher with a sentence for people: what was being done, to what, why it failed, what to do next.
class Problem extends Error {
  constructor(code, message) {
    super(message);
    this.name = 'Problem';
    this.code = code;
  }
}

module.exports = { Problem, usage, inconclusive, interrupted };
