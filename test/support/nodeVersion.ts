/**
 * Stops a run under a Node that is too old, before any test can pass there by luck: `npm test` finds the `node` in
 * `node_modules/.bin`, a bare `./node_modules/.bin/vitest` finds the machine's own.
 */
export const setup = (): void => {
  const [major = 0, minor = 0] = process.versions.node.split(".").map(Number)
  if (major > 22 || (major === 22 && minor >= 19)) return
  throw new Error(
    `Node ${process.versions.node} runs these tests, 22.19 or newer is needed: use \`npm test\` or \`npx vitest\`, ` +
      "which find the one that `npm ci` installed"
  )
}
