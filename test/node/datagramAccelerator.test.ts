/** The path by `recvmmsg` and `sendmmsg`: what the C library may answer, and that nothing is asked of it but what may be. */
import type * as Ffi from "node:ffi"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as NetAddress from "effect/net/NetAddress"
import * as Pull from "effect/Pull"
import * as Scope from "effect/Scope"
import { datagram } from "../../src/node/NodeDatagram.ts"
import { NodeDatagramAccelerator } from "../../src/node/NodeDatagramAccelerator.ts"
import { load, type NodeDatagramLibc } from "../../src/node/NodeDatagramLibc.ts"
import { NodeDatagramPeers } from "../../src/node/NodeDatagramPeers.ts"
import { NodeDatagramSlab, slabMessages } from "../../src/node/NodeDatagramSlab.ts"
import type { Datagram, Message } from "../../src/reactor/Datagram.ts"
import * as Endpoint from "../../src/reactor/Endpoint.ts"
import * as Child from "../support/child.ts"

const isLinux = process.platform === "linux"
const real = isLinux ? load() : undefined

const EAGAIN = -11
const EPERM = -1
const ECONNREFUSED = -111
const ENOSYS = -38

interface Calls {
  /** How many messages each call took, or its failure. */
  readonly received: Array<number>
  readonly sent: Array<number>
  readonly told: Array<string>
}

/** An accelerator that can be watched, and of which some calls are replaced. */
const watched = (replace: (libc: NodeDatagramLibc) => Partial<NodeDatagramLibc> = () => ({})) => {
  const calls: Calls = { received: [], sent: [], told: [] }
  const libc = { ...real!, ...replace(real!) }
  const note = (list: Array<number>, outcome: number) => {
    list.push(outcome)
    return outcome
  }
  const accelerator = new NodeDatagramAccelerator(
    {
      ...libc,
      receive: (...args) => note(calls.received, libc.receive(...args)),
      send: (...args) => note(calls.sent, libc.send(...args))
    },
    (why) => calls.told.push(why)
  )
  const open = (options: Partial<Omit<Endpoint.Udp, "_tag">> = {}) =>
    datagram(Endpoint.udp({ interface: "127.0.0.1", ...options }), undefined, accelerator)
  return { calls, accelerator, open }
}

const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString()
const receive = (port: Datagram) => Pull.catchDone(port.receive, () => Effect.die("no end of input"))
const collect = Effect.fnUntraced(function* (port: Datagram, count: number) {
  const all: Array<Message> = []
  while (all.length < count) all.push(...(yield* receive(port)))
  return all
})
const numbers = (count: number) => Array.from({ length: count }, (_, i) => String(i))
const to = (port: Datagram, words: ReadonlyArray<string>) =>
  words.map((bytes) => ({ bytes, peer: port.local }))
const portOf = ({ local }: Datagram): number => (NetAddress.isInetAddress(local) ? local.port : 0)
const receives = Effect.fnUntraced(function* (port: Datagram, expected: ReadonlyArray<string>) {
  const got = yield* collect(port, expected.length)
  assert.deepStrictEqual(
    got.map(({ bytes }) => text(bytes)),
    expected
  )
})

type Body = () => Generator<Effect.Effect<unknown, unknown, Scope.Scope>, void, never>
const live = (name: string, body: Body) => it.live.runIf(isLinux)(name, () => Effect.gen(body))

describe(`the accelerator of datagrams${isLinux ? "" : " [no Linux]"}`, () => {
  live("sends and receives in batches", function* () {
    const { calls, open } = watched()
    const [a, b] = [yield* open(), yield* open()]
    yield* a.sendAll(to(b, numbers(100)))
    assert.deepStrictEqual(calls.sent, [slabMessages, 100 - slabMessages])
    yield* receives(b, numbers(100))
    assert.isAtLeast(Math.max(...calls.received), 32)
    assert.deepStrictEqual(calls.told, [])
  })

  live("finding nothing more is no failure", function* () {
    const { accelerator, calls, open } = watched()
    const [a, b] = [yield* open(), yield* open()]
    for (let size = 1; size < 140; size++) {
      yield* a.sendAll(to(b, numbers(size)))
      yield* receives(b, numbers(size))
    }
    assert.include(calls.received, EAGAIN)
    assert.isTrue(accelerator.isWorking)
    accelerator.giveUp("first")
    accelerator.giveUp("second")
    assert.deepStrictEqual(calls.told, ["first"])
  })

  live("asks nothing more for datagrams that come one by one", function* () {
    const { calls, open } = watched()
    const [a, b] = [yield* open(), yield* open()]
    for (const word of numbers(20)) {
      yield* a.send(word, b.local)
      yield* receives(b, [word])
    }
    assert.isAtMost(calls.received.length, 2)
  })

  live("goes on where the system stopped in the middle of a batch", function* () {
    const { calls, open } = watched(({ send }) => ({
      send: (fd, headers, count) => send(fd, headers, Math.min(count, 7))
    }))
    const [a, b] = [yield* open(), yield* open()]
    yield* a.sendAll(to(b, numbers(50)))
    yield* receives(b, numbers(50))
    assert.isAtLeast(calls.sent.length, 8)
  })

  live("leaves to libuv what does not fit the system's buffer, and what comes behind it", function* () {
    let room = 10
    const { calls, open } = watched(({ send }) => ({
      send: (fd, headers, count) => {
        const sent = room === 0 ? EAGAIN : send(fd, headers, Math.min(count, room))
        room -= Math.max(0, sent)
        return sent
      }
    }))
    const [a, b] = [yield* open(), yield* open()]
    yield* Effect.all([a.sendAll(to(b, numbers(60))), a.sendAll(to(b, ["behind"]))], { concurrency: 2 })
    yield* receives(b, [...numbers(60), "behind"])
    assert.deepStrictEqual(calls.sent, [10, EAGAIN])
    // Once libuv has sent it all, batches go the short way again.
    room = 1_000
    const before = calls.sent.length
    yield* a.sendAll(to(b, numbers(5)))
    yield* receives(b, numbers(5))
    assert.deepStrictEqual(calls.sent.slice(before), [5])
    assert.deepStrictEqual(calls.told, [])
  })

  live("a refusal is that of one datagram; the others leave", function* () {
    let calls = 0
    const { open } = watched(({ send }) => ({
      // The third of them is not allowed.
      send: (fd, headers, count) => {
        calls++
        return calls === 1 ? send(fd, headers, 2) : calls === 2 ? EPERM : send(fd, headers, count)
      }
    }))
    const [a, b] = [yield* open(), yield* open()]
    const error = yield* Effect.flip(a.sendAll(to(b, numbers(6))))
    assert.deepStrictEqual(
      [error.operation, error.reason._tag, error.reason.errno],
      ["send", "AccessDenied", "EPERM"]
    )
    assert.deepStrictEqual(error.peer, b.local)
    yield* receives(b, ["0", "1", "3", "4", "5"])
  })

  live("on a connected port the report about an earlier datagram costs none", function* () {
    let reports = 3
    const { open } = watched(({ send }) => ({
      send: (fd, headers, count) => (reports-- > 0 ? ECONNREFUSED : send(fd, headers, count))
    }))
    const server = yield* open()
    const client = yield* open({ connect: { host: "127.0.0.1", port: portOf(server) } })
    yield* client.sendAll([{ bytes: "one" }, { bytes: "two" }])
    yield* receives(server, ["one", "two"])
    for (let i = 0; i < 3; i++) {
      assert.strictEqual((yield* Effect.flip(receive(client))).reason._tag, "Refused")
    }
  })

  live("a connected port takes nothing from others that came before it was connected", function* () {
    const ffi = process.getBuiltinModule("node:ffi") as typeof Ffi
    let forged = 0
    let forging = true
    const { open } = watched(({ receive }) => ({
      receive: (fd, headers, count) => {
        const received = receive(fd, headers, count)
        // The sender of every other message gets another port.
        for (let i = 0; forging && i < received; i += 2) {
          forged++
          const name = ffi.getUint64(headers + BigInt(i * 64))
          ffi.setUint8(name, 2, ffi.getUint8(name, 2) ^ 0xff)
        }
        return received
      }
    }))
    const server = yield* open()
    const client = yield* open({ connect: { host: "127.0.0.1", port: portOf(server) } })
    yield* server.sendAll(to(client, numbers(60)))
    for (let i = 0; i < 300; i++) yield* Effect.yieldNow
    forging = false
    yield* server.send("end", client.local)
    const got: Array<string> = []
    while (got.at(-1) !== "end") got.push(...(yield* receive(client)).map(({ bytes }) => text(bytes)))
    assert.isAbove(forged, 10)
    assert.strictEqual(got.length, 61 - forged)
  })

  for (const verb of ["send", "receive"] as const) {
    live(`gives up, once for all ports, when ${verb} fails as it never should`, function* () {
      const { calls, open } = watched(() => ({ [verb]: () => ENOSYS }))
      const [a, b] = [yield* open(), yield* open()]
      for (let round = 0; round < 3; round++) {
        yield* Effect.all([a.sendAll(to(b, numbers(40))), b.sendAll(to(a, numbers(40)))], { concurrency: 2 })
        yield* receives(b, numbers(40))
        yield* receives(a, numbers(40))
      }
      assert.strictEqual(calls.told.length, 1)
      assert.match(calls.told[0]!, new RegExp(`${verb === "send" ? "sendmmsg" : "recvmmsg"}: ENOSYS`))
      assert.strictEqual((verb === "send" ? calls.sent : calls.received).length, 1)
      // Ports that are opened from now on are Node's.
      const before = calls.received.length + calls.sent.length
      const [c, d] = [yield* open(), yield* open()]
      yield* c.sendAll(to(d, numbers(40)))
      yield* receives(d, numbers(40))
      assert.strictEqual(calls.received.length + calls.sent.length, before)
    })
  }

  live("gives up where it cannot even open a socket; the port opens all the same", function* () {
    const { calls, open } = watched(() => ({ open: () => ENOSYS }))
    const [a, b] = [yield* open(), yield* open()]
    yield* a.send("x", b.local)
    yield* receives(b, ["x"])
    assert.deepStrictEqual(calls, {
      received: [],
      sent: [],
      told: ["socket: ENOSYS: function not implemented"]
    })
  })

  live("a descriptor is used between its opening and its close only", function* () {
    const alive = new Set<number>()
    const misused: Array<number> = []
    const check = (fd: number) => {
      if (!alive.has(fd)) misused.push(fd)
    }
    const { open } = watched((libc) => ({
      open: (options) => {
        const fd = libc.open(options)
        alive.add(fd)
        return fd
      },
      receive: (fd, ...rest) => {
        check(fd)
        return libc.receive(fd, ...rest)
      },
      send: (fd, ...rest) => {
        check(fd)
        return libc.send(fd, ...rest)
      }
    }))
    const other = yield* open()
    for (let i = 0; i < 50; i++) {
      const scope = yield* Scope.make()
      const port = yield* Scope.provide(open(), scope)
      const [fd] = [...alive].slice(-1)
      yield* other.sendAll(to(port, numbers(150)))
      // In the middle of what came, with answers under way.
      const close = Effect.suspend(() => {
        alive.delete(fd!)
        return Scope.close(scope, Exit.void)
      })
      const error = yield* Effect.flip(
        port.receiveEach((batch) => Effect.andThen(close, Effect.ignore(port.sendAll(batch))))
      )
      assert.strictEqual(error.reason._tag, "Closed")
    }
    assert.deepStrictEqual(misused, [])
  })

  live("ports that come and go leave no descriptor behind, nor do those refused", function* () {
    const handles = () => process.getActiveResourcesInfo().filter((name) => name.startsWith("UDP")).length
    const { accelerator, calls, open } = watched()
    const taken = yield* open()
    // What the tests before closed takes a turn to go.
    for (let i = 0; i < 100; i++) yield* Effect.yieldNow
    const begin = handles()
    const lowest = Effect.sync(() => {
      const fd = real!.open({
        family: "IPv4",
        name: new ArrayBuffer(16),
        reuseAddress: false,
        reusePort: false
      })
      real!.close(Math.max(fd, -1))
      return fd
    })
    const free = yield* lowest
    for (let i = 0; i < 200; i++) {
      yield* Effect.scoped(open())
      assert.strictEqual((yield* Effect.flip(open({ port: portOf(taken) }))).reason._tag, "AddressInUse")
      const nowhere = { groups: [{ group: "239.255.1.1", interface: "192.0.2.77" }] }
      assert.strictEqual(
        (yield* Effect.flip(open({ multicast: nowhere }))).reason._tag,
        "MulticastJoinFailed"
      )
    }
    for (let i = 0; i < 100 && handles() > begin; i++) yield* Effect.yieldNow
    assert.strictEqual(handles(), begin)
    assert.isAtMost(yield* lowest, free + 2)
    assert.isTrue(accelerator.isWorking)
    assert.deepStrictEqual(calls.told, [])
  })
})

describe("its memory", () => {
  const slab = () => new NodeDatagramSlab(real!)

  it.runIf(isLinux)("takes no message that is longer than its place, and none beyond the last", () => {
    const bytes = slab()
    assert.isTrue(bytes.write(0, new Uint8Array(65_507)))
    assert.isFalse(bytes.write(0, new Uint8Array(65_537)))
    assert.isFalse(bytes.write(slabMessages, new Uint8Array(1)))
    // What lies about its length does not get out of the slab either.
    const liar = new Uint8Array(4)
    for (const length of [2 ** 31, -1, Number.NaN, 65_537]) {
      Object.defineProperty(liar, "length", { value: length, configurable: true })
      assert.isFalse(bytes.write(0, liar), String(length))
    }
  })

  it.runIf(isLinux)("tells a message that was cut, and gives none of it for whole", () => {
    const ffi = process.getBuiltinModule("node:ffi") as typeof Ffi
    let at = 0n
    const bytes = new NodeDatagramSlab({
      ...real!,
      receive: (_fd, headers) => {
        at = headers
        return 2
      }
    })
    assert.strictEqual(bytes.receive(3), 2)
    const [flags, length] = [48n, 56n]
    assert.isTrue(bytes.isWhole(0))
    ffi.setUint32(at + flags, 0, 0x20)
    assert.isFalse(bytes.isWhole(0))
    ffi.setUint32(at + 64n + length, 0, 70_000)
    assert.isFalse(bytes.isWhole(1))
    // More than were asked for cannot have come.
    const more = new NodeDatagramSlab({ ...real!, receive: () => 1_000 })
    assert.strictEqual(more.receive(3), slabMessages)
  })

  it("names of C become addresses and names again; what is neither IPv4 nor IPv6 is none", () => {
    const words = new Uint32Array(10)
    for (const address of [
      NetAddress.inetAddressFromIpStringUnsafe("127.0.0.1", 8_007),
      NetAddress.inetAddressFromIpStringUnsafe("255.254.253.252", 65_535),
      NetAddress.inetAddressFromIpStringUnsafe("2001:db8:1:2:3:4:5:6", 53),
      NetAddress.inetAddressFromStringUnsafe("[fe80::ff:fe00:1%7]:9"),
      NetAddress.inetAddressFromIpStringUnsafe("::ffff:10.0.0.1", 1)
    ]) {
      const isV4 = NetAddress.isInetAddressV4(address)
      words.fill(0xffff_ffff)
      assert.strictEqual(new NodeDatagramPeers().writeName(address, words, 2), isV4 ? 16 : 28)
      const peers = new NodeDatagramPeers()
      const found = peers.addressOfName(words, 2)
      assert.deepStrictEqual(found, address)
      assert.strictEqual(peers.addressOfName(words, 2), found)
      // Network order: the port's high byte first.
      const bytes = new Uint8Array(words.buffer, 8)
      assert.strictEqual(bytes[2]! * 256 + bytes[3]!, address.port)
    }
    words[2] = 1
    assert.isUndefined(new NodeDatagramPeers().addressOfName(words, 2))
    // Same port, another host or zone: not the one that was known.
    const peers = new NodeDatagramPeers()
    for (const text of ["127.0.0.1:9", "127.0.0.2:9", "127.0.0.1:265", "[fe80::1%1]:9", "[fe80::1%2]:9"]) {
      const address = NetAddress.inetAddressFromStringUnsafe(text)
      new NodeDatagramPeers().writeName(address, words, 0)
      assert.strictEqual(peers.addressOfName(words, 0)?.toString(), text)
    }
  })
})

describe("asking for it", () => {
  const program = `
    import * as Effect from "effect/Effect"
    import { NodeReactor } from "spindle/node"
    import { Endpoint, Reactor } from "spindle/reactor"
    const options = JSON.parse(process.argv[1])
    const one = Effect.gen(function* () {
      const reactor = yield* Reactor.Reactor
      const port = yield* reactor.datagram(Endpoint.udp({ interface: "127.0.0.1" }))
      yield* port.send("hello", port.local)
      const [message] = yield* port.receive
      return Buffer.from(message.bytes).toString()
    })
    const twice = Effect.all([Effect.scoped(one), Effect.scoped(one)])
    console.log(...(await Effect.runPromise(Effect.provide(twice, NodeReactor.layerWith(options)))))
  `
  const run = (options: object, ...flags: ReadonlyArray<string>) =>
    Child.run(process.execPath, [
      ...flags,
      "--conditions=source",
      "--input-type=module",
      "-e",
      program,
      JSON.stringify(options)
    ])

  it.live("node:ffi is loaded, and warns, only for those who do", () =>
    Effect.gen(function* () {
      const without = yield* run({})
      assert.deepStrictEqual([without.code, without.stdout, without.stderr], [0, "hello hello\n", ""])
      if (!isLinux) return
      const asked = yield* run({ datagramAccelerator: true })
      assert.deepStrictEqual([asked.code, asked.stdout], [0, "hello hello\n"])
      assert.match(asked.stderr, /ExperimentalWarning: FFI/)
    })
  )

  it.live("where it cannot be had, one line says so, and datagrams go as they do", () =>
    Effect.gen(function* () {
      const denied = ["--permission", "--allow-fs-read=*", "--allow-net"]
      const { code, stdout } = yield* run({ datagramAccelerator: true }, ...denied)
      assert.strictEqual(code, 0)
      const lines = stdout.split("\n")
      assert.match(lines[0]!, /WARN .*datagrams go without acceleration: .*/)
      assert.deepStrictEqual(lines.slice(1), ["hello hello", ""])
    })
  )
})
