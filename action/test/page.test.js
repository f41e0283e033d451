'use strict';

// The tables of docs/github-action.md are action.yml's own words. `HALLMARK_UPDATE=1 node --test action/test/page.test.js`
// writes them anew.

const assert = require('node:assert/strict');
const fs = require('node:fs');
const path = require('node:path');
const test = require('node:test');

const { top } = require('./helpers');

const action = fs.readFileSync(path.join(top, 'action.yml'), 'utf8');
const page = path.join(top, 'docs/github-action.md');

// read takes a section of action.yml: names, and under each its fields as plain, quoted or folded text. It knows this file's
// way of writing and refuses any other.
function read(section) {
  const entries = [];
  let inside = false;
  let folded = null;
  for (const line of action.split('\n')) {
    if (/^\S/.test(line)) {
      inside = line === section + ':';
      continue;
    }
    if (!inside || !line.trim()) continue;
    const name = /^ {2}([a-z0-9-]+):$/.exec(line);
    const field = /^ {4}([a-z]+): (.+)$/.exec(line);
    if (name) {
      entries.push({ name: name[1] });
      folded = null;
    } else if (field) {
      const [, key, value] = field;
      const entry = entries[entries.length - 1];
      folded = value === '>-' ? key : null;
      entry[key] = folded ? '' : value.replace(/^"(.*)"$/, '$1');
    } else if (folded && /^ {6}\S/.test(line)) {
      const entry = entries[entries.length - 1];
      entry[folded] = (entry[folded] + ' ' + line.trim()).trim();
    } else {
      throw new Error(`action.yml: cannot read ${JSON.stringify(line)}`);
    }
  }
  return entries;
}

const cell = (text) => text.replaceAll('|', '\\|');

function tables() {
  const inputs = read('inputs').map((i) => `| \`${i.name}\` | ${i.default ? '`' + i.default + '`' : ''} | ${cell(i.description)} |`);
  const outputs = read('outputs').map((o) => `| \`${o.name}\` | ${cell(o.description)} |`);
  return {
    inputs: ['| input | default | what it is |', '| --- | --- | --- |', ...inputs].join('\n'),
    outputs: ['| output | what it is |', '| --- | --- |', ...outputs].join('\n'),
  };
}

test('the page has all inputs and outputs, in the words of action.yml', () => {
  const before = fs.readFileSync(page, 'utf8');
  let after = before;
  for (const [name, table] of Object.entries(tables())) {
    after = after.replace(new RegExp(`(<!-- ${name} -->\\n)[^]*?(<!-- end of ${name} -->)`), (_, begin, end) => begin + table + '\n' + end);
    assert.ok(after.includes(table), `docs/github-action.md lacks the marks <!-- ${name} --> and <!-- end of ${name} -->`);
  }
  if (process.env.HALLMARK_UPDATE) return fs.writeFileSync(page, after);
  assert.equal(before, after, 'docs/github-action.md is not what action.yml says: HALLMARK_UPDATE=1 node --test action/test/page.test.js');
});

test('every input and output says what it is, and the files that are to run are there', () => {
  for (const entry of [...read('inputs'), ...read('outputs')]) assert.ok(entry.description?.length > 20, entry.name);
  for (const [, file] of action.matchAll(/^ {2}(?:main|post): (\S+)$/gm)) assert.ok(fs.existsSync(path.join(top, file)), file);
  assert.match(action, /^ {2}using: node24$/m);
});

// What the step itself decides has its default in action.yml; whatever hallmark.yaml may say has none there, which would
// stand above the file's word.
test('no input has a default that would hide what hallmark.yaml says', () => {
  const own = ['command', 'folder', 'github-token', 'sudo'];
  for (const input of read('inputs')) assert.equal(input.default !== undefined, own.includes(input.name), input.name);
});

test('the inputs that the launcher reads are all in action.yml', () => {
  const known = read('inputs').map((input) => input.name);
  const source = fs.readFileSync(path.join(top, 'action/inputs.js'), 'utf8');
  const used = [...source.matchAll(/value\(env, '([a-z0-9-]+)'\)/g)].map((match) => match[1]);
  assert.ok(used.length >= 6);
  for (const name of used) assert.ok(known.includes(name), name);
});
