/** C16: what peers say cannot write into a log, and what is secret is in no log and no error. */
import * as util from "node:util"
import { assert, describe, it } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import * as Framed from "../../src/framing/Framed.ts"
import * as Lines from "../../src/framing/Lines.ts"
import * as Ndjson from "../../src/framing/Ndjson.ts"
import * as Netstrings from "../../src/framing/Netstrings.ts"
import * as NodeReactor from "../../src/node/NodeReactor.ts"
import * as Limit from "../../src/protocol/Limit.ts"
import * as Server from "../../src/protocol/Server.ts"
import * as Sniff from "../../src/protocol/Sniff.ts"
import * as Endpoint from "../../src/reactor/Endpoint.ts"
import * as EndpointAddress from "../../src/reactor/EndpointAddress.ts"
import * as EndpointDescription from "../../src/reactor/EndpointDescription.ts"
import * as EndpointFormat from "../../src/reactor/EndpointFormat.ts"
import { Reactor } from "../../src/reactor/Reactor.ts"
import type * as Tls from "../../src/reactor/Tls.ts"
import type { Transport } from "../../src/reactor/Transport.ts"
import { world } from "../memory/pair.ts"
import { observed } from "../protocol/serving.ts"
import { bytesOf, signature, tlv, v2 } from "../reactor/proxyHeaders.ts"
import * as certificates from "../support/certificates.ts"

/** A line of its own, a colour, the C1 form of the same, text that runs backwards, a line's end of Unicode. */
const evil = "\r\nERROR forged\x1b[31m\x9b31m\u202e\u2028"
const evilBytes = Buffer.from(evil).toString("latin1")

/** What may not be in a message; in a rendered cause there are lines, and tabs. */
const hidden = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u
const hiddenInText = /[^\P{Cc}\n\t]|[\p{Cf}\p{Zl}\p{Zp}]/u

/** Messages of an error, of its reason, and of what caused it. */
const messagesOf = (error: unknown, depth = 0): ReadonlyArray<string> => {
  if (!(error instanceof Error) || depth > 5) return typeof error === "string" ? [error] : []
  const { reason } = error as { readonly reason?: unknown }
  return [error.message, ...messagesOf(reason, depth + 1), ...messagesOf(error.cause, depth + 1)]
}

type Conversation = (transport: Transport) => Effect.Effect<void, unknown>

interface Attack {
  readonly name: string
  readonly endpoint?: (inner: Endpoint.TcpServer) => Endpoint.Server
  readonly conversation: Conversation
  readonly says: string
  /** Its messages have lines of their own. */
  readonly hasLines?: boolean
}

const trusted = ["0.0.0.0/0"]
const proxied = (inner: Endpoint.TcpServer) => Endpoint.proxied({ inner, proxy: { trusted } })
/** It names the key that is wrong: the peer's. */
const Message = Schema.Record(Schema.String, Schema.Literals(["hello"]))
const drop = () => Effect.void
const unixAddresses = (path: string) => bytesToText(path, 108) + bytesToText("/local", 108)
const bytesToText = (text: string, size: number) => Buffer.from(text).toString("latin1").padEnd(size, "\0")

const attacks: ReadonlyArray<Attack> = [
  {
    name: "a line that is no JSON",
    conversation: Ndjson.over()((values) => values.receiveEach(drop)),
    says: `{"a": \x1b[31m \xc2\x9b ${evilBytes}\n`
  },
  {
    name: "JSON of another shape",
    conversation: Framed.over({ receive: Message, send: Message })((messages) => messages.receiveEach(drop)),
    hasLines: true,
    says: `${Buffer.from(JSON.stringify({ text: evil, [evil]: evil })).toString("latin1")}\n`
  },
  {
    name: "a netstring that is none",
    conversation: Netstrings.over()((frames) => frames.receiveEach(drop)),
    says: `\x1b${evilBytes}`
  },
  {
    name: "a line that is cut off",
    conversation: Lines.over()((lines) => lines.receiveEach(drop)),
    says: `${evilBytes}\x1b[31m`
  },
  {
    name: "a line that is no UTF-8",
    conversation: Lines.over({ invalidText: "fail" })((lines) => lines.receiveEach(drop)),
    says: `\x1b[31m\xff\x9b\r\n`
  },
  {
    name: "first bytes that nobody knows",
    conversation: Sniff.over([Sniff.when(Sniff.ssh, drop)]),
    says: `\x1b[31m${evilBytes}`
  },
  ...[
    `PROXY TCP4 \x1b[31m 192.0.2.2 1 2\r\n`,
    `PROXY \x1b[31m\r\n`,
    `PROXY TCP4 192.0.2.1 192.0.2.2 1 \x9b2\r\n`,
    `PROXY ${evilBytes}`,
    v2(0x21, 0x11, `\xc0\0\x02\x01\xc6\x33\x64\x07\0\x01\0\x02${tlv(0x02, "\xff\x1b")}`),
    `${signature}\x31\x11\0\0`
  ].map((says): Attack => ({
    name: `a PROXY header that is none: ${JSON.stringify(says).slice(0, 40)}`,
    endpoint: proxied,
    conversation: (transport) => transport.receiveEach(drop),
    says
  })),
  {
    name: "the peer of a PROXY header, which a failure names",
    endpoint: proxied,
    conversation: () => Effect.fail(new Error("out of order")),
    says: v2(0x21, 0x31, unixAddresses(`/${evil}`))
  },
  {
    name: "the peer of a PROXY header, who is refused",
    endpoint: proxied,
    conversation: (transport) =>
      Limit.over({ connectionsMax: 0, connectionsPerPeerMax: 1 })(() => transport.receiveEach(drop))(
        transport
      ),
    says: v2(0x21, 0x31, unixAddresses(`/${evil}`))
  },
  {
    name: "the peer of a PROXY header, whose handshake fails",
    endpoint: (inner) =>
      Endpoint.secured({
        inner: proxied(inner),
        tls: { identity: { certificate: "a certificate", privateKey: "its key" } }
      }),
    conversation: (transport) => transport.receiveEach(drop),
    says: `${v2(0x21, 0x31, unixAddresses(`/${evil}`))}no hello`
  },
  {
    name: "a name that is refused",
    conversation: (transport) =>
      Limit.over({ connectionsPerPeerMax: 0, peer: () => evil })(() => transport.receiveEach(drop))(
        transport
      ),
    says: ""
  }
]

/** Everything that was logged or reported, one text each; those that have lines by themselves apart. */
const told = (attack: Attack, chunking: number | undefined) =>
  observed(({ logs, reports }) =>
    Effect.gen(function* () {
      const { network, reactor } = yield* world(chunking === undefined ? {} : { chunking })
      const inner = Endpoint.tcp({ port: 0, interface: "127.0.0.1" })
      const server = yield* Server.make(attack.endpoint?.(inner) ?? inner, attack.conversation, {
        name: "attacked"
      }).pipe(Effect.provideService(Reactor, reactor))
      const client = yield* reactor.connect(EndpointAddress.toClient(server.address))
      yield* client.send(bytesOf(attack.says))
      yield* client.end
      yield* network.settled
      const all = logs.filter(({ text }) => !text.includes("listening"))
      assert.isAbove(all.length + reports.length, 0, "nobody was told")
      const causes = [...all, ...reports].map(({ cause }) => cause)
      const errors = causes.flatMap(({ reasons }) =>
        reasons.flatMap((reason) => (reason._tag === "Fail" ? [reason.error] : []))
      )
      return {
        lines: [
          ...all.map(({ text }) => text),
          ...all.flatMap(({ annotations }) => Object.values(annotations).map(String)),
          ...reports.flatMap(({ peer, place }) => [peer ?? "", place]),
          ...errors.flatMap((error) => messagesOf(error))
        ],
        texts: causes.map((cause) => Cause.pretty(cause))
      }
    })
  ).pipe(Effect.scoped)

describe("C16: what peers say, in logs", () => {
  for (const attack of attacks) {
    for (const chunking of [undefined, 1]) {
      it.live(`${attack.name}, ${chunking === undefined ? "whole" : "a byte at a time"}`, () =>
        Effect.gen(function* () {
          const { lines, texts } = yield* told(attack, chunking)
          const forbidden = attack.hasLines === true ? hiddenInText : hidden
          for (const line of lines) assert.notMatch(line, forbidden, JSON.stringify(line))
          for (const text of texts) assert.notMatch(text, hiddenInText, JSON.stringify(text))
          for (const text of [...lines, ...texts]) assert.notMatch(text, /^ERROR forged/m)
        })
      )
    }
  }

  it.live("names that we were told to reach or to be", () =>
    Effect.gen(function* () {
      const reactor = yield* Reactor
      const connect = Effect.flip(reactor.connect(Endpoint.tcpClient({ host: `a${evil}`, port: 1 })))
      const listen = Effect.flip(reactor.listen(Endpoint.unix({ path: `/nonexistent/${evil}`, lock: false })))
      for (const error of [yield* connect, yield* Effect.scoped(listen)]) {
        assert.notMatch(error.message, hidden)
      }
      const described = yield* Effect.exit(
        Effect.suspend(() => Effect.fromResult(EndpointDescription.parseServerSync(`tcp:80:${evil}=1`)))
      )
      assert.isTrue(Exit.isFailure(described))
      if (Exit.isFailure(described)) assert.notMatch(Cause.pretty(described.cause), hiddenInText)
    }).pipe(Effect.scoped, Effect.provide(NodeReactor.layer))
  )
})

describe.skipIf(!certificates.available)("C16: secrets", () => {
  const passphrase = "correct horse battery staple"
  const secretOf = ({ privateKey }: certificates.Identity) => privateKey.split("\n")[1]!

  const broken = () => {
    const { authority, client, server } = certificates.localhost()
    const secrets = [passphrase, secretOf(server), secretOf(client)]
    const identities: ReadonlyArray<Tls.Identity> = [
      // A key that is not its certificate's.
      { certificate: server.certificate, privateKey: Redacted.make(client.privateKey) },
      {
        certificate: server.certificate,
        privateKey: client.privateKey,
        passphrase: Redacted.make(passphrase)
      },
      // A key that is damaged.
      {
        certificate: server.certificate,
        privateKey: Redacted.make(server.privateKey.replace(/.{10}\n-----END/, "\n-----END")),
        passphrase: Redacted.make(passphrase)
      },
      // A key where the certificate should be.
      { certificate: server.privateKey, privateKey: Redacted.make(server.privateKey) }
    ]
    return { authority, identities, secrets, server }
  }

  const everyForm = (error: Error): ReadonlyArray<string> => [
    error.message,
    String(error),
    error.stack ?? "",
    JSON.stringify(error),
    util.inspect(error, { depth: 12, showHidden: true }),
    Cause.pretty(Cause.fail(error))
  ]

  it.live("are in no error about TLS options, on either side, and in no description", () =>
    Effect.gen(function* () {
      const { authority, identities, secrets, server } = broken()
      const reactor = yield* Reactor
      const good = yield* Server.make(
        Endpoint.tls({
          port: 0,
          interface: "127.0.0.1",
          tls: {
            identity: { ...server, privateKey: Redacted.make(server.privateKey) },
            authorities: authority.certificate,
            clientCertificate: "require"
          }
        }),
        (transport) => transport.receiveEach(transport.send)
      )
      const { port } = EndpointAddress.toClient(good.address) as Endpoint.TcpClient
      const texts: Array<string> = []
      for (const identity of identities) {
        const listening = Endpoint.tls({ port: 0, interface: "127.0.0.1", tls: { identity } })
        const connecting = Endpoint.tlsClient({
          host: "127.0.0.1",
          port,
          tls: { identity, authorities: authority.certificate, serverName: "localhost" }
        })
        texts.push(EndpointFormat.format(listening), EndpointFormat.format(connecting))
        texts.push(...everyForm(yield* Effect.flip(Effect.scoped(reactor.listen(listening)))))
        texts.push(...everyForm(yield* Effect.flip(Effect.scoped(reactor.connect(connecting)))))
        const client = yield* reactor.connect(Endpoint.tcpClient({ host: "127.0.0.1", port }))
        const upgrade = client.startTls({ role: "server", tls: { identity } })
        texts.push(...everyForm(yield* Effect.flip(upgrade)))
      }
      for (const text of texts) {
        for (const secret of secrets) assert.notInclude(text, secret)
      }
    }).pipe(Effect.scoped, Effect.provide(NodeReactor.layer))
  )

  it.live("are in no log of handshakes whose identities cannot be used", () =>
    observed(({ logs, reports }) =>
      Effect.gen(function* () {
        const { authority, identities, secrets, server } = broken()
        const reactor = yield* Reactor
        let chosen: Tls.Identity | undefined
        const running = yield* Server.make(
          Endpoint.tls({
            port: 0,
            interface: "127.0.0.1",
            tls: { identity: server, selectIdentity: () => Effect.succeed(chosen) }
          }),
          (transport) => transport.receiveEach(transport.send)
        )
        const { port } = EndpointAddress.toClient(running.address) as Endpoint.TcpClient
        for (const identity of identities) {
          chosen = identity
          const connecting = reactor.connect(
            Endpoint.tlsClient({
              host: "127.0.0.1",
              port,
              tls: { authorities: authority.certificate, serverName: "localhost" }
            })
          )
          assert.isTrue(Exit.isFailure(yield* Effect.exit(Effect.scoped(connecting))))
        }
        assert.isAtLeast(logs.length, identities.length)
        const text = [...logs, ...reports]
          .map(
            (each) =>
              `${JSON.stringify(each)} ${util.inspect(each, { depth: 12 })} ${Cause.pretty(each.cause)}`
          )
          .join("\n")
        for (const secret of secrets) assert.notInclude(text, secret)
      })
    ).pipe(Effect.scoped, Effect.provide(NodeReactor.layer))
  )
})
