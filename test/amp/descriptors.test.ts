/** Descriptors over UNIX sockets: ours, and Twisted's, both ways. They need `node:ffi`; where it is absent, so are they. */
import * as fs from "node:fs"
import * as os from "node:os"
import * as path from "node:path"
import { afterAll, assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as AmpArgument from "../../src/amp/AmpArgument.ts"
import * as AmpClient from "../../src/amp/AmpClient.ts"
import * as AmpCommand from "../../src/amp/AmpCommand.ts"
import * as AmpGroup from "../../src/amp/AmpGroup.ts"
import * as AmpResponder from "../../src/amp/AmpResponder.ts"
import * as AmpServer from "../../src/amp/AmpServer.ts"
import * as NodeDescriptorLibc from "../../src/node/NodeDescriptorLibc.ts"
import * as NodeDescriptorReactor from "../../src/node/NodeDescriptorReactor.ts"
import * as NodeReactor from "../../src/node/NodeReactor.ts"
import * as Server from "../../src/protocol/Server.ts"
import { carrierOf } from "../../src/reactor/DescriptorTransport.ts"
import * as Endpoint from "../../src/reactor/Endpoint.ts"
import * as Reactor from "../../src/reactor/Reactor.ts"
import * as Child from "../support/child.ts"
import { describePeer, twisted } from "../support/peers.ts"

const folder = fs.mkdtempSync(path.join(os.tmpdir(), "spindle-amp-"))
afterAll(() => fs.rmSync(folder, { recursive: true }))
let sockets = 0
const socketPath = () => path.join(folder, `${++sockets}`)
const program = path.join(import.meta.dirname, "twisted_peer.py")
const timeout = 20_000

const missing = (() => {
  try {
    NodeDescriptorLibc.load()
    return undefined
  } catch (error) {
    return String(error)
  }
})()

const SendDescriptor = AmpCommand.make("SendDescriptor", {
  arguments: { descriptor: AmpArgument.Descriptor, name: AmpArgument.Unicode },
  response: { content: AmpArgument.String }
})
const GetDescriptor = AmpCommand.make("GetDescriptor", {
  arguments: { content: AmpArgument.String },
  response: { descriptor: AmpArgument.Descriptor }
})
const Several = AmpCommand.make("Several", {
  arguments: {
    first: AmpArgument.Descriptor,
    rest: AmpArgument.AmpList({ descriptor: AmpArgument.Descriptor }),
    number: AmpArgument.Integer
  },
  response: { contents: AmpArgument.ListOf(AmpArgument.Unicode) }
})
const group = AmpGroup.make(SendDescriptor, GetDescriptor, Several)

/** A file with that content, open at its beginning. Whoever gets it closes it. */
const fileWith = (content: string | Uint8Array): number => {
  const file = path.join(folder, `file-${++sockets}`)
  fs.writeFileSync(file, content)
  return fs.openSync(file, "r")
}

const contentOf = (descriptor: number): Buffer => {
  try {
    return fs.readFileSync(descriptor)
  } finally {
    fs.closeSync(descriptor)
  }
}

const given: Array<number> = []
afterAll(() => given.forEach((each) => fs.closeSync(each)))

const handlers = {
  SendDescriptor: ({ descriptor }: { readonly descriptor: number }) =>
    Effect.sync(() => ({ content: contentOf(descriptor) })),
  GetDescriptor: ({ content }: { readonly content: Uint8Array }) =>
    // It must be open until the answer is encoded; here, for ever.
    Effect.sync(() => {
      const descriptor = fileWith(content)
      given.push(descriptor)
      return { descriptor }
    }),
  Several: (args: AmpCommand.ArgumentsOf<typeof Several>) =>
    Effect.sync(() => ({
      contents: [args.first, ...args.rest.map(({ descriptor }) => descriptor)].map((each) =>
        contentOf(each).toString()
      )
    }))
}

const openDescriptors = () => fs.readdirSync("/proc/self/fd").length

const serve = Effect.gen(function* () {
  const at = socketPath()
  yield* Server.make(Endpoint.unix({ path: at }), AmpServer.protocol(AmpResponder.make(group, handlers)))
  return at
})

describe.skipIf(missing !== undefined)(`descriptors${missing === undefined ? "" : `: ${missing}`}`, () => {
  it.live("a file goes there, and comes back open; nothing is left of it", () =>
    Effect.gen(function* () {
      const at = yield* serve
      const { calls } = yield* AmpClient.connect(Endpoint.unixClient({ path: at }), group)
      const own = fileWith("content of a file")
      const sent = yield* calls.SendDescriptor({ descriptor: own, name: "file" })
      assert.strictEqual(Buffer.from(sent.content).toString(), "content of a file")
      fs.closeSync(own)
      const got = yield* calls.GetDescriptor({ content: Buffer.from("one of yours") })
      assert.strictEqual(contentOf(got.descriptor).toString(), "one of yours")

      const before = openDescriptors()
      const some = ["a", "b", "c", "d"].map(fileWith) as [number, number, number, number]
      const asked = yield* calls.Several({
        first: some[0],
        rest: some.slice(1).map((descriptor) => ({ descriptor })),
        number: 1
      })
      assert.deepStrictEqual(asked.contents, ["a", "b", "c", "d"])
      some.forEach((each) => fs.closeSync(each))
      assert.strictEqual(openDescriptors(), before)
    }).pipe(Effect.scoped, Effect.provide(NodeDescriptorReactor.layer))
  )

  it.live("many calls at once keep their own", () =>
    Effect.gen(function* () {
      const at = yield* serve
      const { calls } = yield* AmpClient.connect(Endpoint.unixClient({ path: at }), group)
      yield* Effect.forEach(
        Array.from({ length: 300 }, (_, i) => String(i)),
        (text) =>
          Effect.gen(function* () {
            const own = fileWith(text)
            const { content } = yield* calls.SendDescriptor({ descriptor: own, name: text })
            fs.closeSync(own)
            assert.strictEqual(Buffer.from(content).toString(), text)
          }),
        { concurrency: 50 }
      )
    }).pipe(Effect.scoped, Effect.provide(NodeDescriptorReactor.layer))
  )

  it.live("those of a call that does not fit are closed; those that no box names end the connection", () =>
    Effect.gen(function* () {
      const at = yield* serve
      const client = yield* AmpClient.connect(Endpoint.unixClient({ path: at }), group)
      const own = fileWith("x")
      const before = openDescriptors()
      const wrong = yield* Effect.flip(
        client.calls.Several({ first: own, rest: [{ descriptor: own }], number: 1.5 })
      )
      assert.strictEqual(wrong.reason._tag, "InvalidArguments")
      // Nothing of it was sent: the numbers are still right.
      assert.deepStrictEqual((yield* client.calls.Several({ first: own, rest: [], number: 1 })).contents, [
        "x"
      ])
      assert.strictEqual(openDescriptors(), before)

      const reactor = yield* Reactor.Reactor
      const transport = yield* reactor.connect(Endpoint.unixClient({ path: at }))
      // The beginning of a key: no box comes that would name them.
      yield* transport.send(Uint8Array.of(0, 255))
      for (let i = 0; i < 65; i++) {
        assert.isUndefined(carrierOf(transport)!.sendDescriptor(own))
        yield* transport.send("k")
      }
      yield* Effect.ignore(transport.receiveEach(() => Effect.void))
      fs.closeSync(own)
    }).pipe(Effect.scoped, Effect.provide(NodeDescriptorReactor.layer))
  )

  it.live("where none are carried, the call fails", () =>
    Effect.gen(function* () {
      const at = yield* serve
      const { calls } = yield* AmpClient.connect(Endpoint.unixClient({ path: at }), group)
      const failure = yield* Effect.flip(calls.SendDescriptor({ descriptor: 0, name: "x" }))
      assert.include(failure.message, "this connection carries no descriptors")
    }).pipe(Effect.scoped, Effect.provide(NodeReactor.layer))
  )

  describePeer(twisted(), (python) => {
    it.live("our client, and Twisted's server", () =>
      Effect.gen(function* () {
        const at = socketPath()
        const child = yield* Child.spawn(python, [program, "serve", `unix:${at}`], { timeout })
        yield* child.says(/listening/)
        const { calls } = yield* AmpClient.connect(Endpoint.unixClient({ path: at }), group)
        const own = fileWith("a file of Node's")
        const { content } = yield* calls.SendDescriptor({ descriptor: own, name: "file" })
        fs.closeSync(own)
        assert.strictEqual(Buffer.from(content).toString(), "a file of Node's")
        const got = yield* calls.GetDescriptor({ content: Buffer.from("by a pipe") })
        assert.strictEqual(contentOf(got.descriptor).toString(), "by a pipe")
      }).pipe(Effect.scoped, Effect.provide(NodeDescriptorReactor.layer))
    )

    it.live("our server, and Twisted's client", () =>
      Effect.gen(function* () {
        const at = yield* serve
        const ended = yield* Child.run(python, [program, "descriptors", `unix:${at}`], { timeout })
        assert.deepStrictEqual(ended.stdout.trimEnd().split("\n"), [
          "content a file of Twisted's",
          "descriptor by a pipe",
          "done"
        ])
      }).pipe(Effect.scoped, Effect.provide(NodeDescriptorReactor.layer))
    )
  })
})
