/** Where the gateway listens, and where it keeps its data: from the environment (`GATEWAY_TCP`, `DATA_DIR`), on loopback by default. */
import * as NodeServices from "@effect/platform-node/NodeServices"
import * as Config from "effect/Config"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as SchemaIssue from "effect/SchemaIssue"
import * as SchemaTransformation from "effect/SchemaTransformation"
import { EndpointConfig } from "spindle/app"
import { Endpoint, EndpointDescription, Reactor, ReactorError, Reason } from "spindle/reactor"
import * as SelfSigned from "./SelfSigned.ts"

const loopback = { interface: "127.0.0.1" } as const

/** A TLS description that names no key gets the self-made one. */
const namesKey = (description: string): boolean => /:(privateKey|key)=/.test(description)

const withKey = (description: string, file: string): string =>
  namesKey(description) ? description : `${description}:privateKey=${EndpointDescription.quoteArgument(file)}`

/** A description whose key may not be there yet: all but that is looked at. */
const tlsDescription = (name: string): Config.Config<string> => {
  const look = (text: string) =>
    Effect.fromResult(EndpointDescription.server(withKey(text, "self-signed.pem"))).pipe(
      Effect.as(text),
      Effect.mapError(({ message }) => new SchemaIssue.InvalidValue({ message }))
    )
  const looked = SchemaTransformation.transformEffect({ decode: look, encode: look })
  return Config.schema(Schema.String.pipe(Schema.decodeTo(Schema.String, looked)), name)
}

export const config = {
  directory: Config.String("dataDir").pipe(Config.withDefault("data")),
  tcp: EndpointConfig.server("tcp").pipe(
    Config.nested("gateway"),
    Config.withDefault(Endpoint.tcp({ port: 7300, ...loopback }))
  ),
  tls: tlsDescription("tls").pipe(
    Config.nested("gateway"),
    Config.withDefault("tls:7301:interface=127.0.0.1")
  ),
  udp: EndpointConfig.udp("udp").pipe(
    Config.nested("gateway"),
    Config.withDefault(Endpoint.udp({ port: 7300, ...loopback }))
  ),
  http: EndpointConfig.server("http").pipe(
    Config.nested("gateway"),
    Config.withDefault(Endpoint.tcp({ port: 7380, ...loopback }))
  )
}

/** The port for TLS, and the certificate to trust if it was made for it. The certificate is made when the port is opened. */
export const tls = (description: string, directory: string) => {
  const authority = namesKey(description) ? undefined : SelfSigned.fileIn(directory)
  const complete = withKey(description, authority ?? "")
  const parsed = Effect.gen(function* () {
    if (authority !== undefined) yield* SelfSigned.ensure(directory)
    return yield* EndpointDescription.parseServer(complete)
  }).pipe(
    Effect.provide(NodeServices.layer),
    Effect.mapError(
      (cause) =>
        new ReactorError.ListenError({
          endpoint: description,
          reason: new Reason.BadFile({ detail: cause.message, cause })
        })
    )
  )
  const listen = Effect.gen(function* () {
    const reactor = yield* Reactor.Reactor
    return yield* reactor.listen(yield* parsed)
  })
  return { authority, endpoint: Endpoint.custom({ description, listen }) }
}
