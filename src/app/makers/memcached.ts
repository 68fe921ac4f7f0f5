/** `spindle memcached`. On loopback unless told otherwise; over UDP only where told so. */
import * as Flag from "effect/cli/Flag"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as MemcacheDatagramServer from "../../memcache/MemcacheDatagramServer.ts"
import * as MemcacheLru from "../../memcache/MemcacheLru.ts"
import * as MemcacheServer from "../../memcache/MemcacheServer.ts"
import { MemcacheStore } from "../../memcache/MemcacheStore.ts"
import * as MemcacheUsers from "../../memcache/MemcacheUsers.ts"
import { UsageError } from "../cli/UsageError.ts"
import * as DatagramService from "../DatagramService.ts"
import * as ServiceGroup from "../ServiceGroup.ts"
import * as ServiceMaker from "../ServiceMaker.ts"
import * as StreamServerService from "../StreamServerService.ts"
import { refuseExposed, refusePlaintext } from "./exposure.ts"
import { connectionsMaxFlag, listenFlag, places } from "./listening.ts"
import { tryDatagram, tryIt } from "./tryIt.ts"
import { usersFile } from "./usersFile.ts"

const byDefault = `tcp:${MemcacheServer.port}:interface=127.0.0.1`
const description = "a cache in memory, for clients of memcached"
const mebibyte = 1_048_576

/** What is typed first where users are known; not with a password in it. */
const login = (user: string | undefined): string =>
  user === undefined ? "" : String.raw`set login 0 0 BYTES\r\n${user} PASSWORD\r\n`

export const maker = ServiceMaker.make({
  name: "memcached",
  description,
  flags: {
    listen: listenFlag(byDefault),
    connectionsMax: connectionsMaxFlag,
    memory: Flag.Int("memory").pipe(
      Flag.withAlias("m"),
      Flag.withDefault(64),
      Flag.withMetavar("MEBIBYTES"),
      Flag.withDescription("What items may take, before those used longest ago go; default 64")
    ),
    valueBytesMax: Flag.Int("value-bytes-max").pipe(
      Flag.withAlias("I"),
      Flag.withDefault(mebibyte),
      Flag.withMetavar("BYTES"),
      Flag.withDescription("The largest value; default 1048576")
    ),
    idleTimeout: Flag.Finite("idle-timeout").pipe(
      Flag.optional,
      Flag.withMetavar("SECONDS"),
      Flag.withDescription("Close connections that say nothing for so long; default never")
    ),
    users: Flag.String("users").pipe(
      Flag.optional,
      Flag.withMetavar("FILE"),
      Flag.withDescription("Who may use it: lines of NAME:PASSWORD. Default: nobody is asked")
    ),
    udpRate: Flag.Int("udp-rate").pipe(
      Flag.withDefault(1_000),
      Flag.withMetavar("COUNT"),
      Flag.withDescription(
        "Of --listen udp:, the datagrams a second that another machine gets; all of them ten times as many; default 1000"
      )
    ),
    unprotected: Flag.Boolean("unprotected").pipe(
      Flag.withDefault(false),
      Flag.withDescription(
        "Listen also where others can connect without a password, or with one in plaintext"
      )
    )
  },
  make: Effect.fnUntraced(function* (flags) {
    const { connectionsMax, idleTimeout, listen, memory, udpRate, unprotected, users, valueBytesMax } = flags
    const seconds = Option.getOrUndefined(idleTimeout)
    if (memory < 1) return yield* new UsageError({ detail: "--memory: at least 1 MiB is needed" })
    if (valueBytesMax < 1 || valueBytesMax > memory * mebibyte) {
      return yield* new UsageError({ detail: "--value-bytes-max: from 1 to what --memory allows" })
    }
    if (seconds !== undefined && seconds <= 0) {
      return yield* new UsageError({ detail: "--idle-timeout must be above 0" })
    }
    if (udpRate < 1) return yield* new UsageError({ detail: "--udp-rate must be above 0" })
    const { datagrams, streams } = yield* places(listen.length === 0 ? [byDefault] : listen)
    if (datagrams.length > 0 && Option.isSome(users)) {
      return yield* new UsageError({
        detail: "memcached asks nobody for a password over UDP",
        hint: "leave out udp:, or --users"
      })
    }
    if (!unprotected) {
      yield* Option.isNone(users)
        ? refuseExposed(
            [...streams, ...datagrams],
            "memcached asks nobody for a password without --users",
            "unprotected"
          )
        : refusePlaintext(streams, "unprotected")
    }
    const known = Option.isNone(users) ? undefined : yield* usersFile(users.value)
    const options = {
      valueBytesMax,
      authenticate: known === undefined ? undefined : MemcacheUsers.memory(known),
      idleTimeout: seconds === undefined ? undefined : Duration.seconds(seconds)
    }
    const store = MemcacheLru.make({ bytesMax: memory * mebibyte })
    const engine = yield* Effect.provideService(MemcacheServer.engine(options), MemcacheStore, store)
    const overTcp = StreamServerService.make({
      name: datagrams.length === 0 ? "memcached" : "stream",
      description,
      endpoint: streams,
      connectionsMax,
      // Whoever keeps a connection has nothing to say goodbye to.
      drainTimeout: "1 second",
      protocol: yield* MemcacheServer.over(engine, options),
      onStart: tryIt(login(known?.[0]?.[0]) + String.raw`set k 0 0 5\r\nhello\r\nget k\r\nquit\r\n`)
    })
    if (datagrams.length === 0) return overTcp
    const overUdp = DatagramService.make({
      name: "datagram",
      endpoint: datagrams.map(MemcacheDatagramServer.buffered),
      serve: (port) =>
        Effect.andThen(
          tryDatagram(String.raw`\0\1\0\0\0\1\0\0version\r\n`, port),
          MemcacheDatagramServer.serve(port, engine, { valueBytesMax, peerDatagramsPerSecond: udpRate })
        )
    })
    return ServiceGroup.make("memcached", streams.length === 0 ? [overUdp] : [overTcp, overUdp], {
      description
    })
  })
})
