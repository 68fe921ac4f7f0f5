/** The files of a starter project: an application, a test of it, and how to run both. Pure. */

export interface Options {
  /** As npm takes one. */
  readonly name: string
  /** The version of Spindle that it is made with. */
  readonly version: string
  /** What of `effect` that takes, and the tools that were tried. */
  readonly effectRange: string
}

const manifest = ({ effectRange, name, version }: Options): string =>
  `${JSON.stringify(
    {
      name,
      version: "0.1.0",
      private: true,
      type: "module",
      scripts: {
        start: "spindle run app.ts",
        test: "node --test",
        check: "tsc"
      },
      dependencies: { effect: effectRange, spindle: `^${version}` },
      devDependencies: { "@types/node": "^26.0.0", typescript: "^7.0.0" },
      engines: { node: ">=22.19.0" }
    },
    undefined,
    2
  )}\n`

const tsconfig = `${JSON.stringify(
  {
    compilerOptions: {
      target: "ES2024",
      module: "NodeNext",
      strict: true,
      exactOptionalPropertyTypes: true,
      noUncheckedIndexedAccess: true,
      verbatimModuleSyntax: true,
      erasableSyntaxOnly: true,
      allowImportingTsExtensions: true,
      noEmit: true,
      skipLibCheck: true,
      types: ["node"]
    },
    include: ["*.ts", "test"]
  },
  undefined,
  2
)}\n`

const greeter = `/** What is said on a connection: a name in, a greeting out. */
import { Lines } from "spindle"

export const greeter = Lines.over()((lines) =>
  lines.receiveEach((name) => lines.send(\`Hello, \${name}!\`))
)
`

const app = (name: string): string => `/** \`npm start\` runs it; \`npx spindle status\` shows it. */
import * as Config from "effect/Config"
import { Endpoint } from "spindle"
import { Application, EndpointConfig, StreamServerService } from "spindle/app"
import { greeter } from "./greeter.ts"

export default Application.make({
  name: ${JSON.stringify(name)},
  config: {
    // --set listen=tcp:9000, or the environment variable LISTEN, or a file given by --config
    listen: EndpointConfig.server("listen").pipe(
      Config.withDefault(Endpoint.tcp({ port: 7777, interface: "127.0.0.1" }))
    )
  },
  services: (config) => [
    StreamServerService.make({ name: "greeter", endpoint: config.listen, protocol: greeter })
  ]
})
`

const test = `import * as assert from "node:assert/strict"
import { test } from "node:test"
import * as Effect from "effect/Effect"
import { Client, Endpoint, Lines, Server } from "spindle"
import { MemoryReactor } from "spindle/memory"
import { greeter } from "../greeter.ts"

test("greets by name", () =>
  Effect.gen(function* () {
    yield* Server.make(Endpoint.tcp({ port: 7777 }), greeter)
    const lines = Lines.make(yield* Client.connect(Endpoint.tcpClient({ host: "localhost", port: 7777 })))
    yield* lines.send("Ada")
    assert.equal(yield* lines.receive, "Hello, Ada!")
  }).pipe(Effect.scoped, Effect.provide(MemoryReactor.layer()), Effect.runPromise))
`

const readme = (name: string): string => `# ${name}

\`\`\`sh
npm install
npm start              # then, elsewhere: echo Ada | nc -N 127.0.0.1 7777
npm test
npx spindle status     # what runs, and how it does
npx spindle restart    # without losing a connection
\`\`\`
`

/** By their paths in the project. */
export const files = (options: Options): Readonly<Record<string, string>> => ({
  "package.json": manifest(options),
  "tsconfig.json": tsconfig,
  "README.md": readme(options.name),
  ".gitignore": "node_modules/\n*.pid\n*.sock\n*.log\n",
  "app.ts": app(options.name),
  "greeter.ts": greeter,
  "test/greeter.test.ts": test
})

/** A name that npm takes, from that of a directory. */
export const nameOf = (directory: string): string =>
  directory
    .toLowerCase()
    .replaceAll(/[^a-z0-9-_.]+/g, "-")
    .replace(/^[-_.]+/, "") || "app"
