/** Sockets given to other programs: connections as they were accepted, and those that others accept and read on. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as NodeProcesses from "../../src/node/NodeProcesses.ts"
import * as NodeReactor from "../../src/node/NodeReactor.ts"
import * as NodeSocketGift from "../../src/node/NodeSocketGift.ts"
import * as NodeWaitingSocket from "../../src/node/NodeWaitingSocket.ts"
import * as Client from "../../src/protocol/Client.ts"
import * as Server from "../../src/protocol/Server.ts"
import * as Endpoint from "../../src/reactor/Endpoint.ts"
import { Processes } from "../../src/reactor/ProcessesService.ts"
import { Reactor } from "../../src/reactor/Reactor.ts"
import type { Transport } from "../../src/reactor/Transport.ts"
import { portOf, readAll, reasonOf } from "../memory/pair.ts"
import { descriptors, sh } from "./processesSupport.ts"

const local = (port: number) => Endpoint.tcpClient({ host: "127.0.0.1", port })
const onNode = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  effect.pipe(Effect.scoped, Effect.provide([NodeReactor.layer, NodeProcesses.layer]))

const hasFfi = process.getBuiltinModule("node:ffi") !== undefined

describe("a connection for another program", () => {
  const given = (script: string) =>
    Effect.fnUntraced(function* (transport: Transport) {
      const processes = yield* Processes
      const { close, fd } = yield* NodeSocketGift.take(transport)
      const child = yield* processes.spawn({ ...sh(script), childFDs: { 0: fd, 1: fd, 2: fd } })
      yield* close
      yield* child.exited
    })

  it.live("the program reads and writes the socket itself", () =>
    onNode(
      Effect.gen(function* () {
        const before = descriptors().length
        const server = yield* Server.make(Endpoint.tcp({ port: 0, interface: "127.0.0.1" }), (transport) =>
          Effect.scoped(
            given("read line; echo got $line; readlink /proc/self/fd/0; cat; echo oops >&2")(transport)
          )
        )
        for (let i = 0; i < 3; i++) {
          const answer = yield* Effect.scoped(
            Effect.gen(function* () {
              const client = yield* Client.connect(local(portOf(server.address)))
              // In one piece with what comes later: nobody else has read any of it.
              yield* client.send("hello\nand more")
              yield* client.end
              return yield* readAll(client)
            })
          )
          assert.match(answer, /^got hello\nsocket:\[\d+\]\nand moreoops\n$/)
        }
        yield* server.stop
        assert.deepStrictEqual(server.counts.value, { open: 0, accepted: 3, refused: 0, failed: 0 })
        assert.strictEqual(descriptors().length, before)
      })
    )
  )

  it.live("what was read from already is refused, and goes on", () =>
    onNode(
      Effect.gen(function* () {
        const server = yield* Server.make(Endpoint.tcp({ port: 0, interface: "127.0.0.1" }), (transport) =>
          Effect.scoped(
            Effect.gen(function* () {
              yield* transport.receive.pipe(Effect.ignore)
              yield* transport.send(yield* reasonOf(Effect.as(NodeSocketGift.take(transport), "taken")))
            })
          )
        )
        const client = yield* Client.connect(local(portOf(server.address)))
        yield* client.send("a")
        assert.strictEqual(yield* readAll(client), "Unsupported")
      })
    )
  )
})

describe.runIf(hasFfi)("a socket that another program accepts on", () => {
  it.live("it is told that somebody calls, and the program accepts", () =>
    onNode(
      Effect.gen(function* () {
        const processes = yield* Processes
        const socket = yield* NodeWaitingSocket.open({ protocol: "tcp", address: "127.0.0.1", port: 0 })
        assert.isTrue((yield* Effect.timeoutOption(socket.due, "300 millis"))._tag === "None")
        for (const name of ["one", "two"]) {
          const client = yield* Client.connect(local(portOf(socket.address)))
          yield* socket.due
          const script = `require("node:net").createServer((s) => s.end("${name}", () => process.exit())).listen({ fd: 0 })`
          const child = yield* processes.spawn({
            program: process.execPath,
            args: ["-e", script],
            childFDs: { 0: socket.fd }
          })
          assert.strictEqual(yield* readAll(client), name)
          yield* child.exited
        }
      })
    )
  )

  it.live("a port that is taken is refused", () =>
    onNode(
      Effect.gen(function* () {
        const first = yield* NodeWaitingSocket.open({ protocol: "tcp", address: "127.0.0.1", port: 0 })
        const port = portOf(first.address)
        const again = NodeWaitingSocket.open({ protocol: "tcp", address: "127.0.0.1", port })
        assert.strictEqual(yield* reasonOf(Effect.asVoid(again)), "AddressInUse")
        const elsewhere = NodeWaitingSocket.open({ protocol: "tcp", address: "192.0.2.1", port: 0 })
        assert.strictEqual(yield* reasonOf(Effect.asVoid(elsewhere)), "AddressNotAvailable")
      })
    )
  )

  it.live("datagrams wait for the program, too", () =>
    onNode(
      Effect.gen(function* () {
        const reactor = yield* Reactor
        const processes = yield* Processes
        const socket = yield* NodeWaitingSocket.open({ protocol: "udp", address: "127.0.0.1", port: 0 })
        const client = yield* reactor.datagram(Endpoint.udp({ interface: "127.0.0.1" }))
        assert.isTrue((yield* Effect.timeoutOption(socket.due, "300 millis"))._tag === "None")
        yield* client.send("question", socket.address)
        yield* socket.due
        const child = yield* processes.spawn({ ...sh("head -c 8"), childFDs: { 0: socket.fd } })
        const said: Array<string> = []
        yield* child.stdout.receiveEach((bytes) =>
          Effect.sync(() => void said.push(Buffer.from(bytes).toString()))
        )
        assert.strictEqual(said.join(""), "question")
        const taken = NodeWaitingSocket.open({
          protocol: "udp",
          address: "127.0.0.1",
          port: portOf(socket.address)
        })
        assert.strictEqual(yield* reasonOf(Effect.asVoid(taken)), "AddressInUse")
      })
    )
  )
})
