// A reporter that writes what `go test -json` writes, so that scripts/test counts these tests with all others.
export default async function* counted(source) {
  for await (const { type, data } of source) {
    if (type !== 'test:pass' && type !== 'test:fail') continue;
    const action = data.skip !== undefined ? 'skip' : type.slice('test:'.length);
    yield `${JSON.stringify({ Action: action, Package: 'action', Test: data.name })}\n`;
  }
}
