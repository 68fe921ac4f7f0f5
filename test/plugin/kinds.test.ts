/** The kinds that this package has itself: endpoint schemes, and protocols for a shared port. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import { MemoryReactor } from "../../src/memory/index.ts"
import * as EndpointSchemePlugin from "../../src/plugin/EndpointSchemePlugin.ts"
import type { MemoryEntry } from "../../src/plugin/MemoryPluginFiles.ts"
import * as Plugin from "../../src/plugin/Plugin.ts"
import * as SniffPlugin from "../../src/plugin/SniffPlugin.ts"
import { Client, Server, Sniff } from "../../src/protocol/index.ts"
import * as EndpointArgument from "../../src/reactor/EndpointArgument.ts"
import { Endpoint, EndpointDescription, EndpointFormat, EndpointScheme } from "../../src/reactor/index.ts"
import { installed, withRegistry } from "./greetings.ts"

const onion = (name = "onion", aliases: ReadonlyArray<string> = []) =>
  EndpointScheme.make({
    name,
    aliases,
    doc: "a hidden service",
    server: EndpointScheme.form({
      arguments: {
        port: { kind: EndpointArgument.port, position: 0, required: true, doc: "the port" }
      },
      make: ({ port }) => Endpoint.tcp({ port })
    })
  })

const scheme = (name: string, value: unknown): Readonly<Record<string, MemoryEntry>> =>
  installed(name, () => ({ default: value }), { kind: "endpoint-scheme" })

const described = (text: string) =>
  Effect.gen(function* () {
    const schemes = yield* EndpointSchemePlugin.schemesFor(text)
    return EndpointFormat.format(yield* EndpointDescription.parseServer(text, { schemes }))
  }).pipe(Effect.provide(FileSystem.layerNoop({})))

describe("EndpointSchemePlugin", () => {
  it.effect("adds schemes to descriptions, and imports those that are named only", () =>
    withRegistry({ ...scheme("onion", onion()), ...scheme("garlic", onion("garlic")) })((memory) =>
      Effect.gen(function* () {
        assert.strictEqual(yield* described("tcp:80"), "tcp:80")
        assert.deepStrictEqual(memory.imported, [])
        assert.strictEqual(yield* described("onion:80"), "tcp:80")
        assert.strictEqual(
          yield* described("haproxy:trusted=10.0.0.0/8:onion:80"),
          "haproxy:trusted=10.0.0.0/8:tcp:80"
        )
        assert.deepStrictEqual(memory.imported, ["/app/node_modules/onion/onion.js"])
        const error = yield* Effect.flip(described("onoin:80"))
        assert.strictEqual(error._tag, "EndpointDescriptionError")
      })
    )
  )

  const good = onion("bad")
  const bad: ReadonlyArray<readonly [value: unknown, expected: string]> = [
    [undefined, "it is no endpoint scheme: it has no name"],
    [{ name: "bad" }, `the scheme "bad" has no form`],
    [{ ...good, name: "a b" }, `"a b" cannot be a scheme's name`],
    [{ ...good, aliases: ["tls"] }, `the name "tls" is that of a built-in scheme`],
    [
      { name: "bad", server: { make: () => Endpoint.tcp({ port: 1 }) } },
      `EndpointScheme.form did not make its "server"`
    ],
    [{ name: "bad", client: 1 }, `EndpointScheme.form did not make its "client"`]
  ]
  for (const [value, expected] of bad) {
    it.effect(`refuses what is no scheme: ${expected}`, () =>
      withRegistry(scheme("bad", value))(() =>
        Effect.gen(function* () {
          const error = yield* Effect.flip(EndpointSchemePlugin.schemesFor("bad:80"))
          assert.strictEqual(error.reason._tag, "InvalidValue")
          assert.include(error.message, expected)
          // Whoever does not name it is not touched.
          assert.strictEqual(yield* described("tcp:80"), "tcp:80")
        })
      )
    )
  }

  it.effect("tells of two that have a name in common", () =>
    withRegistry({ ...scheme("a", onion("a", ["c"])), ...scheme("b", onion("b", ["c"])) })(() =>
      Effect.gen(function* () {
        const error = yield* Effect.flip(EndpointSchemePlugin.schemesFor("a:b:c"))
        assert.strictEqual(
          error.message,
          `endpoint-scheme "b" of "b" (/app/node_modules/b/package.json): ` +
            `it is none: its scheme has the name "c", as that of the plugin "a" of "a" has`
        )
      })
    )
  )
})

describe("SniffPlugin", () => {
  const branch = (word: string): SniffPlugin.Branch =>
    Sniff.when(Sniff.prefix(word), (transport) => transport.send(`this is ${word}`))
  const protocol = (name: string, value: unknown): Readonly<Record<string, MemoryEntry>> =>
    installed(name, () => ({ default: value }), { kind: "protocol" })

  it.effect("gives branches of a port that several share", () =>
    withRegistry({ ...protocol("a", branch("alpha")), ...protocol("b", branch("beta")) })(() =>
      Effect.gen(function* () {
        const { failed, loaded } = yield* Plugin.loadAll(SniffPlugin.kind)
        assert.deepStrictEqual(failed, [])
        yield* Server.make(Endpoint.tcp({ port: 80 }), Sniff.over(loaded.map(({ value }) => value)))
        const transport = yield* Client.connect(Endpoint.tcpClient({ host: "localhost", port: 80 }))
        yield* transport.send("beta\n")
        assert.strictEqual(Buffer.from(yield* transport.receive).toString(), "this is beta")
      }).pipe(Effect.scoped, Effect.provide(MemoryReactor.layer()))
    )
  )

  const bad: ReadonlyArray<readonly [value: unknown, expected: string]> = [
    [{ matches: 1, protocol: () => Effect.void }, "it is no branch of a Sniff: { matches, protocol }"],
    [{ matches: Sniff.http1 }, "it is no branch of a Sniff"],
    [{ matches: () => true, protocol: () => Effect.void }, "its matcher gives no verdict"],
    [
      {
        matches: () => {
          throw new Error("no bytes")
        },
        protocol: () => Effect.void
      },
      "no bytes"
    ]
  ]
  for (const [value, expected] of bad) {
    it.effect(`refuses what is no branch: ${expected}`, () =>
      withRegistry(protocol("a", value))(() =>
        Effect.map(Effect.flip(Plugin.load(SniffPlugin.kind, "a")), (error) => {
          assert.strictEqual(error.reason._tag, "InvalidValue")
          assert.include(error.message, expected)
        })
      )
    )
  }
})
