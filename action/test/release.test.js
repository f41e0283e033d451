'use strict';

const assert = require('node:assert/strict');
const child = require('node:child_process');
const fs = require('node:fs');
const path = require('node:path');
const test = require('node:test');
const zlib = require('node:zlib');

const releases = require('../release');
const { top, folder, serve, fake, machine, step } = require('./helpers');

for (const [system, processor, asset] of [
  ['linux', 'x64', 'hallmark-linux-amd64.gz'],
  ['linux', 'arm64', 'hallmark-linux-arm64.gz'],
  ['darwin', 'arm64', 'hallmark-darwin-arm64.gz'],
  ['win32', 'x64', 'hallmark-windows-amd64.exe.gz'],
  ['win32', 'arm64', 'hallmark-windows-amd64.exe.gz'],
]) {
  test(`${system} on ${processor} takes ${asset}`, () => {
    assert.equal(releases.platform(system, processor).asset, asset);
    assert.equal(releases.platform(system, processor).program, system === 'win32' ? 'hallmark.exe' : 'hallmark');
  });
}

test('a platform without a program is named', () => {
  assert.throws(() => releases.platform('linux', 's390x'), /linux on s390x/);
  assert.throws(() => releases.platform('aix', 'x64'), /aix on x64/);
});

test('a release that lacks this platform, or its checksum, is refused', (t) => {
  const made = folder(t);
  const at = releases.platform('darwin', 'arm64');
  fs.writeFileSync(path.join(made, 'release.json'), JSON.stringify({ version: '1.0.0', binaries: { 'hallmark-linux-amd64.gz': {} } }));
  assert.throws(() => releases.read(made, at), /release 1\.0\.0 has no hallmark-darwin-arm64\.gz; it has hallmark-linux-amd64\.gz/);
  fs.writeFileSync(path.join(made, 'release.json'), JSON.stringify({ version: '1.0.0', binaries: { [at.asset]: { sha256: 'abc' } } }));
  assert.throws(() => releases.read(made, at), /no checksum and size/);
});

test('what scripts/release writes is what the launcher of that commit fetches', async (t) => {
  const repository = folder(t);
  const git = (...args) => child.execFileSync('git', args, { cwd: repository, encoding: 'utf8' }).trim();
  const release = (...args) => child.execFileSync('scripts/release', args, { cwd: repository, encoding: 'utf8', stdio: 'pipe', env: { ...process.env, RELEASE_BASE: server.url } });
  const server = await serve(t, (request, response) => response.end(fs.readFileSync(path.join(repository, 'dist', path.basename(request.url)))));
  for (const part of ['action', 'scripts', '.github']) fs.cpSync(path.join(top, part), path.join(repository, part), { recursive: true });
  fs.writeFileSync(path.join(repository, '.gitignore'), 'dist/\n');
  git('init', '--quiet');
  git('config', 'user.name', 'Tests');
  git('config', 'user.email', 'tests@example.com');
  git('add', '.');
  git('commit', '--quiet', '-m', 'before');
  fs.mkdirSync(path.join(repository, 'dist'));
  fs.writeFileSync(path.join(repository, 'dist', releases.platform().asset), zlib.gzipSync(fake()));
  fs.writeFileSync(path.join(repository, 'dist/hallmark-other-arm64.gz'), zlib.gzipSync('another'));

  // What may not be released is refused before anything is made of it: what exists, what nobody described or can verify.
  const origin = folder(t);
  git('init', '--quiet', '--bare', origin);
  git('remote', 'add', 'origin', origin);
  git('tag', 'v1.0.0');
  git('push', '--quiet', 'origin', 'v1.0.0');
  const written = (file, text) => fs.writeFileSync(path.join(repository, file), text);
  written('CHANGELOG.md', '# Changelog\n\n## 2.0.0\n\n## 1.0.0\n');
  assert.throws(() => release('check', 'v2.0.0'), /no \.github\/hallmark\.pub/);
  written('.github/hallmark.pub', 'a key');
  assert.match(release('check', 'v2.0.0'), /v2\.0\.0 can be released/);
  assert.throws(() => release('check', 'v1.0.0'), /v1\.0\.0 exists already/);
  assert.throws(() => release('check', 'v2.0'), /no version such as/);
  assert.throws(() => release('check', 'v2.0.1'), /no section '## 2\.0\.1'/);
  git('remote', 'set-url', 'origin', path.join(origin, 'gone'));
  assert.throws(() => release('check', 'v2.0.0'), /does not say whether v2\.0\.0 exists/);

  assert.throws(() => release('seal', '1.2.3'), /no version such as v1\.2\.3/);
  const bills = [releases.platform().asset, 'hallmark-other-arm64.gz'].map((asset) => asset.replace(/\.gz$/, '.cdx.json'));
  written(`dist/${bills[0]}`, '{}');
  assert.throws(() => release('seal', 'v2.0.0'), /dist holds no hallmark-other-arm64\.cdx\.json/);
  written(`dist/${bills[1]}`, '{}');
  release('seal', 'v2.0.0');
  const summed = fs.readFileSync(path.join(repository, 'dist/SHA256SUMS'), 'utf8').trim().split('\n').map((line) => line.split('  ')[1]);
  assert.deepEqual(summed.sort(), [releases.platform().asset, 'hallmark-other-arm64.gz', ...bills].sort());
  release('commit', 'v2.0.0');
  assert.equal(git('rev-parse', 'v2.0.0^{commit}'), git('rev-parse', 'HEAD'));
  const users = fs.readFileSync(path.join(repository, '.github/workflows/promote.yml'), 'utf8');
  assert.match(users, new RegExp(`uses: hallmark-ci/hallmark@${git('rev-parse', 'HEAD~1')} # v2\\.0\\.0$`, 'm'));
  assert.doesNotMatch(git('grep', '-h', 'uses: hallmark-ci', '--', '.github/workflows'), /@main/);
  assert.equal(git('diff', '--name-only', 'HEAD~1', '--', 'action'), '', 'both commits are the same action');

  const { env } = machine(t);
  const end = await step({ top: repository }, 'main.js', env);
  assert.equal(end.code, 0, end.text);
  assert.equal(server.asked[0].url, `/v2.0.0/${releases.platform().asset}`);
  assert.match(end.text, /^hallmark action main$/m);
});
