/**
 * Three protocols on one port: TLS (what is protected is echoed), HTTP (an answer), text (lines are echoed), and a greeting for
 * others. Try `openssl s_client` and `nc`, too. `CERT` names a PEM file with a certificate and its key; without it, one for this
 * machine is made and kept in `data`.
 *
 *     PORT=8011 node --conditions=source examples/sniff.ts
 *     curl http://127.0.0.1:8011/
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
import { ByteReader, Lines } from "spindle/framing"
import { NodeReactor } from "spindle/node"
import { Server, Sniff } from "spindle/protocol"
import { Endpoint, type Tls, type Transport } from "spindle/reactor"
import * as SelfSigned from "./gateway/SelfSigned.ts"

const answer = "HTTP/1.1 200 OK\r\nContent-Length: 6\r\nConnection: close\r\n\r\nhello\n"

const http = (transport: Transport.Transport) =>
  Effect.andThen(ByteReader.make(transport).readUntil("\r\n\r\n"), transport.send(answer))

const protocol = (tls: Tls.ServerOptions) =>
  Sniff.over(
    [
      Sniff.tls(tls, (transport) => transport.receiveEach(transport.send)),
      Sniff.when(Sniff.http1, http),
      Sniff.when(
        Sniff.text,
        Lines.over({ anyNewline: true })((lines) => lines.receiveEach(lines.send))
      )
    ],
    { firstBytesTimeout: "1 second", default: (transport) => transport.send("220 say something\r\n") }
  )

const Main = Layer.effectDiscard(
  Effect.gen(function* () {
    const port = yield* Config.Int("PORT").pipe(Config.withDefault(8011))
    const fs = yield* FileSystem.FileSystem
    const pem = yield* fs.readFileString(
      yield* Config.String("CERT").pipe(Effect.catch(() => SelfSigned.ensure("data")))
    )
    const tls = { identity: { certificate: pem, privateKey: pem } }
    const endpoint = Endpoint.tcp({ port, interface: "127.0.0.1" })
    const server = yield* Server.make(endpoint, protocol(tls), { drainTimeout: "100 millis" })
    yield* Console.log(`listening on ${server.address}`)
  })
).pipe(Layer.provide([NodeReactor.layer, NodeServices.layer]))

NodeRuntime.runMain(Effect.provideService(Layer.launch(Main), References.MinimumLogLevel, "Warn"), {
  teardown: (exit, onExit) => onExit(Exit.hasInterrupts(exit) ? 0 : 1)
})
