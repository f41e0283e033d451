'use strict';

const crypto = require('node:crypto');
const fs = require('node:fs');
const timers = require('node:timers/promises');
const zlib = require('node:zlib');
const { Transform } = require('node:stream');
const { pipeline } = require('node:stream/promises');

const { Problem, inconclusive } = require('./problem');
const { get, Failure } = require('./request');

// All in milliseconds. An attempt may take long on a slow line, but not be silent for long.
const limits = {
  attempts: 4,
  connect: 20_000, // until the answer begins
  idle: 30_000, // without a single byte
  attempt: 10 * 60_000,
  pause: 1_000, // before the second attempt; doubled each time
  longestPause: 30_000, // more than a server may ask for
};

// unpack writes what from yields, decompressed, to a new file, and returns its checksum. It stops at the first byte too
// many: nothing is known of the data yet.
async function unpack(from, to, { compressed, size, signal }) {
  const sum = crypto.createHash('sha256');
  let length = 0;
  const measured = new Transform({
    transform(chunk, _, done) {
      length += chunk.length;
      sum.update(chunk);
      if (size && length > size) return done(new Failure(`it is larger than the ${size} bytes of the release's file`));
      done(null, chunk);
    },
  });
  const steps = [from, ...(compressed ? [zlib.createGunzip()] : []), measured, fs.createWriteStream(to, { flags: 'wx', mode: 0o755 })];
  await pipeline(...steps, { signal });
  return sum.digest('hex');
}

// download fetches the program into a new file at to, with retries, and checks it. Of a failed attempt nothing is left.
async function download(url, to, { token, sha256, size, env, signal, say, within = limits }) {
  let pause = within.pause;
  for (let attempt = 1; ; attempt++) {
    const begun = Date.now();
    try {
      const found = await once(url, to, { token, size, env, signal, within });
      if (found !== sha256) throw wrong(url, found, sha256);
      return { took: Date.now() - begun };
    } catch (cause) {
      fs.rmSync(to, { force: true });
      if (signal?.aborted || cause instanceof Problem) throw cause;
      if (!(cause instanceof Failure) || !cause.retry || attempt === within.attempts) {
        throw new Problem(inconclusive, `downloading ${url.href}: ${cause.message}` + tries(attempt) + remedy(cause));
      }
      const wait = Math.min(Math.max(pause, cause.wait), within.longestPause);
      say(`${cause.message}; attempt ${attempt + 1} of ${within.attempts} in ${(wait / 1000).toFixed(1)} s`);
      await timers.setTimeout(wait * (1 + Math.random() / 4), undefined, { signal });
      pause *= 2;
    }
  }
}

async function once(url, to, { token, size, env, signal, within }) {
  const over = new AbortController();
  const stop = () => over.abort();
  let late = false;
  const timer = setTimeout(() => stop((late = true)), within.attempt);
  signal?.addEventListener('abort', stop);
  try {
    const answer = await get(url, { token, env, signal: over.signal, connect: within.connect, idle: within.idle });
    return await unpack(answer, to, { compressed: url.pathname.endsWith('.gz'), size, signal: over.signal });
  } catch (cause) {
    if (cause instanceof Failure || signal?.aborted) throw cause;
    if (late) throw new Failure(`it was not there after ${within.attempt / 1000} s`, { retry: true });
    if (cause.code === 'Z_DATA_ERROR') throw new Failure('what came is not compressed as the release is'); // an error page, most often
    if (['ENOSPC', 'EDQUOT', 'ENOENT', 'EACCES', 'EROFS', 'EIO'].includes(cause.code)) throw new Failure(`writing ${to}: ${cause.message}`);
    throw new Failure(`the transfer broke off: ${cause.message}`, { retry: true });
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener('abort', stop);
  }
}

function wrong(what, found, expected) {
  return new Problem(
    inconclusive,
    `${what} has the checksum sha256:${found}, and this commit of the action names sha256:${expected}. ` +
      'It has been deleted and was not run. A mirror may hold another release; otherwise somebody has replaced the file',
  );
}

const tries = (n) => (n > 1 ? ` (after ${n} attempts)` : '');

function remedy(cause) {
  if (cause.status === 401 || cause.status === 403) return '. The input mirror-token gives credentials for the input mirror';
  if (cause.status === 404) return '. The release or the mirror has no such file; a mirror must have the folders vVERSION';
  if (cause.status === 407) return '. The proxy wants credentials: HTTPS_PROXY=http://USER:PASSWORD@HOST:PORT';
  return cause.retry ? '. Run the job again later, or give the input mirror or binary' : '';
}

module.exports = { download, unpack, limits };
