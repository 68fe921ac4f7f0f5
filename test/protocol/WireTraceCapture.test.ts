import { execFileSync } from "node:child_process"
import * as fs from "node:fs"
import * as os from "node:os"
import * as path from "node:path"
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as FileSystem from "effect/FileSystem"
import * as NetAddress from "effect/net/NetAddress"
import * as PlatformError from "effect/PlatformError"
import * as Scope from "effect/Scope"
import * as TestClock from "effect/testing/TestClock"
import * as Pcap from "../../src/protocol/Pcap.ts"
import { PcapConnection } from "../../src/protocol/PcapConnection.ts"
import * as PcapFile from "../../src/protocol/PcapFile.ts"
import * as Server from "../../src/protocol/Server.ts"
import * as WireTrace from "../../src/protocol/WireTrace.ts"
import * as Endpoint from "../../src/reactor/Endpoint.ts"
import { Reactor } from "../../src/reactor/Reactor.ts"
import type { Transport } from "../../src/reactor/Transport.ts"
import { portOf, read, readAll, world } from "../memory/pair.ts"
import { which } from "../support/peers.ts"
import { packets, streams } from "./pcapReader.ts"
import { now, observed, serve } from "./serving.ts"

const echo = (transport: Transport) => transport.receiveEach(transport.send)

interface Disk {
  bytes: Uint8Array
  writes: number
  mode: number | undefined
  closed: boolean
}

/** A file in memory. `write` may fail or wait. */
const disk = (
  write: (bytes: Uint8Array) => Effect.Effect<void, PlatformError.PlatformError> = () => Effect.void
) => {
  const state: Disk = { bytes: new Uint8Array(0), writes: 0, mode: undefined, closed: false }
  const file = {
    writeAll: (bytes: Uint8Array) =>
      Effect.andThen(
        write(bytes),
        Effect.sync(() => {
          assert.isFalse(state.closed)
          state.writes++
          state.bytes = Uint8Array.of(...state.bytes, ...bytes)
        })
      )
  } as unknown as FileSystem.File
  const layer = FileSystem.layerNoop({
    open: (_, options) =>
      Effect.acquireRelease(
        Effect.sync(() => {
          state.mode = options?.mode
          return file
        }),
        () => Effect.sync(() => void (state.closed = true))
      )
  })
  return { state, layer }
}

const diskFull = PlatformError.systemError({
  _tag: "Unknown",
  module: "FileSystem",
  method: "writeAll",
  description: "ENOSPC: no space left on device"
})

const opening = (layer: ReturnType<typeof disk>["layer"], options?: Partial<PcapFile.Options>) =>
  Effect.provide(PcapFile.make({ path: "/capture.pcap", ...options }), layer)

describe("the capture", () => {
  it.effect("holds each connection as a TCP stream, with right addresses, numbers and checksums", () =>
    Effect.gen(function* () {
      const { layer, state } = disk()
      const scope = yield* Scope.make()
      const capture = yield* Scope.provide(opening(layer), scope)
      const { dial, server, settled } = yield* serve(WireTrace.over({ log: "none", capture })(echo))
      yield* TestClock.adjust(1_500)
      const [first, second] = [yield* dial, yield* dial]
      const big = "0123456789".repeat(5_000) + "x"
      yield* first.send("odd")
      yield* settled
      yield* TestClock.adjust(250)
      yield* first.send(big)
      yield* settled
      yield* first.end
      yield* settled
      yield* second.send("lost")
      yield* settled
      yield* second.abort
      yield* settled
      yield* Scope.close(scope, Exit.void)

      const ours = `127.0.0.1:${portOf(server.address)}`
      const [whole, lost] = streams(state.bytes)
      assert.strictEqual(whole!.client, `127.0.0.1:${portOf(first.local)}`)
      assert.strictEqual(whole!.server, ours)
      assert.strictEqual(whole!.fromClient, "odd" + big)
      assert.strictEqual(whole!.fromServer, "odd" + big)
      assert.match(whole!.flags, /^>S <SA >A >PAd <A <PAd >A (>Ad )+>PAd <A (<Ad )*.* >FA <A <FA >A$/)
      assert.deepStrictEqual(
        [lost!.fromClient, lost!.fromServer, lost!.flags],
        ["lost", "lost", ">S <SA >A >PAd <A <PAd >A >RA"]
      )
      const times = packets(state.bytes).map(({ timeMicros }) => timeMicros)
      assert.strictEqual(times[0], 1_500_000)
      assert.strictEqual(Math.max(...times), 1_750_000)
      assert.strictEqual(state.mode, 0o600)
      assert.isTrue(state.closed)
    })
  )

  it.effect("a client's connections begin with it, and an abort of ours is ours", () =>
    Effect.gen(function* () {
      const { layer, state } = disk()
      const scope = yield* Scope.make()
      const capture = yield* Scope.provide(opening(layer), scope)
      const { dial, settled } = yield* serve(echo)
      const client = yield* dial
      yield* WireTrace.over({ log: "none", capture, role: "client" })((transport) =>
        Effect.gen(function* () {
          yield* transport.send("hi")
          yield* transport.receive
          yield* transport.abort
        })
      )(client)
      yield* settled
      yield* Scope.close(scope, Exit.void)
      const [stream] = streams(state.bytes)
      assert.strictEqual(stream!.client, `127.0.0.1:${portOf(client.local)}`)
      assert.strictEqual(stream!.flags, ">S <SA >A >PAd <A <PAd >A >RA")
    })
  )

  it.effect("knows IPv6, and gives UNIX sockets addresses for documentation", () =>
    Effect.gen(function* () {
      const { layer, state } = disk()
      const scope = yield* Scope.make()
      const capture = yield* Scope.provide(opening(layer), scope)
      const { network, reactor } = yield* world({
        hosts: { "server.test": "2001:db8::1", "client.test": "2001:db8::2" }
      })
      void network
      const trace = WireTrace.over({ log: "none", capture })
      const unix = Endpoint.unix({ path: "/run/traced.sock" })
      const v6 = Endpoint.tcp({ port: 0, interface: "::1" })
      const addresses: Array<string> = []
      for (const endpoint of [unix, unix, v6]) {
        yield* Effect.gen(function* () {
          const server = yield* Server.make(endpoint, trace(echo))
          const client = yield* reactor.connect(
            endpoint._tag === "TcpServer"
              ? Endpoint.tcpClient({ host: "::1", port: portOf(server.address) })
              : Endpoint.unixClient({ path: "/run/traced.sock" })
          )
          yield* client.send("hello")
          assert.strictEqual(yield* read(client), "hello")
          yield* client.end
          yield* readAll(client)
          if (endpoint._tag === "TcpServer") addresses.push(`0:0:0:0:0:0:0:1:${portOf(client.local)}`)
        }).pipe(Effect.scoped, Effect.provideService(Reactor, reactor))
      }
      yield* Scope.close(scope, Exit.void)
      const seen = streams(state.bytes)
      assert.deepStrictEqual(
        seen.map(({ client }) => client),
        ["192.0.2.2:1024", "192.0.2.2:1025", ...addresses]
      )
      assert.strictEqual(seen[0]!.server, "192.0.2.1:1")
      for (const { fromClient, fromServer } of seen) {
        assert.deepStrictEqual([fromClient, fromServer], ["hello", "hello"])
      }
    })
  )

  it("writes ::ffff:a.b.c.d as the IPv4 that it is on the wire, and numbers that wrap around", () => {
    const end = (ip: string, port: number) => NetAddress.inetAddressFromIpStringUnsafe(ip, port)
    const cases = [
      ["::ffff:192.0.2.7", "198.51.100.1", "198.51.100.1:5", "192.0.2.7:9"],
      ["2001:db8::1", "198.51.100.1", "0:0:0:0:0:ffff:c633:6401:5", "2001:db8:0:0:0:0:0:1:9"]
    ] as const
    // One whose first number is near the end.
    const connection = Array.from({ length: 1e6 }, (_, i) => i + 1).find(
      (i) => Math.imul(i, 0x9e3779b1) >>> 0 > 0xffff_ff00
    )!
    for (const [local, peer, client, server] of cases) {
      const records = [Pcap.fileHeader()]
      const pcap = new PcapConnection({
        local: end(local, 9),
        peer: end(peer, 5),
        role: "server",
        connection,
        write: (record) => void records.push(record)
      })
      pcap.opened(0n)
      for (let i = 0; i < 10; i++) pcap.sent(0n, new Uint8Array(10_001 * i).fill(0x61))
      pcap.received(0n, new Uint8Array(1).fill(0x62))
      pcap.outputEnded(0n)
      pcap.sent(0n, new Uint8Array(1))
      pcap.inputEnded(0n)
      pcap.reset(0n, true)
      const [stream, ...others] = streams(Uint8Array.from(Buffer.concat(records)))
      assert.lengthOf(others, 0)
      assert.deepStrictEqual([stream!.client, stream!.server], [client, server])
      assert.strictEqual(stream!.fromServer, "a".repeat(450_045))
      assert.match(stream!.flags, /<FA >A >FA <A$/)
    }
  })

  it.effect("hides what `redact` hides, without a gap", () =>
    Effect.gen(function* () {
      const { layer, state } = disk()
      const scope = yield* Scope.make()
      const capture = yield* Scope.provide(opening(layer), scope)
      const { dial, settled } = yield* serve(
        WireTrace.over({
          log: "none",
          capture,
          redact: (bytes, direction) => (direction === "sent" ? undefined : bytes)
        })(echo)
      )
      const client = yield* dial
      yield* client.send("hunter2")
      yield* settled
      yield* Scope.close(scope, Exit.void)
      const [stream] = streams(state.bytes)
      assert.deepStrictEqual([stream!.fromClient, stream!.fromServer], ["hunter2", "*******"])
    })
  )

  it.effect("is not longer than it is told, whole to its last packet, and says once that it is full", () =>
    observed(({ logs }) =>
      Effect.gen(function* () {
        const { layer, state } = disk()
        const scope = yield* Scope.make()
        const capture = yield* Scope.provide(opening(layer, { bytesMax: 2_000 }), scope)
        const { dial, settled } = yield* serve(WireTrace.over({ log: "none", capture })(echo))
        const client = yield* dial
        for (let i = 0; i < 50; i++) {
          yield* client.send("hello")
          yield* settled
          assert.strictEqual(yield* read(client), "hello")
        }
        const { dropped, packets: taken, state: how } = yield* capture.statistics
        assert.strictEqual(how, "Full")
        assert.isAbove(dropped, 100)
        yield* Scope.close(scope, Exit.void)
        assert.isAtMost(state.bytes.length, 2_000)
        assert.isAtLeast(state.bytes.length, 1_900)
        assert.strictEqual(packets(state.bytes).length, taken)
        const warnings = logs.filter(({ level }) => level === "Warn").map(({ text }) => text)
        assert.lengthOf(warnings, 2)
        assert.match(warnings[0]!, /capture \/capture.pcap is full/)
        assert.match(warnings[1]!, /lacks \d+ packets/)
      })
    )
  )

  it.effect("a disk that fails, hangs or is slow does the connection no harm", () =>
    observed(({ logs }) =>
      Effect.gen(function* () {
        let writes = 0
        const failing = disk(() => (writes++ === 0 ? Effect.void : Effect.fail(diskFull)))
        const hanging = disk(() => (writes++ < 1 ? Effect.void : Effect.never))
        for (const [what, { layer }] of Object.entries({ failing, hanging })) {
          writes = 0
          const scope = yield* Scope.make()
          const capture = yield* Scope.provide(opening(layer, { bufferBytesMax: 10_000 }), scope)
          const { dial, settled } = yield* serve(WireTrace.over({ log: "none", capture })(echo))
          const client = yield* dial
          for (let i = 0; i < 100; i++) {
            yield* client.send("x".repeat(1_000))
            yield* settled
            assert.lengthOf(yield* read(client), 1_000)
          }
          const { dropped, state } = yield* capture.statistics
          assert.strictEqual(state, what === "failing" ? "Failed" : "Open")
          assert.isAbove(dropped, 100)
          const closing = yield* Effect.forkChild(Scope.close(scope, Exit.void), now)
          yield* TestClock.adjust("6 seconds")
          assert.isDefined(closing.pollUnsafe(), what)
        }
        const warnings = logs.filter(({ level }) => level === "Warn").map(({ text }) => text)
        assert.lengthOf(
          warnings.filter((text) => text.includes("has failed")),
          1
        )
      })
    )
  )

  it.effect("a file that cannot be opened is an error of who opens it", () =>
    Effect.gen(function* () {
      const layer = FileSystem.layerNoop({ open: () => Effect.fail(diskFull) })
      const error = yield* Effect.flip(Effect.scoped(opening(layer as never)))
      assert.strictEqual(error, diskFull)
    })
  )

  it.effect("what was taken is written when the scope ends, by interruption too, and in few writes", () =>
    Effect.gen(function* () {
      const { layer, state } = disk()
      const { dial, settled } = yield* serve(echo)
      const client = yield* dial
      const fiber = yield* Effect.forkChild(
        Effect.scoped(
          Effect.gen(function* () {
            const capture = yield* opening(layer)
            const write = yield* WireTrace.over({ log: "none", capture, role: "client" })((transport) =>
              Effect.andThen(
                Effect.forEach(Array.from({ length: 100 }), () => transport.send("x"), { discard: true }),
                Effect.never
              )
            )(client)
            return write
          })
        ),
        now
      )
      yield* settled
      fiber.interruptUnsafe()
      yield* settled
      yield* Effect.yieldNow
      assert.isTrue(state.closed)
      assert.lengthOf(streams(state.bytes)[0]!.fromClient, 100)
      assert.isAtMost(state.writes, 5)
    })
  )
})

// --- what others make of it -----------------------------------------------------------------------------

const tools = { tcpdump: which("tcpdump"), tshark: which("tshark") }

/** A real file with a conversation, a reset, IPv6 and a UNIX socket in it. */
const written = Effect.fnUntraced(function* (folder: string) {
  const file = path.join(folder, "capture.pcap")
  yield* Effect.scoped(
    Effect.gen(function* () {
      const capture = yield* PcapFile.make({ path: file })
      const trace = WireTrace.over({ log: "none", capture })
      const { reactor } = yield* world()
      const v6 = yield* Server.make(Endpoint.tcp({ port: 4_242, interface: "::1" }), trace(echo)).pipe(
        Effect.provideService(Reactor, reactor)
      )
      const clientOf6 = yield* reactor.connect(Endpoint.tcpClient({ host: "::1", port: portOf(v6.address) }))
      yield* clientOf6.send("over IPv6")
      yield* read(clientOf6)
      const { dial, settled } = yield* serve(trace(echo))
      const client = yield* dial
      yield* client.send("hello there")
      yield* settled
      yield* client.send("y".repeat(40_001))
      yield* settled
      yield* client.end
      yield* settled
      yield* (yield* dial).abort
      yield* settled
    })
  )
  return file
})

const withFile = <A>(use: (file: string) => A) =>
  Effect.scoped(
    Effect.gen(function* () {
      const folder = yield* Effect.acquireRelease(
        Effect.sync(() => fs.mkdtempSync(path.join(os.tmpdir(), "spindle-pcap-"))),
        (folder) => Effect.sync(() => fs.rmSync(folder, { recursive: true }))
      )
      return use(yield* written(folder))
    })
  ).pipe(Effect.provide(NodeFileSystem.layer))

const run = (program: string | undefined, ...args: ReadonlyArray<string>): string =>
  execFileSync(program!, args, { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"], timeout: 60_000 })

describe("a real file", () => {
  it.effect("is what the reader of these tests reads, for its owner alone", () =>
    withFile((file) => {
      assert.strictEqual(fs.statSync(file).mode & 0o777, 0o600)
      const [v6, v4, aborted] = streams(fs.readFileSync(file))
      assert.strictEqual(v6!.fromServer, "over IPv6")
      assert.strictEqual(v4!.fromServer, "hello there" + "y".repeat(40_001))
      assert.match(aborted!.flags, />RA$/)
    })
  )

  it.effect.skipIf(tools.tcpdump === undefined)(
    `tcpdump reads it${tools.tcpdump === undefined ? " [no tcpdump]" : ""}`,
    () =>
      withFile((file) => {
        const text = run(tools.tcpdump, "-r", file, "-n", "-vv", "-A")
        const sums = [...text.matchAll(/cksum 0x[0-9a-f]{4} \((\w+)\)/g)].map(([, word]) => word)
        assert.isAbove(sums.length, 20)
        assert.deepStrictEqual([...new Set(sums)], ["correct"])
        assert.include(text, "Flags [S]")
        assert.include(text, "hello there")
        assert.notMatch(text, /bad|truncated|invalid/)
      })
  )

  it.effect.skipIf(tools.tshark === undefined)(
    `tshark follows its streams, and finds nothing to complain of${tools.tshark === undefined ? " [no tshark]" : ""}`,
    () =>
      withFile((file) => {
        const strict = ["-o", "tcp.check_checksum:TRUE", "-o", "ip.check_checksum:TRUE"]
        assert.include(run(tools.tshark, "-r", file, "-q", "-z", "follow,tcp,ascii,1"), "hello there")
        const complaints = run(
          tools.tshark,
          "-r",
          file,
          ...strict,
          "-Y",
          "(_ws.expert.severity >= 6291456 || tcp.analysis.flags) && !tcp.flags.reset"
        )
        assert.strictEqual(complaints.trim(), "")
        const bad = run(
          tools.tshark,
          "-r",
          file,
          ...strict,
          "-Y",
          "tcp.checksum.status == 0 || ip.checksum.status == 0"
        )
        assert.strictEqual(bad.trim(), "")
      }),
    60_000
  )
})
