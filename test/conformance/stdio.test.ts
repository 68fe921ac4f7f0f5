/**
 * Two descriptors as one stream: what standard input and output are, here over named pipes, both of whose ends are in this
 * process. A pipe tells an end from nothing else, and has no reset.
 */
import * as childProcess from "node:child_process"
import * as fs from "node:fs"
import * as os from "node:os"
import * as path from "node:path"
import { afterAll, beforeAll } from "vitest"
import { assert, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Scope from "effect/Scope"
import * as Exit from "effect/Exit"
import * as NodeStdio from "../../src/node/NodeStdio.ts"
import { NodeTransport } from "../../src/node/NodeTransport.ts"
import type * as Endpoint from "../../src/reactor/Endpoint.ts"
import { Turn } from "../../src/reactor/Turn.ts"
import * as TransportSuite from "../../src/testing/TransportSuite.ts"
import { conformance } from "../support/conformance.ts"
import { echoTls } from "../support/endpoints.ts"
import { resources } from "../support/resources.ts"

const { O_NONBLOCK, O_RDONLY, O_WRONLY } = fs.constants

/** More than the suite takes; a process for each would be what takes the time. */
const namesMax = 1_200
const names: Array<string> = []
let directory = ""

beforeAll(() => {
  directory = fs.mkdtempSync(path.join(os.tmpdir(), "spindle-"))
  for (let i = 0; i < namesMax; i++) names.push(path.join(directory, `${i}`))
  childProcess.execFileSync("mkfifo", names)
})

afterAll(() => {
  fs.rmSync(directory, { recursive: true, force: true })
})

/** A pipe: where to read, and where to write. */
const pipe = () => {
  const name = names.pop()!
  // The reader first: without one, a pipe cannot be opened for writing.
  const read = fs.openSync(name, O_RDONLY | O_NONBLOCK)
  const write = fs.openSync(name, O_WRONLY | O_NONBLOCK)
  fs.unlinkSync(name)
  return { read, write }
}

const site = { turn: new Turn(process.nextTick) }

const side = (options: Endpoint.StreamOptions, input: number, output: number) => {
  const made = NodeStdio.openBoth(site, options, { input, output })
  if (!(made instanceof NodeTransport)) throw made
  return made
}

const pair: TransportSuite.MakePair = Effect.fnUntraced(function* (options = {}) {
  const scope = yield* Scope.fork(yield* Effect.scope, "parallel")
  const one = pipe()
  const other = pipe()
  const left = side(options, one.read, other.write)
  const right = side(options, other.read, one.write)
  const closing = Effect.fnUntraced(function* (transport: NodeTransport) {
    const own = yield* Scope.fork(scope)
    yield* Scope.addFinalizer(own, transport.close)
    return Scope.close(own, Exit.void)
  })
  return { left, right, closeLeft: yield* closing(left), closeRight: yield* closing(right) }
})

conformance(
  "Transport over two pipes",
  TransportSuite.cases({
    name: "pipes",
    pair,
    capabilities: ["HalfClose", "Chunks"],
    systemBytesMax: 2 * 1024 * 1024,
    resources
  })
)

const tls = echoTls()

it.live.skipIf(tls === undefined)("TLS goes over two pipes", () =>
  Effect.gen(function* () {
    const { left, right } = yield* pair()
    const [client, server] = yield* Effect.all(
      [
        left.startTls({ role: "client", tls: tls!.client }),
        right.startTls({ role: "server", tls: tls!.server })
      ],
      { concurrency: "unbounded" }
    )
    assert.strictEqual(client.security._tag, "Tls")
    yield* Effect.forkChild(server.receiveEach(server.send), { startImmediately: true })
    yield* client.send("secret")
    assert.strictEqual(new TextDecoder().decode(yield* client.receive), "secret")
  }).pipe(Effect.scoped)
)
