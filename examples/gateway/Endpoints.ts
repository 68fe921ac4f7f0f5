/** Where the gateway listens: endpoint descriptions from the environment, on loopback by default. */
import * as Config from "effect/Config"
import * as Effect from "effect/Effect"
import { type Endpoint, EndpointDescription } from "spindle/reactor"
import * as SelfSigned from "./SelfSigned.ts"

const config = Config.all({
  directory: Config.String("DATA_DIR").pipe(Config.withDefault("data")),
  tcp: Config.String("GATEWAY_TCP").pipe(Config.withDefault("tcp:7300:interface=127.0.0.1")),
  tls: Config.String("GATEWAY_TLS").pipe(Config.withDefault("tls:7301:interface=127.0.0.1")),
  udp: Config.String("GATEWAY_UDP").pipe(Config.withDefault("udp:7300:interface=127.0.0.1")),
  http: Config.String("GATEWAY_HTTP").pipe(Config.withDefault("tcp:7380:interface=127.0.0.1"))
})

/** A TLS description that names no key gets the self-made one. */
const withCertificate = Effect.fnUntraced(function* (description: string, directory: string) {
  if (/:(privateKey|key)=/.test(description)) return { description, file: undefined }
  const file = yield* SelfSigned.ensure(directory)
  return { description: `${description}:privateKey=${EndpointDescription.quoteArgument(file)}`, file }
})

/** All of them; a bad description fails with an error that shows the place. */
export const load = Effect.gen(function* () {
  const given = yield* config
  const { description, file } = yield* withCertificate(given.tls, given.directory)
  const http = yield* EndpointDescription.parseServer(given.http)
  if (http._tag !== "TcpServer") {
    return yield* Effect.fail(new Error(`GATEWAY_HTTP must be a tcp: or tcp6: endpoint, not "${given.http}"`))
  }
  return {
    directory: given.directory,
    tcp: yield* EndpointDescription.parseServer(given.tcp),
    tls: yield* EndpointDescription.parseServer(description),
    udp: yield* EndpointDescription.parseUdp(given.udp),
    http: http satisfies Endpoint.TcpServer,
    selfSigned: file
  }
})
