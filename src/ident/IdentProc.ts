/** Users as Linux knows them. Twisted: `ProcServerMixin`. */
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Layer from "effect/Layer"
import * as NetAddress from "effect/net/NetAddress"
import { IdentUsers } from "./IdentUsers.ts"
import { nameIn, ownerIn } from "./IdentProcWire.ts"
import { noUser, unixUser } from "./IdentWire.ts"

/**
 * Names the account that a connection belongs to, to whoever has the other end. That is what RFC 1413 is for, and more than most want
 * to tell: there is no such default.
 */
export const make: Effect.Effect<IdentUsers["Service"], never, FileSystem.FileSystem> = Effect.map(
  FileSystem.FileSystem,
  (files) => ({
    identify: (connection) =>
      Effect.gen(function* () {
        const read = (path: string) => files.readFileString(path)
        let uid: number | undefined
        if (NetAddress.isIpv4Address(connection.local.address))
          uid = ownerIn(yield* read("/proc/net/tcp"), connection)
        // Programs that listen on both families have IPv4 connections there.
        uid ??= ownerIn(yield* read("/proc/net/tcp6"), connection)
        const name = uid === undefined ? undefined : nameIn(yield* read("/etc/passwd"), uid)
        return name === undefined ? noUser : unixUser(name)
      }).pipe(
        Effect.tapError((error) => Effect.logDebug("cannot tell whose connection it is", error)),
        Effect.orElseSucceed(() => noUser)
      )
  })
)

export const layer: Layer.Layer<IdentUsers, never, FileSystem.FileSystem> = Layer.effect(IdentUsers, make)
