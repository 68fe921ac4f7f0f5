/** C3: whatever the program's own functions do, they do it to one connection; the others, and the next one, are served. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as References from "effect/References"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as SchemaTransformation from "effect/SchemaTransformation"
import type * as Scope from "effect/Scope"
import * as TestClock from "effect/testing/TestClock"
import * as Tracer from "effect/Tracer"
import type { Decoder } from "../../src/framing/Decoder.ts"
import * as Framed from "../../src/framing/Framed.ts"
import * as Frames from "../../src/framing/Frames.ts"
import * as Lines from "../../src/framing/Lines.ts"
import * as LinesDecoder from "../../src/framing/LinesDecoder.ts"
import * as Netstrings from "../../src/framing/Netstrings.ts"
import * as MemoryReactor from "../../src/memory/MemoryReactor.ts"
import * as NodeReactor from "../../src/node/NodeReactor.ts"
import * as Idle from "../../src/protocol/Idle.ts"
import * as Limit from "../../src/protocol/Limit.ts"
import * as Server from "../../src/protocol/Server.ts"
import * as Sniff from "../../src/protocol/Sniff.ts"
import * as Timeout from "../../src/protocol/Timeout.ts"
import * as Endpoint from "../../src/reactor/Endpoint.ts"
import * as EndpointAddress from "../../src/reactor/EndpointAddress.ts"
import { Reactor } from "../../src/reactor/Reactor.ts"
import type * as Tls from "../../src/reactor/Tls.ts"
import type { Transport } from "../../src/reactor/Transport.ts"
import * as UnhandledFailure from "../../src/reactor/UnhandledFailure.ts"
import * as certificates from "../support/certificates.ts"

type Conversation = (transport: Transport) => Effect.Effect<void, unknown, Scope.Scope>
/** Of an effect, or of something that throws while it is made. */
type Fault = () => Effect.Effect<never, unknown>
/** What the hook does: the fault for the first connection, `good` for the others. */
type Once = <A>(good: () => A) => A

const out = () => new Error("out of order")
const throwing = (): never => {
  throw out()
}

const ways: ReadonlyArray<readonly [string, Fault]> = [
  ["throws", throwing],
  ["fails", () => Effect.fail(out())],
  ["dies", () => Effect.die(out())],
  ["fails later", () => Effect.andThen(Effect.yieldNow, Effect.fail(out()))],
  ["interrupts itself", () => Effect.interrupt],
  ["never ends", () => Effect.never]
]
const only =
  (...names: ReadonlyArray<string>) =>
  ([name]: (typeof ways)[number]) =>
    names.includes(name)
const all = () => true
const butNever = ([name]: (typeof ways)[number]) => name !== "never ends"

const echo: Conversation = (transport) => transport.receiveEach(transport.send)
const echoLines = Lines.over()((lines) => lines.receiveEach(lines.send))

const Word = (once: Once) =>
  Schema.String.pipe(
    Schema.decodeTo(
      Schema.String,
      SchemaTransformation.transformEffect({
        decode: (text) => once(() => Effect.succeed(text)),
        encode: (text) => Effect.succeed(text)
      })
    )
  )

interface Hook {
  readonly name: string
  readonly ways: (way: (typeof ways)[number]) => boolean
  readonly conversation: (once: Once) => Conversation
  /** Whether it then ends its side. */
  readonly ends?: boolean
  /** Whether the connection lives on. */
  readonly survives?: boolean
}

const hooks: ReadonlyArray<Hook> = [
  { name: "the protocol", ways: all, conversation: (once) => (transport) => once(() => echo(transport)) },
  {
    name: "the protocol's effect",
    ways: all,
    conversation: (once) => (transport) => Effect.suspend(() => once(() => echo(transport)))
  },
  {
    name: "the callback of receiveEach",
    ways: all,
    conversation: (once) => (transport) => transport.receiveEach((bytes) => once(() => transport.send(bytes)))
  },
  {
    name: "the callback of receiveEach of lines",
    ways: all,
    conversation: (once) => Lines.over()((lines) => lines.receiveEach((line) => once(() => lines.send(line))))
  },
  {
    name: "a finalizer",
    ways: only("throws", "dies"),
    ends: true,
    conversation: (once) => (transport) =>
      Effect.andThen(
        Effect.addFinalizer(() => once(() => Effect.void)),
        echo(transport)
      )
  },
  {
    name: "work in the background",
    ways: butNever,
    survives: true,
    conversation: (once) => (transport) =>
      Effect.andThen(
        UnhandledFailure.fork(
          Effect.suspend(() => once(() => Effect.void)),
          { place: "the background" }
        ),
        echo(transport)
      )
  },
  {
    name: "Idle's protocol",
    ways: all,
    conversation: (once) => Idle.over("1 minute")((transport) => once(() => echo(transport)))
  },
  {
    name: "Limit's excess",
    ways: all,
    conversation: (once) =>
      Limit.over({ connectionsMax: 0, excess: (transport) => once(() => echo(transport)) })(echo)
  },
  {
    name: "Limit's peer",
    ways: only("throws"),
    conversation: (once) => Limit.over({ connectionsPerPeerMax: 9, peer: () => once(() => "somebody") })(echo)
  },
  {
    name: "Timeout's phase",
    ways: all,
    conversation: (once) =>
      Timeout.over({ total: "1 minute" })((transport) =>
        Timeout.phase("first", "1 minute")(Effect.suspend(() => once(() => echo(transport))))
      )
  },
  {
    name: "a matcher of Sniff",
    ways: only("throws"),
    conversation: (once) =>
      Sniff.over([
        Sniff.when((bytes) => (bytes.length === 0 ? Sniff.needMore(1) : once(() => Sniff.match)), echo)
      ])
  },
  {
    name: "a branch of Sniff",
    ways: all,
    conversation: (once) =>
      Sniff.over([Sniff.when(Sniff.prefix("p"), (transport) => once(() => echo(transport)))])
  },
  {
    name: "a transformation of a Schema",
    ways: only("throws", "dies", "never ends", "interrupts itself"),
    conversation: (once) => {
      const word = Word(once)
      return (transport) => {
        const lines = Lines.make(transport) as Frames.Frames<string, unknown>
        return Framed.make(lines, { receive: word, send: Schema.String }).receiveEach(lines.send)
      }
    }
  },
  ...(["push", "next", "finish"] as const).map((method): Hook => ({
    name: `${method} of a decoder`,
    ways: only("throws"),
    ends: true,
    conversation: (once) => (transport) => {
      const decoder = LinesDecoder.make()
      const hooked = <A>(name: string, act: () => A): A => (name === method ? once(act) : act())
      const broken: Decoder<string> = {
        push: (bytes) => hooked("push", () => decoder.push(bytes)),
        next: () => hooked("next", () => decoder.next()),
        drain: () => decoder.drain(),
        finish: () => hooked("finish", () => decoder.finish()),
        takeRest: () => decoder.takeRest(),
        get failure() {
          return decoder.failure
        },
        get bufferedBytes() {
          return decoder.bufferedBytes
        },
        get workBytes() {
          return decoder.workBytes
        }
      }
      const frames = Frames.make(transport, broken, (line: string) => LinesDecoder.encode(line))
      return frames.receiveEach(frames.send)
    }
  })),
  {
    name: "an encoder",
    ways: only("throws"),
    conversation: (once) => (transport) => {
      const encode = (line: string) => once(() => Result.succeed(`${line}\r\n`))
      const frames = Frames.make(transport, LinesDecoder.make(), encode)
      return frames.receiveEach(frames.send)
    }
  },
  {
    name: "a protocol that gives no effect",
    ways: only("throws"),
    // As from a program that is not type-checked.
    conversation: (once) => (transport) => {
      let effect: Effect.Effect<void, unknown> | undefined
      try {
        effect = once(() => transport.receiveEach(transport.send))
      } catch {
        effect = undefined
      }
      return effect as Effect.Effect<void, unknown>
    }
  }
]

const places = [
  ["memory", MemoryReactor.layer()],
  ["TCP", NodeReactor.layer]
] as const

const dial = (server: Server.Server) =>
  Effect.flatMap(Reactor, (reactor) => reactor.connect(EndpointAddress.toClient(server.address)))

/** What a client hears that says something, and then leaves. */
const converse = (server: Server.Server, text: string) =>
  Effect.scoped(
    Effect.gen(function* () {
      const client = yield* dial(server)
      yield* client.send(text)
      return yield* Effect.exit(Lines.make(client).receive)
    })
  )

const quiet = Effect.provideService(References.MinimumLogLevel, "None")
const loopback = Endpoint.tcp({ port: 0, interface: "127.0.0.1" })
const pong = Exit.succeed("ping")

const holds = (place: Layer.Layer<Reactor>, hook: Hook, [way, fault]: (typeof ways)[number]) =>
  Effect.gen(function* () {
    const reports: Array<UnhandledFailure.Report> = []
    let armed = false
    const once: Once = (good) => {
      if (!armed) return good()
      armed = false
      return fault() as never
    }
    const server = yield* Server.make(loopback, hook.conversation(once), { drainTimeout: "1 millis" }).pipe(
      Effect.provideService(UnhandledFailure.Reporter, (report) =>
        Effect.sync(() => void reports.push(report))
      )
    )
    yield* Effect.scoped(
      Effect.gen(function* () {
        const bystander = Lines.make(yield* dial(server))
        yield* bystander.send("ping")
        assert.strictEqual(yield* bystander.receive, "ping")
        armed = true
        const first = yield* dial(server)
        yield* first.send("ping\r\n")
        if (hook.ends === true) yield* first.end
        if (way !== "never ends" && hook.survives !== true) {
          yield* Effect.exit(first.receiveEach(() => Effect.void))
        }
        yield* Effect.repeat(Effect.yieldNow, { until: () => !armed })
        assert.deepStrictEqual(yield* converse(server, "ping\r\n"), pong)
        yield* bystander.send("ping")
        assert.strictEqual(yield* bystander.receive, "ping")
        // Nobody would end it but by waiting.
        yield* first.abort
      })
    )
    yield* server.stop
    const faulty = way !== "never ends" && way !== "interrupts itself"
    assert.strictEqual(reports.length, faulty ? 1 : 0)
  }).pipe(Effect.scoped, quiet, Effect.provide(place))

describe("C3: hooks of a connection", () => {
  for (const [where, place] of places) {
    describe(where, () => {
      for (const hook of hooks) {
        it.live(hook.name, () =>
          Effect.forEach(ways.filter(hook.ways), (way) =>
            Effect.timeoutOrElse(holds(place, hook, way), {
              duration: "5 seconds",
              orElse: () => Effect.sync(() => assert.fail(`one that ${way[0]} holds up the next`))
            })
          )
        )
      }
    })
  }
})

describe("C3: hooks of a timer", () => {
  // Not in the one timer of the wrapper: that would end nothing any more.
  it.effect("Timeout's goodbye throws", () =>
    Effect.gen(function* () {
      let goodbyes = 0
      const goodbye = () => (goodbyes++ === 0 ? throwing() : "goodbye\r\n")
      const server = yield* Server.make(
        loopback,
        Timeout.over({ firstByte: "16 seconds", goodbye })(echo)
      ).pipe(Effect.provideService(UnhandledFailure.Reporter, () => Effect.void))
      const unlucky = yield* dial(server)
      yield* TestClock.adjust("4 seconds")
      const next = Lines.make(yield* dial(server))
      yield* TestClock.adjust("40 seconds")
      const told = yield* Effect.forkChild(next.receive, { startImmediately: true })
      const ended = yield* Effect.forkChild(Effect.exit(unlucky.receive), { startImmediately: true })
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(told.pollUnsafe(), Exit.succeed("goodbye"))
      assert.isDefined(ended.pollUnsafe())
    }).pipe(Effect.scoped, quiet, Effect.provide(MemoryReactor.layer()))
  )
})

describe("C3: those who are told", () => {
  for (const [where, place] of places) {
    for (const [way, fault] of ways.filter(butNever)) {
      it.live(`a Reporter that ${way}, ${where}`, () =>
        Effect.gen(function* () {
          let bad = true
          const server = yield* Server.make(
            loopback,
            (transport) => (bad ? throwing() : echoLines(transport)),
            { drainTimeout: "1 millis" }
          ).pipe(Effect.provideService(UnhandledFailure.Reporter, fault as () => Effect.Effect<never, never>))
          assert.isTrue(Exit.isFailure(yield* converse(server, "ping\r\n")))
          bad = false
          assert.deepStrictEqual(yield* converse(server, "ping\r\n"), pong)
        }).pipe(Effect.scoped, quiet, Effect.provide(place))
      )
    }

    it.live(`a logger that throws, ${where}`, () =>
      Effect.gen(function* () {
        let told = 0
        const logger = Logger.make(() => {
          if (told++ > 0) throw out()
        })
        const server = yield* Server.make(
          loopback,
          Netstrings.over()((frames) => frames.receiveEach(frames.send)),
          { drainTimeout: "1 millis" }
        ).pipe(
          Effect.provideService(Logger.CurrentLoggers, new Set([logger])),
          Effect.provideService(References.MinimumLogLevel, "Debug")
        )
        // What is wrong with it is told at level Debug.
        assert.isTrue(Exit.isFailure(yield* converse(server, "no netstring")))
        const client = yield* dial(server)
        yield* client.send("4:ping,")
        assert.strictEqual(Buffer.from(yield* client.receive).toString(), "4:ping,")
        assert.isAbove(told, 1)
      }).pipe(Effect.scoped, Effect.provide(place))
    )

    it.live(`a tracer that throws, ${where}`, () =>
      Effect.gen(function* () {
        let bad = false
        const tracer = Tracer.make({
          span: (options) => (bad ? throwing() : new Tracer.NativeSpan(options))
        })
        const server = yield* Server.make(loopback, echoLines, {
          drainTimeout: "1 millis"
        }).pipe(
          Effect.provideService(Tracer.Tracer, tracer),
          Effect.provideService(UnhandledFailure.Reporter, () => Effect.void)
        )
        bad = true
        assert.isTrue(Exit.isFailure(yield* converse(server, "ping\r\n")))
        bad = false
        assert.deepStrictEqual(yield* converse(server, "ping\r\n"), pong)
      }).pipe(Effect.scoped, quiet, Effect.provide(place))
    )
  }
})

/** On a port they are in `test/node/tlsIdentities.test.ts`. */
describe.skipIf(!certificates.available)("C3: hooks of TLS, behind STARTTLS", () => {
  const identities = certificates.available ? certificates.localhost() : undefined
  const asking: Partial<Tls.ServerOptions> = {
    clientCertificate: "require",
    ...(identities === undefined ? {} : { authorities: identities.authority.certificate })
  }
  const kinds: ReadonlyArray<readonly [string, (once: Once) => Partial<Tls.ServerOptions>]> = [
    ["selectIdentity", (once) => ({ selectIdentity: () => once(() => Effect.succeed(undefined)) })],
    ["verifyPeer", (once) => ({ ...asking, verifyPeer: () => once(() => Effect.void) })],
    [
      "a source of identities",
      (once) => ({
        identity: {
          identities: Effect.suspend(() => once(() => Effect.succeed([identities!.server])))
        }
      })
    ],
    ["selectAlpn", (once) => ({ selectAlpn: () => once(() => "echo") })]
  ]
  for (const [name, options] of kinds) {
    it.live(name, () =>
      Effect.forEach(ways.filter(name === "selectAlpn" ? only("throws") : all), ([, fault]) =>
        Effect.gen(function* () {
          let armed = false
          const once: Once = (good) => (armed ? (fault() as never) : good())
          const tls: Tls.ServerOptions = {
            identity: identities!.server,
            handshakeTimeout: "200 millis",
            ...options(once)
          }
          const server = yield* Server.make(
            loopback,
            (transport) => Effect.flatMap(transport.startTls({ role: "server", tls, reply: "!" }), echoLines),
            { drainTimeout: "1 millis" }
          )
          const upgrade = Effect.scoped(
            Effect.gen(function* () {
              const client = yield* dial(server)
              yield* client.receive
              const secured = yield* client.startTls({
                role: "client",
                tls: {
                  authorities: identities!.authority.certificate,
                  serverName: "localhost",
                  identity: identities!.client,
                  alpn: ["echo"]
                }
              })
              const lines = Lines.make(secured)
              yield* lines.send("ping")
              return yield* lines.receive
            })
          )
          assert.strictEqual(yield* upgrade, "ping")
          armed = true
          assert.isTrue(Exit.isFailure(yield* Effect.exit(upgrade)))
          armed = false
          assert.strictEqual(yield* upgrade, "ping")
        }).pipe(
          Effect.scoped,
          quiet,
          Effect.provideService(UnhandledFailure.Reporter, () => Effect.void),
          Effect.provide(NodeReactor.layer)
        )
      )
    )
  }
})
