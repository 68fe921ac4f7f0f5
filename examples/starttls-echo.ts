/**
 * Lines are echoed: in plaintext at first, and from `STLS` on (as in POP3, RFC 2595) under TLS. `CERT` and `KEY` name
 * PEM files, or `CERT` one with both; without them, a certificate for this machine is made and kept in `data`.
 *
 *     PORT=8009 node --conditions=source examples/starttls-echo.ts
 *     openssl s_client -quiet -crlf -starttls pop3 -CAfile data/self-signed.pem -connect 127.0.0.1:8009
 */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as NodeServices from "@effect/platform-node/NodeServices"
import * as Config from "effect/Config"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as FileSystem from "effect/FileSystem"
import * as Layer from "effect/Layer"
import * as References from "effect/References"
import { Lines } from "spindle/framing"
import { NodeReactor } from "spindle/node"
import { Server } from "spindle/protocol"
import { Endpoint, type Tls, type Transport } from "spindle/reactor"
import * as SelfSigned from "./gateway/SelfSigned.ts"

const echo = (tls: Tls.ServerOptions) =>
  Effect.fnUntraced(function* (transport: Transport.Transport) {
    const lines = Lines.make(transport)
    yield* lines.send("+OK STLS begins TLS")
    let line: string
    while ((line = yield* lines.receive) !== "STLS") yield* lines.send(line)
    // What came behind the line is handed back: `startTls` refuses it, since anybody on the way could have put it in.
    const plain = yield* lines.detach
    const secured = yield* Effect.tapError(
      plain.startTls({ role: "server", tls, reply: "+OK begin TLS\r\n" }),
      ({ reason }) =>
        reason._tag === "UnreadBytes" ? lines.send("-ERR something follows STLS") : Effect.void
    )
    const protectedLines = Lines.make(secured)
    yield* protectedLines.receiveEach(protectedLines.send)
  })

const Main = Layer.effectDiscard(
  Effect.gen(function* () {
    const port = yield* Config.Int("PORT").pipe(Config.withDefault(8009))
    const fs = yield* FileSystem.FileSystem
    const file = yield* Config.String("CERT").pipe(Effect.catch(() => SelfSigned.ensure("data")))
    const certificate = yield* fs.readFileString(file)
    const privateKey = yield* fs.readFileString(yield* Config.String("KEY").pipe(Config.withDefault(file)))
    const protocol = echo({ identity: { certificate, privateKey } })
    const endpoint = Endpoint.tcp({ port, interface: "127.0.0.1" })
    const server = yield* Server.make(endpoint, protocol, { drainTimeout: "100 millis" })
    yield* Console.log(`listening on ${server.address}`)
  })
).pipe(Layer.provide([NodeReactor.layer, NodeServices.layer]))

NodeRuntime.runMain(Effect.provideService(Layer.launch(Main), References.MinimumLogLevel, "Warn"), {
  // Ctrl-C interrupts, and is the ordinary end.
  teardown: (exit, onExit) => onExit(Exit.hasInterrupts(exit) ? 0 : 1)
})
