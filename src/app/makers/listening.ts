/** Where a service listens, from its command line. */
import * as Flag from "effect/cli/Flag"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as NodeReadFiles from "../../node/NodeReadFiles.ts"
import type * as Endpoint from "../../reactor/Endpoint.ts"
import * as EndpointDescription from "../../reactor/EndpointDescription.ts"
import { quoted } from "../../reactor/EndpointExcerpt.ts"
import * as SocksSchemes from "../../socks/SocksSchemes.ts"
import { UsageError } from "../cli/UsageError.ts"

/** `--listen ENDPOINT`, any number of times. */
export const listenFlag = (byDefault: string) =>
  Flag.String("listen").pipe(
    Flag.withAlias("l"),
    Flag.atLeast(0),
    Flag.withMetavar("ENDPOINT"),
    Flag.withDescription(`Where to listen; may be given several times. Default ${byDefault}`)
  )

/** `--connections-max COUNT`, for each endpoint. */
export const connectionsMaxFlag = Flag.Int("connections-max").pipe(
  Flag.withDefault(1024),
  Flag.withMetavar("COUNT"),
  Flag.withDescription("More connections than these are closed at once; default 1024")
)

export interface Places {
  readonly streams: ReadonlyArray<Endpoint.Server>
  readonly datagrams: ReadonlyArray<Endpoint.Udp>
}

/** On one line, where the error itself has several. */
const usage =
  (flag: string) =>
  ({ description, reason }: EndpointDescription.EndpointDescriptionError) =>
    new UsageError({
      detail: `--${flag} ${quoted(description)}: ${reason.message}`,
      hint:
        reason.suggestion === undefined
          ? (reason.hint ?? "spindle endpoints shows what there is")
          : `did you mean ${quoted(reason.suggestion)}?`
    })

const withFiles = Effect.provideService(FileSystem.FileSystem, NodeReadFiles.make)

/** Endpoints for connections, and for datagrams (`udp:`). */
export const places = (texts: ReadonlyArray<string>): Effect.Effect<Places, UsageError> =>
  Effect.gen(function* () {
    const streams: Array<Endpoint.Server> = []
    const datagrams: Array<Endpoint.Udp> = []
    for (const text of texts) {
      if (/^\s*udp:/i.test(text)) datagrams.push(yield* EndpointDescription.parseUdp(text))
      else streams.push(yield* EndpointDescription.parseServer(text))
    }
    return { streams, datagrams }
  }).pipe(withFiles, Effect.mapError(usage("listen")))

/** Endpoints for connections only. */
export const servers = (
  texts: ReadonlyArray<string>
): Effect.Effect<ReadonlyArray<Endpoint.Server>, UsageError> =>
  Effect.forEach(texts, (text) => EndpointDescription.parseServer(text)).pipe(
    withFiles,
    Effect.mapError(usage("listen"))
  )

/** Where to connect to, through SOCKS proxies, too. */
export const client = (flag: string, text: string): Effect.Effect<Endpoint.Client, UsageError> =>
  EndpointDescription.parseClient(text, { schemes: SocksSchemes.all }).pipe(
    withFiles,
    Effect.mapError(usage(flag))
  )
