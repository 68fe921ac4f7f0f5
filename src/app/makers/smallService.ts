/** What `spindle echo` and its like have in common: a small service over TCP and UDP. */
import * as Effect from "effect/Effect"
import * as DatagramAnswers from "../../inetd/DatagramAnswers.ts"
import type { SmallService } from "../../inetd/SmallService.ts"
import type { Reactor } from "../../reactor/Reactor.ts"
import type { DatagramError, ListenError } from "../../reactor/ReactorError.ts"
import type { UsageError } from "../cli/UsageError.ts"
import * as DatagramService from "../DatagramService.ts"
import type * as Service from "../Service.ts"
import * as ServiceGroup from "../ServiceGroup.ts"
import * as StreamServerService from "../StreamServerService.ts"
import { connectionsMaxFlag, listenFlag, places } from "./listening.ts"
import { tryIt, tryNetcat } from "./tryIt.ts"

const spoken = tryIt(String.raw`hello\r\n`)
const heard = tryNetcat((netcat) => netcat)

const hints: ReadonlyMap<string, ReturnType<typeof tryIt>> = new Map([
  ["echo", spoken],
  ["discard", spoken],
  ["chargen", tryNetcat((netcat) => `${netcat} </dev/null | head -n 3`)],
  ["daytime", heard],
  ["qotd", heard],
  ["time", tryNetcat((netcat) => `${netcat} | od -An -tu4 --endian=big`)]
])

/** What tells how to try a small service, once it listens. */
export const hintOf = ({ name }: SmallService): ReturnType<typeof tryIt> => hints.get(name) ?? heard

/** Where they listen unless told: on loopback, at 7000 and the port of the RFC, which needs no privileges. */
const byDefault = (port: number): ReadonlyArray<string> => [
  `tcp:${7000 + port}:interface=127.0.0.1`,
  `udp:${7000 + port}:interface=127.0.0.1`
]

/** The flags that all of them have, for the service with that port in its RFC. */
export const flags = (port: number) => ({
  listen: listenFlag(byDefault(port).join(" and ")),
  connectionsMax: connectionsMaxFlag
})

export interface Options {
  readonly listen: ReadonlyArray<string>
  readonly connectionsMax: number
}

type Made = Service.Service<never, ListenError | DatagramError, Reactor>

/** The service at the places that were asked for: a group of `stream` and `datagram`. */
export const serve = (small: SmallService, options: Options): Effect.Effect<Made, UsageError> =>
  Effect.map(
    places(options.listen.length === 0 ? byDefault(small.port) : options.listen),
    ({ datagrams, streams }): Made =>
      ServiceGroup.make(
        small.name,
        [
          ...(streams.length === 0
            ? []
            : [
                StreamServerService.make({
                  name: "stream",
                  endpoint: streams,
                  protocol: small.protocol,
                  onStart: hintOf(small),
                  connectionsMax: options.connectionsMax
                })
              ]),
          ...(datagrams.length === 0
            ? []
            : [
                DatagramService.make({
                  name: "datagram",
                  endpoint: datagrams,
                  serve: (port) => DatagramAnswers.make(port, small.answer).run
                })
              ])
        ],
        { description: small.description }
      )
  )
