/** Certificates from a directory that a description names: real files, real handshakes. */
import * as fs from "node:fs"
import * as path from "node:path"
import { assert, describe } from "@effect/vitest"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as MemoryReactor from "../../src/memory/MemoryReactor.ts"
import * as Endpoint from "../../src/reactor/Endpoint.ts"
import { Reactor } from "../../src/reactor/Reactor.ts"
import type * as Tls from "../../src/reactor/Tls.ts"
import type { Transport } from "../../src/reactor/Transport.ts"
import * as certificates from "../support/certificates.ts"
import { inetOf, socketPath } from "../support/endpoints.ts"
import { dial, listen, live, open, outcome, portOf, securityOf, talks, workshop } from "./endpoints.ts"

const authority = certificates.available ? certificates.authority() : certificates.nobody
const both = ({ certificate, privateKey }: certificates.Identity): string => certificate + privateKey
const issue = (...names: ReadonlyArray<string>) => authority.issue({ names })

/** The certificate that the other end showed, in base 64. */
const shown = (transport: Transport): string =>
  Buffer.from(securityOf(transport).peerCertificate!).toString("base64")

/** The real time, and as much later as one likes. */
const laterClock = Effect.gen(function* () {
  const clock = yield* Clock.Clock
  let added = 0
  const later: Clock.Clock = Object.assign(Object.create(clock) as Clock.Clock, {
    currentTimeMillis: Effect.map(clock.currentTimeMillis, (now) => now + added),
    currentTimeMillisUnsafe: () => clock.currentTimeMillisUnsafe() + added
  })
  return { clock: later, pass: (seconds: number) => (added += seconds * 1_000) }
})

/** A directory with the authority's certificate in it, and others. */
const identities = Effect.fnUntraced(function* (files: Readonly<Record<string, string>>) {
  const { directory: place, file } = yield* workshop
  const directory = path.join(place, "certificates")
  fs.mkdirSync(directory)
  const write = (name: string, text: string) => fs.writeFileSync(path.join(directory, name), text)
  for (const [name, text] of Object.entries(files)) write(name, text)
  return { directory, write, roots: file("ca.pem", authority.certificate) }
})

describe.skipIf(!certificates.available)("a directory of certificates", () => {
  live(
    "a client gets the certificate of the name that it asks for, of whatever file",
    Effect.gen(function* () {
      const [one, wild] = [issue("one.example"), issue("*.two.example", "two.example")]
      const { directory, roots } = yield* identities({ "1.pem": both(one), "2.pem": both(wild) })
      const { listener, next } = yield* listen(
        `tls:0:certificates=${directory}:interface=127.0.0.1:alpn=echo`
      )
      for (const [name, identity] of [
        ["one.example", one],
        ["two.example", wild],
        ["a.two.example", wild]
      ] as const) {
        const client = yield* dial(
          `tls:127.0.0.1:${portOf(listener)}:hostname=${name}:trustRoots=${roots}:alpn=echo`
        )
        const server = yield* next
        assert.strictEqual(shown(client), certificates.derOf(identity.certificate))
        assert.deepStrictEqual(
          [securityOf(server).serverName, securityOf(server).alpn, securityOf(client).peerVerified],
          [name, "echo", true]
        )
        yield* talks(client, server)
      }
      const unknown = dial(`tls:127.0.0.1:${portOf(listener)}:hostname=other.example:trustRoots=${roots}`)
      assert.strictEqual(yield* outcome(unknown), "CertificateRejected")
    })
  )

  for (const [name, server, client] of [
    ["tls", "tls:0:path=$directory:interface=127.0.0.1", "tls:127.0.0.1:$port:"],
    ["secured over UNIX", "secured:certificates=$directory:unix:$path", "secured:"],
    [
      "secured over a handshake of its own",
      "secured:certificates=$directory:tls:0:certificates=$directory:interface=127.0.0.1",
      "secured:hostname=localhost:trustRoots=$roots:resume=no:tls:127.0.0.1:$port:"
    ]
  ] as const) {
    live(
      `${name}: a certificate that is replaced is shown from the next handshake after the interval on`,
      Effect.gen(function* () {
        const { clock, pass } = yield* laterClock
        const [first, second] = [issue("localhost"), issue("localhost")]
        const { directory, roots, write } = yield* identities({ "1.pem": both(first) })
        const socket = yield* socketPath
        const put = (text: string) =>
          // Marks that no name of a temporary directory holds.
          text.replaceAll("$directory", directory).replaceAll("$roots", roots).replace("$path", socket)
        const { listener, next } = yield* Effect.provideService(listen(put(server)), Clock.Clock, clock)
        const port = name === "secured over UNIX" ? 0 : portOf(listener)
        const ours = `hostname=localhost:trustRoots=${roots}:resume=no`
        const again =
          name === "secured over UNIX"
            ? dial(`secured:${ours}:unix:${socket}`)
            : dial(`${put(client).replace("$port", String(port))}${ours}`)
        const standing = yield* again
        const accepted = yield* next
        assert.strictEqual(shown(standing), certificates.derOf(first.certificate))

        write("1.pem", both(second))
        pass(9)
        assert.strictEqual(shown(yield* again), certificates.derOf(first.certificate))
        yield* next
        pass(2)
        const renewed = yield* again
        assert.strictEqual(shown(renewed), certificates.derOf(second.certificate))
        yield* talks(renewed, yield* next)
        // Whoever was there is not touched.
        yield* talks(standing, accepted)
        assert.strictEqual(shown(standing), certificates.derOf(first.certificate))

        // Broken files leave what there was.
        write("1.pem", "-----BEGIN CERTIFICATE-----\nnonsense")
        pass(11)
        assert.strictEqual(shown(yield* again), certificates.derOf(second.certificate))
      })
    )
  }

  live(
    "one that cannot be used is said when the endpoint is opened, and nothing listens",
    Effect.gen(function* () {
      const expired = authority.issue({ names: ["localhost"], days: -1 })
      const { directory } = yield* identities({ "1.pem": both(expired) })
      const socket = yield* socketPath
      for (const [place, why] of [
        [directory, /1\.pem: the certificate of .* ended on/],
        [`${directory}/nowhere`, /it does not exist/],
        [`${directory}/1.pem`, /it is no directory/]
      ] as const) {
        for (const text of [
          `tls:0:certificates=${place}`,
          `secured:certificates=${place}:unix:${socket}`,
          `haproxy:trusted=unix:tls:0:certificates=${place}`,
          `haproxy:trusted=unix:secured:certificates=${place}:unix:${socket}`
        ]) {
          const error = yield* Effect.flip(open(text))
          assert.strictEqual("reason" in error && error.reason._tag, "InvalidTlsOptions", text)
          assert.match(error.message, why)
          assert.isTrue(error.message.startsWith(`cannot listen on ${text.split(":", 1)[0]}:`), error.message)
          assert.isFalse(fs.existsSync(socket))
        }
      }
    })
  )

  /** STARTTLS as a server: gives the certificate that the client saw, or why there was none. */
  const startTls = Effect.fnUntraced(function* (identity: Tls.IdentityDirectory, tls: Tls.ServerOptions) {
    assert.strictEqual(tls.identity, identity)
    const { listener, next } = yield* listen("tcp:0:interface=127.0.0.1")
    const client = yield* dial(`tcp:127.0.0.1:${portOf(listener)}`)
    const server = yield* next
    const clientTls = { serverName: "localhost", authorities: authority.certificate, resume: false }
    const [seen, served] = yield* Effect.all(
      [
        Effect.exit(client.startTls({ role: "client", tls: clientTls })),
        outcome(server.startTls({ role: "server", tls }))
      ],
      { concurrency: 2 }
    )
    return { served, certificate: seen._tag === "Success" ? shown(seen.value) : "" }
  })

  /** Counts how often the directory was looked at. */
  const counting = Effect.map(FileSystem.FileSystem, (files) => {
    const seen = { looks: 0 }
    const counted = {
      ...files,
      readDirectory: (...args: Parameters<typeof files.readDirectory>) =>
        Effect.suspend(() => {
          seen.looks++
          return files.readDirectory(...args)
        })
    }
    return { seen, files: counted as FileSystem.FileSystem }
  })

  live(
    "with STARTTLS it is read when first used, once for all who ask at once, and followed",
    Effect.gen(function* () {
      const { clock, pass } = yield* laterClock
      const [first, second] = [issue("localhost"), issue("localhost")]
      const { directory, write } = yield* identities({ "1.pem": both(first) })
      const { files, seen } = yield* counting
      const identity = { directory, files }
      const tls = { identity }
      const one = Effect.provideService(startTls(identity, tls), Clock.Clock, clock)
      assert.strictEqual(seen.looks, 0)
      const came = yield* Effect.all([one, one, one, one], { concurrency: 4 })
      for (const { certificate, served } of came) {
        assert.deepStrictEqual([served, certificate], ["success", certificates.derOf(first.certificate)])
      }
      assert.strictEqual(seen.looks, 1)
      write("1.pem", both(second))
      assert.strictEqual((yield* one).certificate, certificates.derOf(first.certificate))
      pass(11)
      assert.strictEqual((yield* one).certificate, certificates.derOf(second.certificate))
      assert.strictEqual(seen.looks, 2)
    })
  )

  live(
    "with STARTTLS one that cannot be used ends the connection, until it is mended",
    Effect.gen(function* () {
      const good = issue("localhost")
      const { directory, write } = yield* identities({})
      const { files, seen } = yield* counting
      const identity = { directory, files }
      const tls = { identity }
      assert.deepStrictEqual(yield* startTls(identity, tls), { served: "InvalidTlsOptions", certificate: "" })
      write("1.pem", both(good))
      assert.deepStrictEqual(yield* startTls(identity, tls), {
        served: "success",
        certificate: certificates.derOf(good.certificate)
      })
      assert.strictEqual(seen.looks, 2)
    })
  )

  live(
    "the network in memory takes it, and looks at nothing",
    Effect.gen(function* () {
      const files = FileSystem.makeNoop({
        readDirectory: () => Effect.die("nobody may look"),
        readFileString: () => Effect.die("nobody may read")
      })
      const reactor = yield* Reactor
      const tls = { identity: { directory: "/nowhere", files }, alpn: ["echo"] }
      const listener = yield* reactor.listen(Endpoint.tls({ port: 0, interface: "127.0.0.1", tls }))
      yield* Effect.forkScoped(listener.acceptEach(() => {}))
      const client = yield* reactor.connect(
        Endpoint.tlsClient({ ...inetOf(listener.address), tls: { alpn: ["echo"], serverName: "a.example" } })
      )
      assert.deepStrictEqual([securityOf(client).alpn, securityOf(client).serverName], ["echo", "a.example"])
    }).pipe(Effect.provide(MemoryReactor.layer()))
  )
})
