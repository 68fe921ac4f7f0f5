/**
 * Endpoints in the configuration of an application: descriptions as text, and what is wrong with one is an error of
 * configuration like any other.
 *
 * ```ts
 * config: { listen: EndpointConfig.server("listen").pipe(Config.withDefault(Endpoint.tcp({ port: 8007 }))) }
 * ```
 */
import * as Config from "effect/Config"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Schema from "effect/Schema"
import * as SchemaIssue from "effect/SchemaIssue"
import * as SchemaTransformation from "effect/SchemaTransformation"
import * as NodeReadFiles from "../node/NodeReadFiles.ts"
import type * as Endpoint from "../reactor/Endpoint.ts"
import * as EndpointDescription from "../reactor/EndpointDescription.ts"
import * as SocksSchemes from "../socks/SocksSchemes.ts"

/** What a description of one kind is read by. */
type Parse<E> = (
  text: string
) => Effect.Effect<E, EndpointDescription.EndpointDescriptionError, FileSystem.FileSystem>

const read = <E>(parse: Parse<E>, text: string) =>
  parse(text).pipe(
    Effect.provideService(FileSystem.FileSystem, NodeReadFiles.make),
    Effect.mapError((error) => new SchemaIssue.InvalidValue({ message: error.message }))
  )

/** Texts stay texts where they are written: an endpoint has no text of its own. */
const oneWay = () =>
  Effect.fail(new SchemaIssue.InvalidValue({ message: "an endpoint is not written as configuration" }))

const isTagged = (u: unknown): boolean => typeof u === "object" && u !== null && "_tag" in u

const make = <E>(name: string, parse: Parse<E>): Config.Config<E> => {
  const endpoint = Schema.declare((u: unknown): u is E => isTagged(u))
  const codec = Schema.String.pipe(
    Schema.decodeTo(
      endpoint,
      SchemaTransformation.transformEffect({ decode: (text: string) => read(parse, text), encode: oneWay })
    )
  )
  return Config.schema(codec, name)
}

/** Where to listen: `tcp:8007:interface=127.0.0.1`. */
export const server = (name: string): Config.Config<Endpoint.Server> =>
  make(name, (text) => EndpointDescription.parseServer(text))

/** Where to connect to: `tls:example.org:6697`, or through a SOCKS proxy: `socks5:proxy:1080:tls:example.org:6697`. */
export const client = (name: string): Config.Config<Endpoint.Client> =>
  make(name, (text) => EndpointDescription.parseClient(text, { schemes: SocksSchemes.all }))

/** A datagram port: `udp:5353`. */
export const udp = (name: string): Config.Config<Endpoint.Udp> =>
  make(name, (text) => EndpointDescription.parseUdp(text))
