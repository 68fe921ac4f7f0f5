/** `spindle memcached`. On loopback unless told otherwise, over TCP only. */
import * as Flag from "effect/cli/Flag"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as MemcacheLru from "../../memcache/MemcacheLru.ts"
import * as MemcacheServer from "../../memcache/MemcacheServer.ts"
import { MemcacheStore } from "../../memcache/MemcacheStore.ts"
import { UsageError } from "../cli/UsageError.ts"
import * as ServiceMaker from "../ServiceMaker.ts"
import * as StreamServerService from "../StreamServerService.ts"
import { refuseExposed } from "./exposure.ts"
import { connectionsMaxFlag, listenFlag, servers } from "./listening.ts"
import { tryIt } from "./tryIt.ts"

const byDefault = `tcp:${MemcacheServer.port}:interface=127.0.0.1`
const description = "a cache in memory, for clients of memcached"
const mebibyte = 1_048_576

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
    unprotected: Flag.Boolean("unprotected").pipe(
      Flag.withDefault(false),
      Flag.withDescription("Listen also where others can connect, who may then read and change everything")
    )
  },
  make: Effect.fnUntraced(function* (flags) {
    const { connectionsMax, idleTimeout, listen, memory, unprotected, valueBytesMax } = flags
    const seconds = Option.getOrUndefined(idleTimeout)
    if (memory < 1) return yield* new UsageError({ detail: "--memory: at least 1 MiB is needed" })
    if (valueBytesMax < 1 || valueBytesMax > memory * mebibyte) {
      return yield* new UsageError({ detail: "--value-bytes-max: from 1 to what --memory allows" })
    }
    if (seconds !== undefined && seconds <= 0) {
      return yield* new UsageError({ detail: "--idle-timeout must be above 0" })
    }
    const endpoints = yield* servers(listen.length === 0 ? [byDefault] : listen)
    if (!unprotected) yield* refuseExposed(endpoints, "memcached asks nobody for a password", "unprotected")
    const protocol = yield* MemcacheServer.make({
      valueBytesMax,
      idleTimeout: seconds === undefined ? undefined : Duration.seconds(seconds)
    }).pipe(Effect.provideService(MemcacheStore, MemcacheLru.make({ bytesMax: memory * mebibyte })))
    return StreamServerService.make({
      name: "memcached",
      description,
      endpoint: endpoints,
      connectionsMax,
      // Whoever keeps a connection has nothing to say goodbye to.
      drainTimeout: "1 second",
      protocol,
      onStart: tryIt(String.raw`set k 0 0 5\r\nhello\r\nget k\r\nquit\r\n`)
    })
  })
})
